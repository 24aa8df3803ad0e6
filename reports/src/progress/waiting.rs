//! What many checks wait for, said in one line: each thing once, and first of all one for each subject.
//!
//! What lives here: choosing and fitting. What does not: when it is said (`plain`, `live`).

use console::measure_text_width;

use super::plain::Running;
use crate::text;

/// Something that checks wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reason {
    /// `router0: 9 of 12 routes`; the check's name where it did not say.
    pub(super) text: String,
    /// The timer that runs: `tor1 <-> 10.0.4.2 first connect due in 3 s`.
    pub(super) due: Option<String>,
    /// How many checks wait for it.
    pub(super) checks: usize,
}

impl Reason {
    /// The reason in at most `room` columns. The timer stays whole as long as there is room for a word before it: it is what
    /// changes.
    pub(super) fn fitted(&self, room: usize) -> String {
        let Some(due) = &self.due else { return cut(&self.text, room) };
        let left = room.saturating_sub(measure_text_width(due) + 2);
        if left < WORD {
            return cut(&format!("{}, {due}", self.text), room);
        }
        format!("{}, {due}", cut(&self.text, left))
    }

    fn width(&self) -> usize {
        measure_text_width(&self.text) + self.due.as_ref().map_or(0, |due| measure_text_width(due) + 2)
    }
}

/// As much as a name needs to be known by.
const WORD: usize = 10;

fn cut(text: &str, room: usize) -> String {
    console::truncate_str(text, room, "…").into_owned()
}

/// Whom a reason is about: `tor0` in `tor0 10.0.1.2: Active`.
fn subject(reason: &str) -> &str {
    reason.split([' ', ',', ':']).next().unwrap_or_default()
}

/// What some checks wait for, each thing once: first one thing of each subject, then the second of each, and so on,
/// so that the few that fit on a screen tell of many subjects.
pub(super) fn reasons<'a>(checks: impl Iterator<Item = &'a Running>, now_ms: f64) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = Vec::new();
    for check in checks {
        let text = check.waits_for.as_deref().unwrap_or(&check.name);
        let due = check.due.as_ref().map(|due| due.text(now_ms));
        match reasons.iter_mut().find(|reason| reason.text == text && reason.due == due) {
            Some(reason) => reason.checks += 1,
            None => reasons.push(Reason { text: text.to_owned(), due, checks: 1 }),
        }
    }
    let turn = |at: usize| {
        reasons[..at].iter().filter(|before| subject(&before.text) == subject(&reasons[at].text)).count()
    };
    let turns: Vec<usize> = (0..reasons.len()).map(turn).collect();
    let mut turns: Vec<(usize, Reason)> = turns.into_iter().zip(reasons).collect();
    // A stable sort: within a turn they stay in the order of the checks.
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, reason)| reason).collect()
}

/// `44 checks: router0: 8 of 12 prefixes; tor0 10.0.1.2: Active; and 40 more`, in at most `room` columns.
pub(super) fn in_one_line<'a>(checks: impl Iterator<Item = &'a Running>, now_ms: f64, room: usize) -> String {
    let reasons = reasons(checks, now_ms);
    let total: usize = reasons.iter().map(|reason| reason.checks).sum();
    let mut line = format!("{}: ", text::count(total, "check"));
    let mut left = total;
    for (at, reason) in reasons.iter().enumerate() {
        let after = left - reason.checks;
        let and = if at == 0 { "" } else { "; " };
        let taken = measure_text_width(&line) + measure_text_width(and) + measure_text_width(&more(after));
        // One thing is said however narrow it is, cut if need be; of the others those that fit.
        if at > 0 && taken + reason.width() > room {
            continue;
        }
        line += &format!("{and}{}", reason.fitted(room.saturating_sub(taken).max(20)));
        left = after;
    }
    line + &more(left)
}

fn more(checks: usize) -> String {
    if checks == 0 { String::new() } else { format!("; and {checks} more") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(what: &str) -> Running {
        Running {
            name: what.into(),
            phase: None,
            started_ms: 0.0,
            waits_for: Some(what.into()),
            due: None,
            told_again_ms: 0.0,
        }
    }

    fn some() -> Vec<Running> {
        let mut checks = vec![
            waiting("router0 net0: 3 of 5 prefixes"),
            waiting("router0 net1: 3 of 5 prefixes"),
            waiting("tor0 10.0.1.2: Active"),
            waiting("tor0 10.0.1.2: Active"),
            waiting("tor1 10.0.3.2: Active"),
        ];
        checks.push(Running { waits_for: None, ..waiting("a check") });
        checks
    }

    #[test]
    fn subjects_take_turns() {
        let checks = some();
        let all = reasons(checks.iter(), 0.0);
        let texts: Vec<_> = all.iter().map(|reason| (reason.text.as_str(), reason.checks)).collect();
        assert_eq!(
            texts,
            [
                ("router0 net0: 3 of 5 prefixes", 1),
                ("tor0 10.0.1.2: Active", 2),
                ("tor1 10.0.3.2: Active", 1),
                ("a check", 1),
                ("router0 net1: 3 of 5 prefixes", 1),
            ]
        );
    }

    #[test]
    fn a_line_says_what_fits_and_counts_the_rest() {
        let checks = some();
        assert_eq!(
            in_one_line(checks.iter(), 0.0, 76),
            "6 checks: router0 net0: 3 of 5 prefixes; tor0 10.0.1.2: Active; and 3 more"
        );
        assert_eq!(in_one_line(checks[2..4].iter(), 0.0, 80), "2 checks: tor0 10.0.1.2: Active");
        assert_eq!(in_one_line(checks.iter(), 0.0, 5), "6 checks: router0 net0: 3 of …; and 5 more");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_its_room(texts in prop::collection::vec("[a-z]{1,9}: [a-z ]{0,60}", 1..30), room in 60usize..160) {
            let checks: Vec<Running> = texts.iter().map(|text| waiting(text)).collect();
            let line = in_one_line(checks.iter(), 0.0, room);
            prop_assert!(measure_text_width(&line) <= room, "{line}");
        }
    }
}
