//! From a record to a page. What the page does with the record is told by the scripts in `page/js`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::picture::{self, Picture};
use super::{embed, parts};
use crate::record::{Outcome, Record, Verdict};

/// How many bytes of failures stand in the page for those who see it without scripts.
const WITHOUT_SCRIPTS: usize = 20_000;

/// Words that the page cannot make of the record's own.
#[derive(Serialize)]
struct Words {
    /// The rungs that occur, in words.
    rungs: BTreeMap<String, &'static str>,
    /// For each check that looked at paths, their ways over the drawing.
    ways: BTreeMap<String, Vec<String>>,
}

/// The record as one HTML page: it works from disk, and loads nothing.
///
/// # Errors
/// When the record cannot be serialized, which a record that was read or recorded always can be.
pub fn render(record: &Record) -> Result<String, serde_json::Error> {
    let (style, script) = (parts::style(), parts::script());
    // Scripts and styles other than these two do not run, whatever a record managed to bring in.
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        embed::source(&script),
        embed::source(&style)
    );
    let outcome = serde_json::to_value(record.outcome)?;
    let headline = format!("The run {}", record.outcome.words());
    let Picture { svg, ways } = picture::of(record);
    let page = embed::fill(
        parts::TEMPLATE,
        &[
            ("outcome", outcome.as_str().unwrap_or_default()),
            ("policy", &policy),
            ("version", &embed::text(&record.tool_version)),
            ("title", &embed::text(&format!("{}: {}", record.lab.name, headline.to_lowercase()))),
            ("colour", colour(record.outcome)),
            ("style", &style),
            ("lab", &embed::text(&record.lab.name)),
            ("headline", &embed::text(&headline)),
            ("failures", &embed::text(&failures(record))),
            ("drawing", &svg),
            ("record", &embed::json(record)?),
            ("words", &embed::json(&words(record, ways)?)?),
            ("script", &script),
        ],
    );
    Ok(page)
}

fn colour(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => parts::GOOD,
        Outcome::Failed | Outcome::BringUpFailed => parts::BAD,
        Outcome::Interrupted | Outcome::NothingChecked => parts::OTHER,
    }
}

fn words(record: &Record, ways: Vec<(String, Vec<String>)>) -> Result<Words, serde_json::Error> {
    let of_checks = record.checks.iter().flat_map(|check| &check.ladder).map(|rung| rung.name);
    let mut rungs = BTreeMap::new();
    for name in of_checks.chain(record.causes.iter().map(|cause| cause.rung)) {
        if let Some(key) = serde_json::to_value(name)?.as_str() {
            rungs.insert(key.to_owned(), name.words());
        }
    }
    Ok(Words { rungs, ways: ways.into_iter().collect() })
}

/// What failed, as text: the page's own account of it needs scripts.
fn failures(record: &Record) -> String {
    let mut told = String::new();
    if let Some(error) = &record.error {
        told.push_str(&format!("{}\n{}\n\n", error.phase, error.text));
    }
    for cause in &record.causes {
        told.push_str(&format!("{}\n\n", cause.title));
    }
    for check in record.checks.iter().filter(|check| check.verdict == Verdict::Failed) {
        if told.len() > WITHOUT_SCRIPTS {
            told.push_str("and more: see record.json\n");
            break;
        }
        told.push_str(&format!("{}\n{}\n\n", check.name, check.failure.as_deref().unwrap_or_default()));
    }
    if told.is_empty() { "nothing".to_owned() } else { told }
}
