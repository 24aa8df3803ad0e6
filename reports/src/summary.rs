//! The end of a run as text for a terminal: what passed, where the time went, what failed and what to type next.
//!
//! What lives here: the page and its parts. What does not: which failures are told together (`summary/failures`),
//! and why (`summary/causes`), the table (`summary/table`).

use std::io::Write;

use crate::progress::{NO_TERMINAL, Paint, Totals, brief, unlabelled};
use crate::record::{Cluster, Environment, Kind, LeftOut, Outcome, Record, Runtime, Verdict};
use crate::reports::Written;
use crate::text::{self, one_line};

mod causes;
mod failures;
mod table;

/// Where texts start: below the name of the thing they are about.
const INDENT: usize = 13;

/// How the summary is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// How many columns there are. Text is wrapped to them; commands are not, so that they can be copied.
    pub width: usize,
    /// Whether to use colours.
    pub colors: bool,
}

impl Look {
    /// As a file holds it.
    pub const PLAIN: Self = Self { width: NO_TERMINAL, colors: false };

    /// As standard output can show it.
    pub fn of_stdout() -> Self {
        let width =
            console::Term::stdout().size_checked().map_or(NO_TERMINAL, |(_, columns)| usize::from(columns));
        Self { width, colors: Paint::for_stdout().is_on() }
    }

    /// As standard error can show it: its width, or 100 columns where it is no terminal; colours as NO_COLOR,
    /// CLICOLOR, CLICOLOR_FORCE and TERM say.
    pub fn of_stderr() -> Self {
        let width =
            console::Term::stderr().size_checked().map_or(NO_TERMINAL, |(_, columns)| usize::from(columns));
        Self { width, colors: Paint::for_stderr().is_on() }
    }
}

/// Prints the summary on standard error. That it cannot be printed is no error: the reports are written.
pub fn print(record: &Record, written: Option<&Written>) {
    let text = render(record, written, Look::of_stderr());
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The summary, ending in a line feed.
pub fn render(record: &Record, written: Option<&Written>, look: Look) -> String {
    let width = look.width.clamp(52, 200);
    let page = Page { record, width, paint: Paint::new(look.colors) };
    let mut blocks = vec![page.headline()];
    blocks.extend(page.phases());
    blocks.extend(page.error());
    blocks.extend(page.why());
    blocks.extend(page.failures());
    blocks.extend(page.not_run());
    blocks.extend(page.left_out());
    blocks.push(page.ending(written));
    let rule = page.paint.faint("─".repeat(width));
    format!("{rule}\n{}", blocks.join("\n"))
}

struct Page<'a> {
    record: &'a Record,
    width: usize,
    paint: Paint,
}

