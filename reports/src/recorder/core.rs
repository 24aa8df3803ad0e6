//! The recorder: one clock, one log, and what becomes of it at the end of the run.
//!
//! What has a start and an end is told through the guards of `guards`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::check::{CheckGuard, Subject};
use super::guards::{PhaseGuard, StepGuard, WaitFor, WaitGuard};
use super::log::{Entry, Log, Wait};
use crate::progress::{self, Event, Progress, Totals};
use crate::record::{
    self, Check, Content, Environment, Evidence, Failure, Happening, Lab, LeftOut, Moment, Outcome, Record,
    State, Topology, Verdict,
};

/// What is known of a run before it starts.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// The run's name; see [`new_run_id`](crate::record::new_run_id).
    pub id: String,
    /// The version of the program.
    pub tool_version: String,
    /// The lab.
    pub lab: Lab,
    /// Where it is brought up, as far as that is known; see [`Recorder::environment`].
    pub environment: Environment,
}

/// Collects what happens during a run, tells the progress consumer of it, and gives the record at the end.
///
/// It can be told things from any thread and at any time. All times come from one monotonic clock, which starts
/// when the recorder is made; the wall clock is read once, at the same moment.
///
/// ```
/// use std::sync::Arc;
/// use fabric_reports::progress::Silent;
/// use fabric_reports::recorder::{Run, Subject, WaitFor};
/// use fabric_reports::{Recorder, record};
///
/// let run = Run { id: record::new_run_id(), tool_version: "0.1.0".into(), ..Run::default() };
/// let recorder = Recorder::new(run, Arc::new(Silent));
/// let step = recorder.step("links", "bring-up");
/// step.detail("6 veth pairs");
/// step.done();
///
/// let check = recorder.check(Subject {
///     name: "policy::routes::router0::rib has the 12 prefixes".into(),
///     phase: "policy".into(),
///     kind: "routes".into(),
///     node: Some("router0".into()),
/// });
/// check.waiting(WaitFor::Protocol, "router0: 9 of 12 routes");
/// check.pass();
/// assert_eq!(recorder.finish().outcome, record::Outcome::Passed);
/// ```
pub struct Recorder {
    clock: Instant,
    started: DateTime<Utc>,
    progress: Arc<dyn Progress>,
    log: Mutex<Log>,
}

impl Recorder {
    /// Starts the clock of a run.
    pub fn new(run: Run, progress: Arc<dyn Progress>) -> Arc<Self> {
        let (clock, now) = (Instant::now(), SystemTime::now());
        let log = Log {
            run,
            error: None,
            interrupted: false,
            finished: false,
            warnings: Vec::new(),
            left_out: Vec::new(),
            steps: Vec::new(),
            phases: Vec::new(),
            checks: Vec::new(),
            waits: Vec::new(),
            events: Vec::new(),
            states: Vec::new(),
            topology: None,
            bundle: None,
            causes: Vec::new(),
        };
        let started = DateTime::<Utc>::from(now).trunc_subsecs(3);
        let Run { id, tool_version, lab, .. } = log.run.clone();
        let begun = Event::RunStarted {
            schema_version: progress::SCHEMA_VERSION,
            tool_version,
            run_id: id,
            lab,
            started,
        };
        progress.event(0.0, &begun);
        Arc::new(Self { clock, started, progress, log: Mutex::new(log) })
    }

    /// Now, in milliseconds from the start of the run.
    pub fn now_ms(&self) -> f64 {
        self.at_ms(Instant::now())
    }

    /// A moment in milliseconds from the start of the run; 0 for one before it.
    pub fn at_ms(&self, moment: Instant) -> f64 {
        record::milliseconds(moment.saturating_duration_since(self.clock))
    }

    /// Changes what is known of the environment: versions are often seen only once the fabric is up. The recorder
    /// is locked meanwhile, so the change must not call it.
    pub fn environment(&self, change: impl FnOnce(&mut Environment)) {
        change(&mut self.log().run.environment);
    }

    /// Starts a step of bringing the fabric up or down. The step ends with its guard.
    pub fn step(self: &Arc<Self>, name: impl Into<String>, phase: impl Into<String>) -> StepGuard {
        StepGuard::start(Arc::clone(self), name.into(), phase.into())
    }

    /// Starts a phase, before its actions. The phase ends with its guard.
    pub fn phase(self: &Arc<Self>, name: impl Into<String>, actions: Vec<String>) -> PhaseGuard {
        PhaseGuard::start(Arc::clone(self), name.into(), actions)
    }

    /// Starts a check. It ends with a verdict given to its guard.
    pub fn check(self: &Arc<Self>, subject: Subject) -> CheckGuard {
        CheckGuard::start(Arc::clone(self), subject)
    }

    /// Starts a wait that belongs to no check. It ends with its guard.
    pub fn wait(self: &Arc<Self>, what: impl Into<String>, on: WaitFor) -> WaitGuard {
        WaitGuard::start(Arc::clone(self), what.into(), on)
    }

    /// Keeps a wait that is over already: somebody else saw its beginning and its end.
    pub fn waited(&self, what: impl Into<String>, on: WaitFor, from: Instant, to: Instant) {
        let (from_ms, to_ms) = (self.at_ms(from), self.at_ms(to));
        let protocol = on == WaitFor::Protocol;
        self.log().waits.push(Wait { what: what.into(), from_ms, to_ms: Some(to_ms), protocol });
    }

