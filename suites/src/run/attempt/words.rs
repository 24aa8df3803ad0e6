//! What a check says while it waits and when it has failed.
//!
//! A failure's first line stands alone in lists; `- ` begins what differs, and `meanwhile ` what else is amiss on the
//! same router. The summary of a run tells failures together that have those in common.

use std::time::Duration;

use fabric_harness::router::{Session, Sessions};
use fabric_harness::wait::{Deadline, MARGIN};

use super::Context;
use crate::checks::{SessionSpec, Verdict};
use crate::expect::{Neighbor, Resolver};
use crate::ladder::Blame;
use crate::plan::{CheckSpec, PlannedCheck};

/// How many hops without an answer are worth a star each.
const STARS: usize = 3;

/// Whom it is about and what was seen of it, in one line: `tor0 10.0.1.2: Active`.
pub(super) fn headline(verdict: &Verdict) -> String {
    let subject = verdict.subject.replace(", neighbor ", " ");
    format!("{subject}: {}", without_stars(&verdict.seen))
}

/// What was expected. Where nothing could be seen nothing was compared, and the check itself says what it is for.
pub(super) fn expected(check: &PlannedCheck, verdict: &Verdict) -> String {
    let compared = !verdict.detail.is_null() || verdict.difference.as_slice() != [verdict.seen.as_str()];
    if compared { verdict.expected.clone() } else { statement(check) }
}

/// What a check states: its name without the phase and the kind.
fn statement(check: &PlannedCheck) -> String {
    let parts: Vec<&str> = check.name.splitn(3, "::").collect();
    parts.last().map_or(String::new(), |rest| rest.replace("::", " "))
}

/// All a failure says. `why` is how the waiting ended, `blame` what was found to be broken, `meanwhile` what else is amiss.
pub(super) fn failure(
    check: &PlannedCheck,
    verdict: &Verdict,
    why: &str,
    blame: Option<&Blame>,
    meanwhile: &[String],
) -> String {
    let mut text = headline(verdict) + "\n";
    let mut line = |what: &str| text.push_str(&format!("  {what}\n"));
    line(&format!("expected: {}", expected(check, verdict)));
    line(&format!("seen:     {}", without_stars(&verdict.seen)));
    for difference in &verdict.difference {
        line(&format!("- {difference}"));
    }
    line(why);
    if let Some(blame) = blame {
        line(&format!("cause:    {}", blame.title));
    }
    for other in meanwhile {
        line(other);
    }
    line(&format!("written at {}", check.at));
    text.truncate(text.trim_end().len());
    text
}

/// That the time is over, and what it was made of: `not so after 12 s (10 s first connect + 2 s margin)`.
pub(super) fn not_so(deadline: &Deadline) -> String {
    let budget = human(deadline.budget);
    match deadline.reason.as_slice() {
        [] => format!("not so after {budget}"),
        [one] if one.duration == MARGIN => format!("not so after {budget} (no protocol timer is involved)"),
        [one] => format!("not so after {budget} ({})", one.what),
        terms => {
            let terms: Vec<String> =
                terms.iter().map(|term| format!("{} {}", human(term.duration), term.what)).collect();
            format!("not so after {budget} ({})", terms.join(" + "))
        }
    }
}

/// A length of time as people say it: `350 ms`, `1.2 s`, `12 s`, `4 min 2 s`.
pub(super) fn human(duration: Duration) -> String {
    let tenths = duration.as_millis().saturating_add(50) / 100;
    if duration.as_millis() < 1_000 {
        format!("{} ms", duration.as_millis())
    } else if tenths >= 600 {
        let seconds = duration.as_millis().saturating_add(500) / 1_000;
        match seconds % 60 {
            0 => format!("{} min", seconds / 60),
            rest => format!("{} min {rest} s", seconds / 60),
        }
    } else if tenths.is_multiple_of(10) {
        format!("{} s", tenths / 10)
    } else {
        format!("{}.{} s", tenths / 10, tenths % 10)
    }
}

