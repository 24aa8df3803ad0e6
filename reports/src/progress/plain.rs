//! Progress as plain lines, each complete in itself: for logs, and for a terminal others print to as well.
//!
//! [`Lines`] turns events into lines and knows what is still under way; it does no output and reads no clock,
//! so it can be tested to the letter. Something that hangs must show in a log, so what takes long is told
//! again after 2 s, 4 s, 8 s, and so on: [`Lines::due`] says when.

use crate::progress::{Event, Paint};
use crate::record::Verdict;
use crate::text::{self, one_line};

/// After how long something under way is told of for the first time. Later times double.
const FIRST_TOLD_MS: f64 = 2_000.0;

/// How many different things a line about waiting checks names.
const NAMED: usize = 3;

/// Something that has started and not ended.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) name: String,
    /// The phase of a step; none for a check.
    pub(super) phase: Option<String>,
    pub(super) started_ms: f64,
    /// What a check waits for, once it said so.
    pub(super) waits_for: Option<String>,
    told_again_ms: f64,
}

/// Turns events into lines.
#[derive(Debug)]
pub(super) struct Lines {
    paint: Paint,
    /// Whether passed checks have lines; the test harness prints them when it shares the screen.
    every_check: bool,
    pub(super) running: Vec<Running>,
}

impl Lines {
    pub(super) fn new(paint: Paint, every_check: bool) -> Self {
        Self { paint, every_check, running: Vec::new() }
    }

    /// Takes an event and gives the line it makes, if it makes one.
    pub(super) fn event(&mut self, at_ms: f64, event: &Event) -> Option<String> {
        let paint = self.paint;
        match event {
            Event::StepStarted { name, phase } => {
                self.start(at_ms, name, Some(phase));
                None
            }
            Event::StepFinished { name, phase, duration_ms, detail, ok } => {
                self.end(name, Some(phase));
                let verb = if *ok { paint.good(pad("Done")) } else { paint.bad(pad("Failed")) };
                let detail =
                    if detail.is_empty() { String::new() } else { format!(": {}", one_line(detail)) };
                Some(timed(verb, *duration_ms, &format!("{}{detail}", step(paint, phase, name))))
            }
            Event::PhaseStarted { name, actions } => {
                let actions = if actions.is_empty() {
                    String::new()
                } else {
                    format!(": {}", one_line(&actions.join(", ")))
                };
                Some(format!("{} {}{actions}", paint.strong(pad("Phase")), paint.strong(one_line(name))))
            }
            Event::PhaseFinished { name, duration_ms, unreached_reason } => {
                let reason = unreached_reason.as_deref()?;
                let what = format!("{}: {}", paint.strong(one_line(name)), one_line(reason));
                Some(timed(paint.bad(pad("Unreached")), *duration_ms, &what))
            }
            Event::CheckStarted { name } => {
                self.start(at_ms, name, None);
                None
            }
            Event::CheckWaiting { name, what } => {
                let check = self.running.iter_mut().find(|r| r.name == *name && r.phase.is_none())?;
                check.waits_for = Some(one_line(what));
                None
            }
            Event::CheckFinished { name, verdict, duration_ms, headline } => {
                self.end(name, None);
                // What was not asked for is counted in the summary, not told line by line.
                let told = self.every_check && *verdict != Verdict::Skipped;
                told.then(|| check_line(paint, name, *verdict, *duration_ms, headline.as_deref()))
            }
            Event::Note { text } => Some(said(paint.strong(pad("Note")), text)),
            Event::Warning { text } => Some(said(paint.doubtful(pad("Warning")), text)),
            Event::RunFinished { .. } => {
                self.running.clear();
                None
            }
        }
    }

    /// When something that is under way is to be told of next, in milliseconds from the start of the run.
    pub(super) fn due(&self) -> Option<f64> {
        self.running.iter().map(|running| running.told_again_ms).reduce(f64::min)
    }

