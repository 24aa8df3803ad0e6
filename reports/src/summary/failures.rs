//! Failures in the summary: those of one cause together, the cause said once.
//!
//! Where the record names the cause of a failure, that is it. Elsewhere it is read off the text of the failure, of which this much is known (see
//! [`Check::failure`](crate::record::Check)): the first line says what was seen of what, lines that begin with `- ` say
//! how that differs from what was expected, and lines that begin with `meanwhile ` what else was amiss on the same node.
//! A text without such lines is a cause of its own.

use super::{INDENT, Page};
use crate::progress::brief;
use crate::record::{Check, Verdict};
use crate::text::{self, one_line};

/// How many causes of the first phase with failures are shown with their text; of others, only what was seen.
const SHOWN: usize = 6;

/// The same for later phases: what fails there mostly follows from what failed before.
const SHOWN_LATER: usize = 2;

/// How many further checks of a cause are named.
const NAMED: usize = 4;

/// How many lines of one text are shown.
const LINES: usize = 14;

/// Of a text that is cut, so many lines at its end: where it was written, and what else was amiss.
const LAST_LINES: usize = 4;

/// Checks that failed for one cause.
struct Cause<'a> {
    phase: &'a str,
    /// What is compared: see [`cause`].
    key: String,
    /// How many things were amiss on the same node.
    amiss: usize,
    checks: Vec<&'a Check>,
}

impl Page<'_> {
    /// The failures, phase by phase. Within a phase what may be behind others comes first: a session that is down
    /// before what happens while several are, and that before the rest; then the cause of most checks.
    pub(super) fn failures(&self) -> Option<String> {
        let mut causes = self.causes();
        let phases = self.record.phase_names();
        let place = |cause: &Cause<'_>| phases.iter().position(|name| *name == cause.phase);
        causes.sort_by_key(|cause| {
            let amiss = if cause.amiss == 0 { usize::MAX } else { cause.amiss };
            (place(cause), amiss, std::cmp::Reverse(cause.checks.len()))
        });
        let mut blocks: Vec<String> = Vec::new();
        for (number, phase) in causes.chunk_by(|one, other| one.phase == other.phase).enumerate() {
            let shown = if number == 0 { SHOWN } else { SHOWN_LATER }.min(phase.len());
            blocks.extend(phase[..shown].iter().map(|cause| self.cause(cause)));
            let rest: String = phase[shown..].iter().map(|cause| self.in_two_lines(cause)).collect();
            blocks.extend((!rest.is_empty()).then_some(rest));
        }
        (!blocks.is_empty()).then(|| blocks.join("\n"))
    }

    fn causes(&self) -> Vec<Cause<'_>> {
        let mut causes: Vec<Cause<'_>> = Vec::new();
        for check in self.record.checks.iter().filter(|check| check.verdict == Verdict::Failed) {
            let failure = check.failure.as_deref().unwrap_or_default();
            let phase = check.phase.as_str();
            let named = check.cause.as_ref().map(|id| (1, format!("cause {id}")));
            let (amiss, key) = named.unwrap_or_else(|| cause(failure));
            match causes.iter_mut().find(|known| known.phase == phase && known.key == key) {
                Some(known) => known.checks.push(check),
                None => causes.push(Cause { phase, key, amiss, checks: vec![check] }),
            }
        }
        causes
    }

    fn cause(&self, cause: &Cause<'_>) -> String {
        let Some((first, others)) = cause.checks.split_first() else { return String::new() };
        let name = self.paint.strong(one_line(&first.name));
        let took = self.paint.faint(format!("({})", brief(first.duration_ms)));
        let mut block = format!("{} {name} {took}\n", self.paint.bad("        FAIL"));
        block += &self.wrapped(&in_short(first.failure.as_deref().unwrap_or("no failure text was recorded")));
        let known = self.record.causes.iter().find(|known| Some(&known.id) == first.cause.as_ref());
        if let Some(known) = known {
            let title = one_line(&known.title);
            // The text of a failure may have it already.
            if !first.failure.as_deref().unwrap_or_default().contains(&known.title) {
                block += &self.wrapped(&format!("cause: {title}"));
            }
            block += &self.wrapped(&known.text);
        }
        if !others.is_empty() {
            let same = if known.is_some() {
                "for the same reason"
            } else if cause.amiss > 0 {
                "while that is so"
            } else {
                "for the same reason"
            };
            block += &self.wrapped(&format!("and {} more {same}:", others.len()));
            // Not wrapped: a name is there to be copied.
            for check in others.iter().take(NAMED) {
                block += &format!("{:INDENT$}  {}\n", "", one_line(&check.name));
            }
            if others.len() > NAMED {
                block += &format!("{:INDENT$}  … {} more\n", "", others.len() - NAMED);
            }
        }
        if let Some(command) = &first.next_command {
            block += &format!("{:INDENT$}{} {}\n", "", self.paint.name("next:"), one_line(command));
        }
        block
    }
}

impl Page<'_> {
    /// A cause without its text: a check, what was seen, and how many more there are.
    fn in_two_lines(&self, cause: &Cause<'_>) -> String {
        let Some((first, others)) = cause.checks.split_first() else { return String::new() };
        let seen = one_line(first.headline().unwrap_or_default());
        let more = if others.is_empty() {
            String::new()
        } else {
            format!(" (and {})", text::count(others.len(), "more check"))
        };
        let name = one_line(&first.name);
        format!("{} {name}\n{}", self.paint.bad("        FAIL"), self.wrapped(&format!("{seen}{more}")))
    }
}