/// `a, *, *, *, *, *` as `a, * (5 times)`: a path that dies is as long as the probe's patience.
fn without_stars(seen: &str) -> String {
    let hops: Vec<&str> = seen.split(", ").collect();
    let mut short: Vec<String> = Vec::new();
    for run in hops.chunk_by(|one, other| one == other) {
        match run {
            ["*", ..] if run.len() > STARS => short.push(format!("* ({} times)", run.len())),
            hops => short.extend(hops.iter().map(|hop| (*hop).to_owned())),
        }
    }
    short.join(", ")
}

/// The sessions of the check's router that are not up. One that is about such a session names only that one.
pub(super) async fn meanwhile(context: &Context, check: &PlannedCheck) -> Vec<String> {
    let (router, about) = match &check.spec {
        CheckSpec::Session(spec) => (spec.router(), neighbor_of(context, spec)),
        CheckSpec::Rib(spec) => (spec.router.as_str(), None),
        CheckSpec::Fib(spec) => (spec.router.as_str(), None),
        _ => return Vec::new(),
    };
    let Ok(observer) = context.fabric.observer(router).await else { return Vec::new() };
    let snapshot = observer.latest();
    match &snapshot.sessions {
        Ok(sessions) => not_up(router, sessions, about.as_deref()),
        Err(_) => Vec::new(),
    }
}

fn not_up(router: &str, sessions: &Sessions, about: Option<&str>) -> Vec<String> {
    let down: Vec<(&str, &Session)> = sessions
        .iter()
        .filter(|(_, session)| !session.is_up())
        .map(|(neighbor, session)| (neighbor.as_str(), session))
        .collect();
    let own = down.iter().any(|(neighbor, _)| Some(*neighbor) == about);
    let told = down.iter().filter(|(neighbor, _)| !own || Some(*neighbor) == about);
    told.map(|(neighbor, session)| format!("meanwhile on {router}: {}", state(neighbor, session))).collect()
}

fn state(neighbor: &str, session: &Session) -> String {
    let reset = session.last_reset.as_ref().map(|reset| format!(" ({reset})"));
    let next = session.next_connect.map(|next| format!(", tries again in {} s", next.as_secs()));
    format!("{neighbor} is {}{}{}", session.state, reset.unwrap_or_default(), next.unwrap_or_default())
}

/// The neighbor a check is about, as its router calls it.
pub(in crate::run) fn neighbor_of(context: &Context, spec: &SessionSpec) -> Option<String> {
    let SessionSpec::Of { neighbor, .. } = spec else { return None };
    match neighbor {
        Neighbor::Interface(interface) => Some(interface.clone()),
        Neighbor::Address(symbol) => {
            context.view.now().addresses(symbol).ok()?.first().map(|named| named.value.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[rstest]
    #[case(ms(0), "0 ms")]
    #[case(ms(350), "350 ms")]
    #[case(ms(1_000), "1 s")]
    #[case(ms(1_240), "1.2 s")]
    #[case(ms(11_960), "12 s")]
    #[case(ms(59_960), "1 min")]
    #[case(ms(120_000), "2 min")]
    #[case(ms(242_000), "4 min 2 s")]
    fn lengths_are_said_as_people_say_them(#[case] duration: Duration, #[case] expected: &str) {
        assert_eq!(human(duration), expected);
    }

    #[rstest]
    #[case::two_terms(Deadline::of("first connect", ms(10_000)).margin(), "not so after 12 s (10 s first connect + 2 s margin)")]
    #[case::the_users(Deadline::within(ms(3_000)), "not so after 3 s (as set by `within`)")]
    #[case::at_once(Deadline::default().margin(), "not so after 2 s (no protocol timer is involved)")]
    #[case::none(Deadline::default(), "not so after 0 ms")]
    fn a_deadline_says_what_it_was_made_of(#[case] deadline: Deadline, #[case] expected: &str) {
        assert_eq!(not_so(&deadline), expected);
    }

    #[rstest]
    #[case("a, *, *, *, *, b", "a, * (4 times), b")]
    #[case("a, *, *, *, b", "a, *, *, *, b")]
    #[case("0 of 3 requests answered", "0 of 3 requests answered")]
    #[case("", "")]
    fn stars_are_counted(#[case] seen: &str, #[case] expected: &str) {
        assert_eq!(without_stars(seen), expected);
    }
}
