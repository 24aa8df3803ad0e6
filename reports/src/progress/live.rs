//! Progress on a terminal that is ours alone: lines at the bottom that change in place.
//!
//! What is over scrolls up as the same lines that [`plain`](super::plain) makes; what is under way stands
//! below them, with the time it has taken so far.

use std::fmt::Write;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, style::ProgressTracker};

use super::clock;
use super::plain::Lines;
use super::waiting::reasons;
use crate::progress::{Event, Paint, Progress};
use crate::text;

/// How many lines stand at the bottom at most; the rest is counted.
const ROWS: usize = 8;

/// Where what is waited for starts: below the spinner's clock there is too little room for a timer.
const BELOW: usize = 13;

/// How often they are drawn anew: often enough for a clock with tenths to look alive, rarely enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(100);

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// What the drawing thread and the events share.
#[derive(Debug)]
struct Screenful {
    lines: Lines,
    paint: Paint,
    /// A moment of both clocks: events count from the run's start, the terminal from this.
    known: (f64, Instant),
}

impl Screenful {
    fn now_ms(&self) -> f64 {
        self.known.0 + self.known.1.elapsed().as_secs_f64() * 1_000.0
    }
}

/// Live lines through indicatif.
pub(super) struct Live {
    screenful: Arc<Mutex<Screenful>>,
    bar: ProgressBar,
    ticking: Once,
}

impl Live {
    /// Draws on `target`. Nothing is drawn before the first event.
    pub(super) fn new(paint: Paint, target: ProgressDrawTarget) -> Self {
        let lines = Lines::new(paint, true, width());
        let screenful = Arc::new(Mutex::new(Screenful { lines, paint, known: (0.0, Instant::now()) }));
        let bar = ProgressBar::with_draw_target(None, target);
        let rows = Rows(Arc::clone(&screenful));
        // The template is ours and has one key: should it ever not parse, the default style draws something.
        if let Ok(style) = ProgressStyle::with_template("{rows}") {
            bar.set_style(style.with_key("rows", rows));
        }
        Self { screenful, bar, ticking: Once::new() }
    }
}