    /// The lines that are due: one for each step, one for all checks together.
    pub(super) fn overdue(&mut self, now_ms: f64) -> Vec<String> {
        let mut lines = Vec::new();
        let mut checks: Vec<Running> = Vec::new();
        for running in &mut self.running {
            if running.told_again_ms > now_ms {
                continue;
            }
            let elapsed = now_ms - running.started_ms;
            let mut next = running.told_again_ms - running.started_ms;
            while next <= elapsed {
                next *= 2.0;
            }
            running.told_again_ms = running.started_ms + next;
            match &running.phase {
                Some(phase) => {
                    let what = step(self.paint, phase, &running.name);
                    lines.push(timed(self.paint.doubtful(pad("Still at")), elapsed, &what));
                }
                None => checks.push(running.clone()),
            }
        }
        lines.extend(self.waiting_line(&checks, now_ms));
        lines
    }

    fn waiting_line(&self, checks: &[Running], now_ms: f64) -> Option<String> {
        let longest = checks.iter().map(|check| now_ms - check.started_ms).reduce(f64::max)?;
        let reasons = reasons(checks.iter());
        let mut what = reasons.iter().take(NAMED).copied().collect::<Vec<_>>().join("; ");
        if reasons.len() > NAMED {
            what += &format!("; and {} more", reasons.len() - NAMED);
        }
        let who = text::count(checks.len(), "check");
        Some(timed(self.paint.doubtful(pad("Waiting")), longest, &format!("{who}: {what}")))
    }

    fn start(&mut self, at_ms: f64, name: &str, phase: Option<&str>) {
        self.running.push(Running {
            name: name.to_owned(),
            phase: phase.map(str::to_owned),
            started_ms: at_ms,
            waits_for: None,
            told_again_ms: at_ms + FIRST_TOLD_MS,
        });
    }

    fn end(&mut self, name: &str, phase: Option<&str>) {
        let found = self.running.iter().position(|r| r.name == name && r.phase.as_deref() == phase);
        if let Some(found) = found {
            self.running.remove(found);
        }
    }
}

/// What some checks wait for, each thing once, in the order of the checks; the check's name where it did not say.
pub(super) fn reasons<'a>(checks: impl Iterator<Item = &'a Running>) -> Vec<&'a str> {
    let mut reasons: Vec<&str> = Vec::new();
    for check in checks {
        let reason = check.waits_for.as_deref().unwrap_or(&check.name);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    reasons
}

fn check_line(
    paint: Paint,
    name: &str,
    verdict: Verdict,
    duration_ms: f64,
    headline: Option<&str>,
) -> String {
    let verb = match verdict {
        Verdict::Passed => paint.good(pad("Pass")),
        Verdict::Failed => paint.bad(pad("FAIL")),
        Verdict::Skipped => paint.faint(pad("Skip")),
        Verdict::NotRun => paint.doubtful(pad("Not run")),
    };
    let headline = headline.map(|text| format!(": {}", one_line(text))).unwrap_or_default();
    timed(verb, duration_ms, &format!("{}{headline}", one_line(name)))
}

/// A step by its phase and its name.
pub(super) fn step(paint: Paint, phase: &str, name: &str) -> String {
    format!("{} {}", one_line(phase), paint.name(one_line(name)))
}

/// A text of the program's own, which may have lines.
fn said(verb: String, text: &str) -> String {
    format!("{verb} {}", text::clean(text).trim_end().replace('\n', &format!("\n{:13}", "")))
}

fn pad(verb: &str) -> String {
    format!("{verb:>12}")
}

