//! Progress as plain lines, each complete in itself: for logs, and for a terminal others print to as well.
//!
//! [`Lines`] turns events into lines and knows what is still under way; it does no output and reads no clock,
//! so it can be tested to the letter. Something that hangs must show in a log, so what takes long is told
//! again after 2 s, 4 s, 8 s, and so on: [`Lines::due`] says when. Checks are told of together, and one that is done
//! has no line of its own unless it failed: a phase has a line with their number.

use super::clock::{brief, running};
use super::waiting;
use crate::progress::{Due, Event, Paint, Totals};
use crate::record::Verdict;
use crate::text::{self, one_line};

/// After how long something under way is told of for the first time. Later times double.
const FIRST_TOLD_MS: f64 = 2_000.0;

/// How many failures of a phase are told when they happen; all are in the summary.
const FAILURES: usize = 8;

/// Where what follows the clock starts: verb, clock, and the spaces between.
const INDENT: usize = 24;

/// Something that has started and not ended.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) name: String,
    /// The phase of a step; none for a check.
    pub(super) phase: Option<String>,
    pub(super) started_ms: f64,
    /// What a check waits for, once it said so.
    pub(super) waits_for: Option<String>,
    /// The timer that runs meanwhile.
    pub(super) due: Option<Due>,
    /// When a step is told of again. Checks have one time for all, in [`Lines`].
    pub(super) told_again_ms: f64,
}

/// The phase under way.
#[derive(Debug, Default)]
pub(super) struct Phase {
    pub(super) name: String,
    /// Its checks that are over.
    pub(super) over: Totals,
}

/// Turns events into lines.
#[derive(Debug)]
pub(super) struct Lines {
    paint: Paint,
    /// Whether what becomes of checks has lines. A test harness that shares the screen prints its own, in two parts
    /// each: a line that comes when checks end would stand in the middle of one.
    verdicts: bool,
    /// How many columns a line may have where it can be cut.
    pub(super) width: usize,
    pub(super) running: Vec<Running>,
    pub(super) phase: Option<Phase>,
    /// When checks began to run of which some still do, and when they are told of next.
    checks_told: Option<(f64, f64)>,
}

impl Lines {
    pub(super) fn new(paint: Paint, verdicts: bool, width: usize) -> Self {
        Self { paint, verdicts, width, running: Vec::new(), phase: None, checks_told: None }
    }