    /// Tells of something that happened on the fabric just now.
    pub fn event(&self, source: impl Into<String>, what: impl Into<String>) {
        self.event_at(Instant::now(), source, what);
    }

    /// Tells of something that happened on the fabric at a moment; events may come out of order.
    pub fn event_at(&self, moment: Instant, source: impl Into<String>, what: impl Into<String>) {
        let ms = self.at_ms(moment);
        self.moment(Moment { ms, source: source.into(), what: what.into(), of: None });
    }

    /// The same, of something that programs know, too.
    pub fn happened(
        &self,
        moment: Instant,
        source: impl Into<String>,
        what: impl Into<String>,
        of: Happening,
    ) {
        let ms = self.at_ms(moment);
        self.moment(Moment { ms, source: source.into(), what: what.into(), of: Some(of) });
    }

    /// Keeps an event, and tells it to whoever follows the run.
    pub(super) fn moment(&self, moment: Moment) {
        let Moment { ms, source, what, of } = moment.clone();
        let over = {
            let mut log = self.log();
            log.events.push(moment);
            log.finished
        };
        // The end of the run is the last that is told.
        if !over {
            self.tell(ms, Event::Happened { source, what, of });
        }
    }

    /// Says what the fabric is made of; the last one said is kept.
    pub fn topology(&self, topology: Topology) {
        self.log().topology = Some(topology);
    }

    /// Says which archive belongs to the record, by its name beside it.
    pub fn bundle(&self, name: impl Into<String>) {
        self.log().bundle = Some(name.into());
    }

    /// Keeps what a node looks like now; `when` names the occasion, such as `end of phase policy`.
    pub fn state(
        &self,
        when: impl Into<String>,
        node: impl Into<String>,
        kind: impl Into<String>,
        json: Value,
    ) {
        let ms = self.now_ms();
        self.log().states.push(State { ms, when: when.into(), node: node.into(), kind: kind.into(), json });
    }

    /// Evidence taken now, to be given to a check.
    pub fn evidence(&self, title: impl Into<String>, command: Option<String>, content: Content) -> Evidence {
        Evidence { title: title.into(), command, content, taken_ms: self.now_ms() }
    }

    /// Tells the user something. It is not kept in the record.
    pub fn note(&self, text: impl Into<String>) {
        self.tell(self.now_ms(), Event::Note { text: text.into() });
    }

    /// Warns the user, and keeps the warning in the record.
    pub fn warning(&self, text: impl Into<String>) {
        let text = text.into();
        self.log().warnings.push(text.clone());
        self.tell(self.now_ms(), Event::Warning { text });
    }

    /// A phase is not gone through, for this reason: a sentence without its end.
    pub fn left_out(&self, phase: impl Into<String>, why: impl Into<String>) {
        self.log().left_out.push(LeftOut { phase: phase.into(), why: why.into() });
    }

    /// The fabric could not be brought up: in which step or phase, and everything there is to say.
    pub fn bring_up_failed(&self, phase: impl Into<String>, text: impl Into<String>) {
        self.log().error = Some(Failure { phase: phase.into(), text: text.into() });
    }

    /// How the run stands: what its outcome would be if it ended now.
    pub fn outcome(&self) -> Outcome {
        let now = self.now_ms();
        self.log().outcome_at(now)
    }

    /// Whether a check has failed so far, or something could not be brought up.
    pub fn has_failures(&self) -> bool {
        let log = self.log();
        log.error.is_some() || log.checks.iter().any(|entry| entry.item.verdict == Verdict::Failed)
    }

    /// Somebody stopped the run. Said before what goes on is dropped: what ends from now on was not finished.
    pub fn interrupted(&self) {
        self.log().interrupted = true;
    }

    /// Whether somebody stopped the run.
    pub(super) fn is_interrupted(&self) -> bool {
        self.log().interrupted
    }

    /// Puts down, of the checks that were asked for, those that were never begun: not run, for this reason. The user is
    /// told how many they are at the end, not of each.
    pub fn never_begun(&self, asked_for: impl IntoIterator<Item = Subject>, reason: &str) {
        let now = self.now_ms();
        let mut log = self.log();
        let begun: HashSet<String> = log.checks.iter().map(|entry| entry.item.name.clone()).collect();
        for subject in asked_for.into_iter().filter(|subject| !begun.contains(&subject.name)) {
            let check = Check { reason: Some(reason.to_owned()), ..subject.not_run(now) };
            log.checks.push(Entry { item: check, open: false });
        }
    }

    /// Ends the run and gives its record.
    ///
    /// What is still open ends now: steps as not finished, checks as not run. So this also works when a run is
    /// cut short. A later call gives the record again, with what was told in between.
    pub fn finish(&self) -> Record {
        let now = self.now_ms();
        let (record, first) = {
            let mut log = self.log();
            let first = !std::mem::replace(&mut log.finished, true);
            (log.record(self.started, now), first)
        };
        if first {
            let totals = Totals::of_record(&record);
            let (outcome, exit_code, protocol_ms) =
                (record.outcome, record.exit_code, record.times.protocol_ms);
            self.tell(now, Event::RunFinished { outcome, exit_code, totals, duration_ms: now, protocol_ms });
        }
        record
    }

    /// The log. A thread that panicked while it held it left it whole: every change is one push or assignment.
    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the progress consumer. Never with the log locked: the consumer may be slow.
    pub(super) fn tell(&self, at_ms: f64, event: Event) {
        self.progress.event(at_ms, &event);
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("started", &self.started).finish_non_exhaustive()
    }
}