/// What failures of one cause have in common: what else was amiss, else what they were about and how that differed,
/// else all of it; and how many things were amiss. Clocks that run on are left out.
fn cause(failure: &str) -> (usize, String) {
    let starting = |mark: &str| {
        let lines = failure.lines().map(str::trim).filter(|line| line.starts_with(mark));
        lines.map(without_clocks).collect::<Vec<_>>().join("\n")
    };
    let (amiss, differs) = (starting("meanwhile "), starting("- "));
    let key = if !amiss.is_empty() {
        amiss.clone()
    } else if !differs.is_empty() {
        let about = failure.split(": ").next().unwrap_or_default();
        format!("{about}\n{differs}")
    } else {
        failure.to_owned()
    };
    (amiss.lines().count(), key)
}

/// The line without what its clocks show: `tries again in 6 s` is the same as `tries again in 5 s`.
fn without_clocks(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_clock = |at: usize| at > 0 && words[at - 1] == "in" && words[at].parse::<f64>().is_ok();
    (0..words.len()).filter(|at| !is_clock(*at)).map(|at| words[at]).collect::<Vec<_>>().join(" ")
}

/// The text without a line that repeats the first one, and without its middle where it is long.
fn in_short(failure: &str) -> String {
    let first = failure.lines().next().unwrap_or_default();
    let repeats =
        |line: &str| line.trim().strip_prefix("seen:").is_some_and(|seen| first.ends_with(seen.trim()));
    let lines: Vec<&str> = failure.trim_end().lines().filter(|line| !repeats(line)).collect();
    if lines.len() <= LINES {
        return lines.join("\n");
    }
    let (head, rest) = lines.split_at(LINES - LAST_LINES - 1);
    let (cut, tail) = rest.split_at(rest.len() - LAST_LINES);
    format!("{}\n  … {} more lines in the reports\n{}", head.join("\n"), cut.len(), tail.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, sample};
    use crate::summary::{Look, render};
    use rstest::rstest;

    const PLAIN: Look = Look { width: 100, colors: false };

    fn failing(texts: &[String]) -> Record {
        let mut record = sample::failed();
        let failed = record.checks[0].clone();
        record.checks = texts
            .iter()
            .enumerate()
            .map(|(n, text)| Check {
                name: format!("policy::check {n}"),
                failure: Some(text.clone()),
                cause: None,
                ..failed.clone()
            })
            .collect();
        record
    }

    fn down(neighbor: &str, seconds: usize) -> String {
        format!(
            "tor0: {seconds} of 13 prefixes\n  expected: 13 prefixes\n  seen:     {seconds} of 13 prefixes\n  - 9 are lacking\n  \
             not so after 12 s (10 s first connect + 2 s margin)\n  meanwhile on tor0: {neighbor} is Active, tries again in {seconds} s\n"
        )
    }

    #[test]
    fn one_cause_is_told_once() {
        let mut texts: Vec<String> = vec!["tor1: no answer\n  - nothing answered\n".into()];
        texts.extend((0..8).map(|seconds| down("10.0.1.2", seconds)));
        texts.extend((0..2).map(|seconds| down("10.0.2.2", seconds)));
        insta::assert_snapshot!(render(&failing(&texts), None, PLAIN));
    }

    #[test]
    fn a_cause_that_the_record_names_is_told_once() {
        let mut record = failing(&["tor1: a".into(), "tor1: b".into(), "router0: c".into()]);
        for check in &mut record.checks[..2] {
            check.cause = Some("c1".into());
        }
        let text = render(&record, None, PLAIN);
        assert_eq!(text.matches("cause: nothing listens on 10.0.4.2:179").count(), 1, "{text}");
        assert!(text.contains("and 1 more for the same reason:\n               policy::check 1\n"), "{text}");
    }

    #[test]
    fn many_causes_are_told_briefly() {
        let texts: Vec<String> =
            (0..SHOWN + 3).map(|n| format!("tor{n}: no answer\n  - nothing answered")).collect();
        let text = render(&failing(&texts), None, PLAIN);
        assert_eq!(text.matches("nothing answered").count(), SHOWN);
        assert!(text.contains("FAIL policy::check 8\n             tor8: no answer\n"), "{text}");
    }

    #[rstest]
    #[case::clocks_differ(
        "tor0: a\n  meanwhile on tor0: x is Active, tries again in 6 s",
        "tor0: b\n meanwhile on tor0: x is Active, tries again in 5 s",
        true
    )]
    #[case::sessions_differ("meanwhile on tor0: x is Active", "meanwhile on tor0: y is Active", false)]
    #[case::seen_differs("tor0: 3 of 4\n - 1 lacks", "tor0: lacks one\n - 1 lacks", true)]
    #[case::subjects_differ("tor0: 3 of 4\n - 1 lacks", "tor1: 3 of 4\n - 1 lacks", false)]
    #[case::no_marks("the same", "the same", true)]
    #[case::no_marks_and_different("one", "another", false)]
    fn causes_are_told_apart(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(cause(one) == cause(other), same, "{:?}\n{:?}", cause(one), cause(other));
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        let hops: String = (1..=30).map(|hop| format!("  - seen {hop:>2}  no answer\n")).collect();
        let text =
            in_short(&format!("a to b: *\n  expected: b\n  seen:     *\n{hops}  written at lab.yaml:3:4\n"));
        assert_eq!(text.lines().count(), LINES);
        assert!(text.starts_with("a to b: *\n  expected: b\n  - seen  1"), "{text}");
        assert!(text.ends_with("  - seen 30  no answer\n  written at lab.yaml:3:4"), "{text}");
        assert!(text.contains("… 20 more lines"), "{text}");
    }
}