    /// Takes an event and gives the text it makes, if it makes one: a line, or a line and others that belong to it.
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
                let name = one_line(name);
                // The record has the whole name of a step that is as it should be.
                let name =
                    if *ok { console::truncate_str(&name, self.room(), "…") } else { name.as_str().into() };
                Some(timed(verb, *duration_ms, &name) + &self.parts(detail, *ok))
            }
            Event::PhaseStarted { name, .. } => {
                self.phase = Some(Phase { name: one_line(name), over: Totals::default() });
                Some(format!("{} {}", paint.strong(pad("Phase")), paint.strong(one_line(name))))
            }
            Event::PhaseFinished { name, duration_ms, unreached_reason } => {
                let over = self.phase.take().map(|phase| phase.over).unwrap_or_default();
                let name = one_line(name);
                match unreached_reason {
                    Some(reason) => {
                        let verb = paint.bad(pad("Unreached"));
                        Some(timed(verb, *duration_ms, &name) + &self.parts(reason, false))
                    }
                    None => self.phase_line(&name, over, *duration_ms),
                }
            }
            Event::CheckStarted { name } => {
                self.start(at_ms, name, None);
                self.checks_told.get_or_insert((at_ms, at_ms + FIRST_TOLD_MS));
                None
            }
            Event::CheckWaiting { name, what, due } => {
                let check = self.running.iter_mut().find(|r| r.name == *name && r.phase.is_none())?;
                check.waits_for = Some(one_line(what));
                check.due = due.as_ref().map(|due| Due { what: one_line(&due.what), at_ms: due.at_ms });
                None
            }
            Event::CheckFinished { name, verdict, duration_ms, headline, .. } => {
                self.end(name, None);
                if self.running.iter().all(|running| running.phase.is_some()) {
                    self.checks_told = None;
                }
                self.check_line(name, *verdict, *duration_ms, headline.as_deref())
            }
            // The record has it; the screen is for what is waited for.
            Event::RunStarted { .. } | Event::Happened { .. } => None,
            Event::Note { text } => Some(said(paint.strong(pad("Note")), text)),
            Event::Warning { text } => Some(said(paint.doubtful(pad("Warning")), unlabelled(text))),
            Event::RunFinished { .. } => {
                self.running.clear();
                self.checks_told = None;
                None
            }
        }
    }

    /// When something that is under way is to be told of next, in milliseconds from the start of the run.
    pub(super) fn due(&self) -> Option<f64> {
        let steps = self.running.iter().filter(|running| running.phase.is_some());
        let checks = self.checks_told.map(|(_, next)| next);
        steps.map(|step| step.told_again_ms).chain(checks).reduce(f64::min)
    }

    /// The lines that are due: one for each step, one for all checks together.
    pub(super) fn overdue(&mut self, now_ms: f64) -> Vec<String> {
        let mut lines = Vec::new();
        for running in &mut self.running {
            if running.phase.is_some() && running.told_again_ms <= now_ms {
                running.told_again_ms = next_time(running.started_ms, running.told_again_ms, now_ms);
                let verb = self.paint.doubtful(pad("Still at"));
                lines.push(clocked(verb, now_ms - running.started_ms, &one_line(&running.name)));
            }
        }
        if let Some((since, next)) = self.checks_told
            && next <= now_ms
        {
            self.checks_told = Some((since, next_time(since, next, now_ms)));
            let checks = self.running.iter().filter(|running| running.phase.is_none());
            let what = waiting::in_one_line(checks, now_ms, self.room());
            lines.push(clocked(self.paint.doubtful(pad("Waiting")), now_ms - since, &what));
        }
        lines
    }

    /// How many columns there are after the clock. One is left free: some terminals wrap as soon as it is filled.
    fn room(&self) -> usize {
        self.width.saturating_sub(INDENT + 1).max(20)
    }

    /// What a step came to: behind its name if that is a few words, else below it.
    fn parts(&self, detail: &str, ok: bool) -> String {
        let detail = text::clean(detail);
        let lines: Vec<&str> = detail.lines().filter(|line| !line.trim().is_empty()).collect();
        match lines.as_slice() {
            [] => String::new(),
            [one] if ok => self.paint.faint(format!(": {}", one.trim())),
            lines => lines.iter().map(|line| self.below(line, ok)).collect(),
        }
    }

    /// A line that belongs to the one above. An error is told whole.
    fn below(&self, line: &str, faint: bool) -> String {
        if faint {
            let line = console::truncate_str(line, self.room(), "…");
            format!("\n{:INDENT$}{}", "", self.paint.faint(line))
        } else {
            format!("\n{:INDENT$}{line}", "")
        }
    }

    fn check_line(
        &mut self,
        name: &str,
        verdict: Verdict,
        duration_ms: f64,
        headline: Option<&str>,
    ) -> Option<String> {
        let mut failed = 1;
        if let Some(phase) = &mut self.phase {
            phase.over.count(verdict);
            failed = phase.over.failed;
        }
        if verdict != Verdict::Failed || !self.verdicts || failed > FAILURES + 1 {
            return None;
        }
        if failed > FAILURES {
            let more = self.below("more checks fail; the summary has them all", true);
            return Some(more.trim_start_matches('\n').to_owned());
        }
        let line = timed(self.paint.bad(pad("FAIL")), duration_ms, &one_line(name));
        let why = headline.map(|text| self.below(&one_line(text), true)).unwrap_or_default();
        Some(line + &why)
    }

    /// The end of a phase; none when nothing of it was judged.
    fn phase_line(&self, name: &str, over: Totals, duration_ms: f64) -> Option<String> {
        // An interruption ends a phase before its checks: what is known of them is no result.
        let cut_off = self.running.iter().filter(|running| running.phase.is_none()).count();
        let asked_for = over.asked_for() + cut_off;
        if asked_for == 0 || !self.verdicts {
            return None;
        }
        let checks = text::count(asked_for, "check");
        let (verb, what) = match (over.failed, over.not_run) {
            (0, _) if cut_off > 0 => {
                (self.paint.doubtful(pad("Stopped")), format!("{} of {checks} passed so far", over.passed))
            }
            (0, 0) => (self.paint.good(pad("Pass")), format!("{checks} passed")),
            (0, not_run) => (self.paint.doubtful(pad("Not run")), format!("{not_run} of {checks} not run")),
            (failed, 0) => (self.paint.bad(pad("FAIL")), format!("{failed} of {checks} failed")),
            (failed, not_run) => {
                (self.paint.bad(pad("FAIL")), format!("{failed} of {checks} failed, {not_run} not run"))
            }
        };
        Some(timed(verb, duration_ms, &format!("{}: {what}", self.paint.strong(name))))
    }

    fn start(&mut self, at_ms: f64, name: &str, phase: Option<&str>) {
        self.running.push(Running {
            name: name.to_owned(),
            phase: phase.map(str::to_owned),
            started_ms: at_ms,
            waits_for: None,
            due: None,
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

/// The first of the doubling times after now.
fn next_time(started_ms: f64, told_ms: f64, now_ms: f64) -> f64 {
    let mut after = told_ms - started_ms;
    while after <= now_ms - started_ms {
        after *= 2.0;
    }
    started_ms + after
}

/// A warning without the word, which stands before it already.
pub(crate) fn unlabelled(warning: &str) -> &str {
    warning.strip_prefix("warning: ").unwrap_or(warning)
}

/// A text of the program's own, which may have lines.
fn said(verb: String, text: &str) -> String {
    format!("{verb} {}", text::clean(text).trim_end().replace('\n', &format!("\n{:13}", "")))
}

fn pad(verb: &str) -> String {
    format!("{verb:>12}")
}

/// A line about something that is over.
fn timed(verb: String, ms: f64, what: &str) -> String {
    format!("{verb} [{:>8}] {what}", brief(ms))
}

/// A line about something that goes on.
fn clocked(verb: String, ms: f64, what: &str) -> String {
    format!("{verb} [{:>8}] {what}", running(ms))
}

#[cfg(test)]
mod tests;