fn timed(verb: String, ms: f64, what: &str) -> String {
    format!("{verb} [{:>10}] {what}", text::time(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(name: &str) -> Event {
        Event::StepStarted { name: name.into(), phase: "bring-up".into() }
    }

    fn step_done(name: &str, ok: bool) -> Event {
        let detail = if ok { "7 nodes" } else { "no such device" }.into();
        Event::StepFinished { name: name.into(), phase: "bring-up".into(), duration_ms: 80.0, detail, ok }
    }

    fn check(name: &str) -> Event {
        Event::CheckStarted { name: name.into() }
    }

    fn waiting(name: &str, what: &str) -> Event {
        Event::CheckWaiting { name: name.into(), what: what.into() }
    }

    fn verdict(name: &str, verdict: Verdict, headline: Option<&str>) -> Event {
        let headline = headline.map(str::to_owned);
        Event::CheckFinished { name: name.into(), verdict, duration_ms: 2_314.0, headline }
    }

    fn told(every_check: bool, events: &[Event]) -> String {
        let mut lines = Lines::new(Paint::new(false), every_check);
        events.iter().filter_map(|event| lines.event(0.0, event)).map(|line| line + "\n").collect()
    }

    fn a_run() -> Vec<Event> {
        vec![
            Event::Note { text: "cilium-bgp-lab on the twin, 7 nodes".into() },
            started("namespaces"),
            step_done("namespaces", true),
            started("links"),
            step_done("links", false),
            Event::Warning { text: "topo.yaml:12:5: `startup-delay` is not honoured".into() },
            Event::PhaseStarted { name: "policy".into(), actions: vec!["apply policies.yaml".into()] },
            check("policy::routes::router0"),
            waiting("policy::routes::router0", "router0: 9 of 12 routes"),
            verdict("policy::routes::router0", Verdict::Passed, None),
            verdict("policy::routes::tor0", Verdict::Failed, Some("9 of 12 prefixes after 9.4 s")),
            verdict("policy::routes::tor1", Verdict::Skipped, Some("filtered out")),
            verdict("workload::reach", Verdict::NotRun, Some("phase workload was not reached")),
            Event::PhaseFinished {
                name: "workload".into(),
                duration_ms: 4.0,
                unreached_reason: Some("no such kind `Podd`".into()),
            },
        ]
    }

    #[test]
    fn a_run_in_lines() {
        insta::assert_snapshot!(told(true, &a_run()));
    }

    #[test]
    fn beside_a_test_harness_checks_make_no_lines() {
        insta::assert_snapshot!(told(false, &a_run()));
    }

    #[test]
    fn no_text_moves_the_cursor() {
        let nasty = "\u{1b}[2J\ra\u{8}\nb";
        let events = [
            Event::Note { text: nasty.into() },
            Event::StepFinished {
                name: nasty.into(),
                phase: nasty.into(),
                duration_ms: 1.0,
                detail: nasty.into(),
                ok: true,
            },
            Event::PhaseStarted { name: nasty.into(), actions: vec![nasty.into()] },
            verdict(nasty, Verdict::Failed, Some(nasty)),
        ];
        assert!(!told(true, &events).contains(|c: char| c.is_control() && c != '\n'));
    }

    #[test]
    fn without_colours_there_are_no_escapes_and_with_them_there_are() {
        assert!(!told(true, &a_run()).contains('\u{1b}'));
        let mut lines = Lines::new(Paint::new(true), true);
        assert!(lines.event(0.0, &step_done("links", false)).unwrap().contains('\u{1b}'));
    }

    #[test]
    fn what_takes_long_is_told_again_ever_more_rarely() {
        let mut lines = Lines::new(Paint::new(false), false);
        assert_eq!(lines.due(), None);
        lines.event(1_000.0, &started("exec lines"));
        let mut told_at = vec![];
        while let Some(due) = lines.due().filter(|due| *due < 40_000.0) {
            assert_eq!(lines.overdue(due - 1.0).len(), 0);
            assert_eq!(lines.overdue(due).len(), 1);
            told_at.push(due);
        }
        assert_eq!(told_at, [3_000.0, 5_000.0, 9_000.0, 17_000.0, 33_000.0]);
        lines.event(40_000.0, &step_done("exec lines", true));
        assert_eq!(lines.due(), None);
    }

    #[test]
    fn waiting_checks_share_a_line() {
        let mut lines = Lines::new(Paint::new(false), false);
        for number in 0..6 {
            lines.event(0.0, &check(&format!("check {number}")));
            lines.event(0.0, &waiting(&format!("check {number}"), &format!("tor{}: Active", number / 2)));
        }
        lines.event(0.0, &check("check 6"));
        lines.event(0.0, &check("check 7"));
        assert_eq!(
            lines.overdue(2_500.0),
            ["     Waiting [    2.50 s] 8 checks: tor0: Active; tor1: Active; tor2: Active; and 2 more"]
        );
    }

    #[test]
    fn a_consumer_that_slept_tells_once() {
        let mut lines = Lines::new(Paint::new(false), false);
        lines.event(0.0, &started("exec lines"));
        assert_eq!(lines.overdue(100_000.0).len(), 1);
        assert_eq!(lines.due(), Some(128_000.0));
    }
}