impl Page<'_> {
    fn headline(&self) -> String {
        let Self { record, paint, .. } = *self;
        let outcome = record.outcome.words();
        let outcome = match record.outcome {
            Outcome::Passed => paint.good(outcome),
            Outcome::NothingChecked | Outcome::Interrupted => paint.doubtful(outcome),
            Outcome::Failed | Outcome::BringUpFailed => paint.bad(outcome),
        };
        let first = format!(
            "{} the run {outcome}: {} on {}",
            paint.strong("     Summary"),
            paint.strong(one_line(&record.lab.name)),
            place(&record.environment)
        );
        let totals = Totals::of_record(record);
        let mut counts =
            vec![format!("{} of {} passed", totals.passed, text::count(totals.asked_for(), "check"))];
        for (number, what) in
            [(totals.failed, "failed"), (totals.not_run, "not run"), (totals.skipped, "skipped")]
        {
            if number > 0 {
                counts.push(format!("{number} {what}"));
            }
        }
        format!("{first}\n{}{}", self.wrapped(&counts.join(", ")), self.wrapped(&self.times()))
    }

    /// How long it took, and whose time that was.
    fn times(&self) -> String {
        let times = &self.record.times;
        let total = brief(times.total_ms);
        if times.protocol_ms == 0.0 {
            return format!("{total}, all of it our own work");
        }
        let own = brief(times.own_ms);
        let line = format!(
            "{total}: {} of FRR's and GoBGP's timers, {own} of our own work",
            brief(times.protocol_ms)
        );
        match times.most_of_own() {
            Some(part) => format!(
                "{line}, most of it to {} ({})",
                one_line(part.what.trim_start_matches("start: ")),
                brief(part.ms)
            ),
            None => line,
        }
    }

    fn error(&self) -> Option<String> {
        let error = self.record.error.as_ref()?;
        let title =
            format!("{} {}\n", self.paint.bad("      FAILED"), self.paint.strong(one_line(&error.phase)));
        Some(title + &self.wrapped(&error.text))
    }

    /// Checks that were not run, by reason: each reason once.
    fn not_run(&self) -> Option<String> {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for check in self.record.checks.iter().filter(|check| check.verdict == Verdict::NotRun) {
            let reason = check.reason.as_deref().unwrap_or("no reason was recorded");
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, number)) => *number += 1,
                None => reasons.push((reason, 1)),
            }
        }
        let blocks: Vec<String> = reasons
            .iter()
            .map(|(reason, number)| {
                let title = self.paint.doubtful("     Not run");
                format!("{title} {}\n{}", text::count(*number, "check"), self.wrapped(reason))
            })
            .collect();
        (!blocks.is_empty()).then(|| blocks.join("\n"))
    }

    /// Where the reports are, what was warned of, and what a pass here does not say.
    fn ending(&self, written: Option<&Written>) -> String {
        let mut block = String::new();
        for warning in &self.record.warnings {
            block += &self.titled(&self.paint.doubtful("     Warning"), &in_short(warning));
        }
        let notes = &self.record.environment.notes;
        let limit = match notes.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            notes => {
                let number = notes.len();
                Some(format!("{number} things are not modelled: see Limits in README.md"))
            }
        };
        if let Some(limit) = limit {
            block += &self.titled(&self.paint.faint("       Limit"), &limit);
        }
        if let Some(written) = written {
            let title = self.paint.strong("     Reports");
            block += &format!("{title} {}\n", written.page.display());
            block += &format!("{:INDENT$}{}\n", "", written.record.display());
            block += &format!("{:INDENT$}{}\n", "", written.junit.display());
        }
        block
    }

    /// The phases that were not gone through, each with its reason.
    fn left_out(&self) -> Option<String> {
        let line = |one: &LeftOut| {
            let text = format!("{}: {}", one_line(&one.phase), one_line(&one.why));
            self.titled(&self.paint.doubtful("    Left out"), &text)
        };
        let lines: String = self.record.left_out.iter().map(line).collect();
        (!lines.is_empty()).then_some(lines)
    }

    fn titled(&self, title: &str, text: &str) -> String {
        format!("{title} {}\n", self.wrapped(text).trim())
    }

    /// The text at the indent, wrapped between words where a line is too long; its own line breaks and the
    /// indents of its lines stay.
    fn wrapped(&self, text: &str) -> String {
        let room = self.width.saturating_sub(INDENT);
        let mut out = String::new();
        for line in text::clean(text).trim_end().lines() {
            for row in rows(line, room) {
                out += format!("{:INDENT$}{row}", "").trim_end();
                out.push('\n');
            }
        }
        out
    }
}

/// A line in rows of at most `room` columns. A line that fits stays as it is, for it may be of a table; in one
/// that does not, rows break between words and keep the line's own indent. A longer word has a row to itself.
fn rows(line: &str, room: usize) -> Vec<String> {
    let width = console::measure_text_width;
    if width(line) <= room {
        return vec![line.to_owned()];
    }
    let indent = " ".repeat((line.len() - line.trim_start().len()).min(room / 2));
    let mut rows: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        match rows.last_mut() {
            Some(row) if width(row) + 1 + width(word) <= room => *row += &format!(" {word}"),
            _ => rows.push(format!("{indent}{word}")),
        }
    }
    rows
}

/// A warning in one line: what it says and where, without the lines of the file that it quotes and points at.
fn in_short(warning: &str) -> String {
    let mut lines = unlabelled(warning).lines();
    let said = lines.next().unwrap_or_default();
    match lines.find_map(|line| line.trim_start().strip_prefix("--> ")) {
        Some(place) => format!("{place}: {said}"),
        None => unlabelled(warning).to_owned(),
    }
}