impl Progress for Live {
    fn event(&self, at_ms: f64, event: &Event) {
        if matches!(event, Event::Happened { .. }) {
            // No line comes of it, and its time may be past.
            return;
        }
        let line = {
            let mut screenful = self.screenful.lock().unwrap_or_else(PoisonError::into_inner);
            screenful.known = (at_ms, Instant::now());
            screenful.lines.width = width();
            screenful.lines.event(at_ms, event)
        };
        // Not under the lock: drawing takes it.
        if let Some(line) = line {
            self.bar.println(line);
        }
        match event {
            Event::RunFinished { .. } => self.bar.finish_and_clear(),
            // Once: each call would start another thread.
            _ => self.ticking.call_once(|| self.bar.enable_steady_tick(REDRAW)),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Writes the rows when indicatif draws.
struct Rows(Arc<Mutex<Screenful>>);

impl ProgressTracker for Rows {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(Self(Arc::clone(&self.0)))
    }

    fn tick(&mut self, _: &ProgressState, _: Instant) {}

    fn reset(&mut self, _: &ProgressState, _: Instant) {}

    fn write(&self, _: &ProgressState, out: &mut dyn Write) {
        let screenful = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = rows(&screenful.lines, screenful.paint, screenful.now_ms(), width());
        // Writing to indicatif's string cannot fail; a row that is not drawn is drawn 100 ms later.
        let _ = out.write_str(&rows.join("\n"));
    }
}

fn width() -> usize {
    console::Term::stderr().size_checked().map_or(80, |(_, columns)| usize::from(columns))
}

/// The rows for what is under way: one for each step, then one for all checks, and what they wait for below it.
fn rows(lines: &Lines, paint: Paint, now_ms: f64, width: usize) -> Vec<String> {
    let spinner = SPINNER[(now_ms.max(0.0) / 100.0) as usize % SPINNER.len()];
    let mut rows: Vec<String> = Vec::new();
    let row = |elapsed: f64, what: &str| {
        format!("{:>11}{} [{:>8}] {what}", "", paint.good(spinner), clock::running(elapsed))
    };
    for step in lines.running.iter().filter(|running| running.phase.is_some()) {
        rows.push(row(now_ms - step.started_ms, &paint.name(text::one_line(&step.name))));
    }
    let checks = || lines.running.iter().filter(|running| running.phase.is_none());
    if let Some(longest) = checks().map(|check| now_ms - check.started_ms).reduce(f64::max) {
        let over = lines.phase.as_ref().map_or(0, |phase| phase.over.asked_for());
        let phase =
            lines.phase.as_ref().map_or(String::new(), |phase| format!("{}: ", paint.name(&phase.name)));
        let total = text::count(over + checks().count(), "check");
        rows.push(row(longest, &format!("{phase}{over} of {total} done, waiting for")));
    }
    // One column short of the edge: some terminals wrap as soon as the last one is filled.
    let width = width.saturating_sub(1).max(1);
    for reason in reasons(checks(), now_ms) {
        let times = match reason.checks {
            1 => String::new(),
            number => format!(" ({})", text::count(number, "check")),
        };
        let room = width.saturating_sub(BELOW);
        let below = |text: &str, faint: &str| format!("{:BELOW$}{text}{}", "", paint.faint(faint));
        let whole = reason.fitted(usize::MAX);
        match &reason.due {
            _ if console::measure_text_width(&whole) + times.len() <= room => {
                rows.push(below(&whole, &times))
            }
            Some(_) if console::measure_text_width(&whole) <= room => rows.push(below(&whole, "")),
            // The timer is what changes: it has a row of its own where there is no room for it.
            Some(due) => rows.extend([below(&reason.text, &times), below(&format!("  {due}"), "")]),
            None => rows.push(below(&reason.text, &times)),
        }
    }
    if rows.len() > ROWS {
        let more = rows.len() - (ROWS - 1);
        rows.truncate(ROWS - 1);
        rows.push(paint.faint(format!("{:BELOW$}and {more} more", "")));
    }
    rows.iter().map(|row| console::truncate_str(row, width, "…").into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::{Due, Totals};
    use crate::record::{Outcome, Verdict};
    use indicatif::TermLike;
    use std::io;

    fn due() -> Option<Due> {
        Some(Due { what: "tor1 <-> 10.0.4.2 first connect".into(), at_ms: 5_400.0 })
    }

    fn under_way(checks: usize) -> Lines {
        let mut lines = Lines::new(Paint::new(false), true, 80);
        lines.event(0.0, &Event::StepStarted { name: "exec lines".into(), phase: "bring-up".into() });
        for number in 0..checks {
            let name = format!("check {number}");
            lines.event(100.0, &Event::CheckStarted { name: name.clone() });
            if number < 3 {
                lines.event(
                    200.0,
                    &Event::CheckWaiting { name, what: "router0: 9 of 12 routes".into(), due: due() },
                );
            }
        }
        lines
    }

    #[test]
    fn rows_say_what_is_waited_for() {
        let rows = rows(&under_way(4), Paint::new(false), 2_500.0, 80);
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn rows_fit_the_screen() {
        let rows = rows(&under_way(30), Paint::new(true), 2_500.0, 40);
        assert_eq!(rows.len(), ROWS);
        for row in &rows {
            assert!(console::measure_text_width(row) < 40, "{row:?}");
        }
        assert!(rows[ROWS - 1].contains("and 24 more"), "{}", rows[ROWS - 1]);
    }

    /// A terminal that keeps what is printed above the live rows, and knows whether rows are left.
    #[derive(Debug, Default, Clone)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)?;
            self.write_str("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_live_run_keeps_its_lines_and_stops_drawing_at_its_end() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
        let live = Live::new(Paint::new(false), target);
        live.event(0.0, &Event::CheckStarted { name: "a check".into() });
        live.event(
            1.0,
            &Event::CheckWaiting { name: "a check".into(), what: "tor0: Active".into(), due: None },
        );
        let verdict = Verdict::Failed;
        let headline = Some("tor0: Active".to_owned());
        live.event(
            2.0,
            &Event::CheckFinished {
                name: "a check".into(),
                verdict,
                duration_ms: 2.0,
                headline,
                cause: None,
            },
        );
        let totals = Totals::of([verdict]);
        live.event(
            3.0,
            &Event::RunFinished {
                outcome: Outcome::Failed,
                exit_code: 1,
                totals,
                duration_ms: 3.0,
                protocol_ms: 0.0,
            },
        );
        let text = screen.0.lock().unwrap().clone();
        assert!(text.contains("FAIL [    2 ms] a check"), "{text:?}");
        assert!(live.bar.is_finished());
    }
}
