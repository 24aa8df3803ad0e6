//! Fabrics broken in known ways: the record names what is to blame, once for both ends of a session.

mod policies;
mod sessions;
mod wheel;

use super::support::Record;

/// The cause that explains a check: kind, node, about.
fn of(record: &Record, check: &str) -> Option<(String, Option<String>, Option<String>)> {
    let causes = record.0["causes"].as_array()?;
    let explains = |cause: &&serde_json::Value| {
        cause["victims"].as_array().is_some_and(|all| all.iter().any(|one| one == check))
    };
    let cause = causes.iter().find(explains)?;
    let word = |name: &str| cause[name].as_str().map(str::to_owned);
    Some((word("kind")?, word("node"), word("about")))
}
