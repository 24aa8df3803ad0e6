//! The consumer that writes to standard error: live where it can, plain lines elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::ProgressDrawTarget;

use super::live::Live;
use super::plain::Lines;
use crate::progress::{Event, Paint, Progress};

/// The columns of text where there is no terminal.
pub(crate) const NO_TERMINAL: usize = 100;

/// The columns of a line of a log: it may be longer than text, since it is read across and not down.
const LOG: usize = 120;

/// Who else writes to the terminal during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Nobody. On a terminal, what is under way is shown in place.
    Ours,
    /// A test harness, which prints a line per check on standard output. Nothing is drawn in place, since the
    /// harness cannot know of it: also not when standard output is a pipe, for that often ends on the same
    /// terminal (`cargo test | tee log`). What becomes of checks makes no lines here; the harness prints it.
    Shared,
}

/// A consumer on standard error. Colours appear as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
pub fn on_stderr(screen: Screen) -> Arc<dyn Progress> {
    let paint = Paint::for_stderr();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if screen == Screen::Ours && std::io::stderr().is_terminal() && !dumb {
        return Arc::new(Live::new(paint, ProgressDrawTarget::stderr()));
    }
    let width = console::Term::stderr().size_checked().map_or(LOG, |(_, columns)| usize::from(columns));
    let lines = Lines::new(paint, screen == Screen::Ours, width);
    Arc::new(Plain::new(lines, std::io::stderr()))
}

/// A consumer that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: f64, _: &Event) {}
}

/// What the events and the thread that watches the clock share.
struct Shared<W> {
    state: Mutex<State<W>>,
    changed: Condvar,
}

struct State<W> {
    lines: Lines,
    out: W,
    /// A moment of both clocks: events count from the run's start, the thread from this.
    known: (f64, Instant),
    over: bool,
}

impl<W> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write> State<W> {
    /// One write per line, so that lines of several writers do not mix. A log that cannot be written to must
    /// not fail the run: the record has everything.
    fn print(&mut self, line: &str) {
        let _ = self.out.write_all(format!("{line}\n").as_bytes());
        let _ = self.out.flush();
    }
}

/// Plain lines, and a thread that sleeps until something under way has taken long enough to be told of.
struct Plain<W: Write + Send + 'static> {
    shared: Arc<Shared<W>>,
    watcher: Option<JoinHandle<()>>,
}

impl<W: Write + Send + 'static> Plain<W> {
    fn new(lines: Lines, out: W) -> Self {
        let state = State { lines, out, known: (0.0, Instant::now()), over: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let watched = Arc::clone(&shared);
        // Without the thread lines still come, only not those about what takes long.
        let watcher = std::thread::Builder::new().name("progress".into()).spawn(move || watch(&watched)).ok();
        Self { shared, watcher }
    }
}

impl<W: Write + Send + 'static> Progress for Plain<W> {
    fn event(&self, at_ms: f64, event: &Event) {
        if matches!(event, Event::Happened { .. }) {
            // No line comes of it, and its time may be past.
            return;
        }
        let mut state = self.shared.lock();
        state.known = (at_ms, Instant::now());
        if let Some(line) = state.lines.event(at_ms, event) {
            state.print(&line);
        }
        state.over |= matches!(event, Event::RunFinished { .. });
        self.shared.changed.notify_one();
    }
}

impl<W: Write + Send + 'static> Drop for Plain<W> {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_one();
        if let Some(watcher) = self.watcher.take() {
            // It only panics when a writer does, and then there is nobody left to tell.
            let _ = watcher.join();
        }
    }
}

fn watch<W: Write>(shared: &Shared<W>) {
    let mut state = shared.lock();
    while !state.over {
        let now_ms = state.known.0 + state.known.1.elapsed().as_secs_f64() * 1_000.0;
        state = match state.lines.due() {
            None => shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(due) if due > now_ms => {
                let rest = Duration::from_secs_f64((due - now_ms) / 1_000.0);
                shared.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
            }
            Some(_) => {
                for line in state.lines.overdue(now_ms) {
                    state.print(&line);
                }
                state
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A writer that passes each write on, to see lines as they are written.
    struct Wire(Sender<String>);

    impl Write for Wire {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn plain() -> (Plain<Wire>, Receiver<String>) {
        let (sender, receiver) = channel();
        (Plain::new(Lines::new(Paint::new(false), true, 100), Wire(sender)), receiver)
    }

    fn done(name: &str) -> Event {
        let (name, phase, detail) = (name.into(), "start".into(), String::new());
        Event::StepFinished { name, phase, duration_ms: 3.0, detail, ok: true }
    }

    #[test]
    fn a_line_is_one_write() {
        let (plain, lines) = plain();
        plain.event(0.0, &done("a step"));
        assert_eq!(lines.recv().unwrap(), "        Done [    3 ms] a step\n");
        drop(plain);
        assert!(lines.recv().is_err(), "the thread still holds the writer");
    }

    #[test]
    fn what_takes_long_is_told_without_another_event() {
        let (plain, lines) = plain();
        plain.event(0.0, &Event::CheckStarted { name: "a check".into() });
        // As if this came 1.99 s into the run: the line is due 10 ms later.
        let what = "router0: 9 of 12 routes".to_owned();
        plain.event(1_990.0, &Event::CheckWaiting { name: "a check".into(), what, due: None });
        let line = lines.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(line.contains("Waiting") && line.ends_with("1 check: router0: 9 of 12 routes\n"), "{line}");
    }

    #[test]
    fn lines_of_many_threads_do_not_mix() {
        let (plain, lines) = plain();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let plain = &plain;
                scope.spawn(move || {
                    for number in 0..50 {
                        plain.event(0.0, &done(&format!("step {thread}.{number}")));
                    }
                });
            }
        });
        drop(plain);
        let lines: Vec<String> = lines.iter().collect();
        assert_eq!(lines.len(), 200);
        assert!(lines.iter().all(|line| line.matches('\n').count() == 1 && line.contains("Done")));
    }
}