/// Where a fabric lives, in a few words; what the environment's name says already is left out.
fn place(environment: &Environment) -> String {
    let mut place = match environment.env {
        Kind::Twin => "the twin",
        Kind::Lab => "containers and a cluster made for it",
        Kind::Attach => "what was running",
    }
    .to_owned();
    match (environment.env, environment.runtime) {
        (Kind::Twin, Runtime::Docker) => place += " in Docker",
        (Kind::Lab, Runtime::Netns) => place += ", routers in namespaces",
        _ => {}
    }
    match (environment.env, environment.cluster) {
        (Kind::Twin, Cluster::Kind) => place += " with kind",
        (_, Cluster::None) => place += ", no cluster",
        _ => {}
    }
    if environment.rootless {
        place += ", rootless";
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::path::PathBuf;

    const PLAIN: Look = Look { width: 100, colors: false };

    fn written() -> Written {
        Written {
            dir: PathBuf::from("target/fabric/latest"),
            record: PathBuf::from("target/fabric/latest/record.json"),
            junit: PathBuf::from("target/fabric/latest/junit.xml"),
            page: PathBuf::from("target/fabric/latest/report.html"),
        }
    }

    #[rstest]
    #[case::passed("passed", sample::passed())]
    #[case::failed("failed", sample::failed())]
    #[case::bring_up_failed("bring_up_failed", sample::bring_up_failed())]
    fn runs_end_readably(#[case] name: &str, #[case] record: Record) {
        insta::assert_snapshot!(format!("summary_{name}"), render(&record, Some(&written()), PLAIN));
    }

    #[test]
    fn a_narrow_terminal_has_it_all() {
        insta::assert_snapshot!(render(&sample::failed(), None, Look { width: 60, colors: false }));
    }

    #[rstest]
    #[case("a thing is odd", "a thing is odd")]
    #[case(
        "warning: a thing is odd\n  --> topo.yaml:12:5\n   |\n12 | odd: 5",
        "topo.yaml:12:5: a thing is odd"
    )]
    #[case("warning: two lines\nof text", "two lines\nof text")]
    fn warnings_are_repeated_in_short(#[case] warning: &str, #[case] expected: &str) {
        assert_eq!(in_short(warning), expected);
    }

    #[test]
    fn nothing_a_router_says_reaches_the_terminal_as_a_command() {
        let mut record = sample::failed();
        record.checks[0].failure = Some("\u{1b}]0;title\u{7} \u{1b}[2Jgone\u{8}".into());
        record.checks[0].name = "\u{1b}[2Jcheck".into();
        record.lab.name = "\u{1b}[2Jlab".into();
        let text = render(&record, None, PLAIN);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn colours_change_no_letter() {
        let colored = render(&sample::failed(), None, Look { colors: true, ..PLAIN });
        assert!(colored.contains('\u{1b}'));
        assert_eq!(
            anstream::adapter::strip_str(&colored).to_string(),
            render(&sample::failed(), None, PLAIN)
        );
    }

    #[rstest]
    #[case("a table   of columns", 40, &["a table   of columns"])]
    #[case("  one two three four", 12, &["  one two", "  three four"])]
    #[case("averyverylongword b", 10, &["averyverylongword", "b"])]
    #[case("", 10, &[""])]
    fn lines_break_between_words(#[case] line: &str, #[case] room: usize, #[case] expected: &[&str]) {
        assert_eq!(rows(line, room), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_record_breaks_it(text: String, width in 0usize..300, ms in any::<f64>()) {
            let mut record = sample::failed();
            record.checks[0].failure = Some(text.clone());
            record.checks[0].name = text.clone();
            record.phases[0].name = text.clone();
            record.phases[0].duration_ms = ms;
            record.warnings = vec![text.clone()];
            record.checks[0].next_command = Some(text.clone());
            record.environment.notes = vec![text];
            let page = render(&record, None, Look { width, colors: false });
            prop_assert!(page.ends_with('\n'));
        }
    }
}
