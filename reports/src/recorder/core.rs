//! The recorder: one clock, one log, and what becomes of it at the end of the run.
//!
//! What has a start and an end is told through the guards of `guards`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::Value;

use super::guards::{CheckGuard, PhaseGuard, StepGuard, Subject, WaitFor, WaitGuard};
use crate::progress::{self, Event, Progress, Totals};
use crate::record::{
    self, Cause, Check, Content, Environment, Evidence, Failure, Happening, Lab, LeftOut, Moment, Outcome,
    Phase, Record, SCHEMA_VERSION, State, Step, Topology, Verdict,
};
use crate::times::{Interval, micros, protocol_within, split};

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

/// Something in the log, and whether it still goes on.
pub(super) struct Entry<T> {
    pub(super) item: T,
    pub(super) open: bool,
}

impl<T> Entry<T> {
    pub(super) fn open(item: T) -> Self {
        Self { item, open: true }
    }
}

/// A wait: from when, and until when if it is over.
pub(super) struct Wait {
    pub(super) what: String,
    pub(super) from_ms: f64,
    pub(super) to_ms: Option<f64>,
    pub(super) protocol: bool,
}

pub(super) struct Log {
    run: Run,
    error: Option<Failure>,
    interrupted: bool,
    finished: bool,
    warnings: Vec<String>,
    left_out: Vec<LeftOut>,
    pub(super) steps: Vec<Entry<Step>>,
    pub(super) phases: Vec<Entry<Phase>>,
    pub(super) checks: Vec<Entry<Check>>,
    pub(super) waits: Vec<Wait>,
    events: Vec<Moment>,
    states: Vec<State>,
    topology: Option<Topology>,
    bundle: Option<String>,
    pub(super) causes: Vec<Cause>,
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
        let log = self.log();
        let checks: Vec<Check> = log.checks.iter().map(|entry| check_at_end(entry, now)).collect();
        let phases: Vec<Phase> = log.phases.iter().map(|entry| phase_at_end(entry, now)).collect();
        log.outcome(&checks, &phases)
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

impl Log {
    fn record(&self, started: DateTime<Utc>, now: f64) -> Record {
        let checks: Vec<Check> = self.checks.iter().map(|entry| check_at_end(entry, now)).collect();
        let mut phases: Vec<Phase> = self.phases.iter().map(|entry| phase_at_end(entry, now)).collect();
        let outcome = self.outcome(&checks, &phases);
        let intervals = self.intervals(now);
        for phase in &mut phases {
            let (from, to) = (phase.started_ms, phase.started_ms + phase.duration_ms);
            phase.protocol_ms = protocol_within(&intervals, from, to);
        }
        let mut events = self.events.clone();
        events.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        let mut states = self.states.clone();
        states.sort_by(|a, b| a.ms.total_cmp(&b.ms));
        Record {
            schema_version: SCHEMA_VERSION,
            tool_version: self.run.tool_version.clone(),
            run_id: self.run.id.clone(),
            lab: self.run.lab.clone(),
            environment: self.run.environment.clone(),
            started,
            finished: record::at(started, now),
            duration_ms: now,
            outcome,
            exit_code: outcome.exit_code(),
            error: self.error.clone(),
            warnings: self.warnings.clone(),
            left_out: self.left_out.clone(),
            topology: self.topology.clone(),
            causes: self.causes(&checks),
            bundle: self.bundle.clone(),
            steps: self.steps.iter().map(|entry| step_at_end(entry, now)).collect(),
            phases,
            checks,
            events,
            states,
            times: split(&intervals, now),
        }
    }

    /// The causes, each with its victims in the record's order.
    fn causes(&self, checks: &[Check]) -> Vec<Cause> {
        let mut causes = self.causes.clone();
        for cause in &mut causes {
            let victims = checks.iter().filter(|check| check.cause.as_deref() == Some(&cause.id));
            cause.victims = victims.map(|check| check.name.clone()).collect();
        }
        causes
    }

    fn outcome(&self, checks: &[Check], phases: &[Phase]) -> Outcome {
        let any = |verdicts: &[Verdict]| checks.iter().any(|check| verdicts.contains(&check.verdict));
        if self.interrupted {
            Outcome::Interrupted
        } else if self.error.is_some() {
            Outcome::BringUpFailed
        } else if any(&[Verdict::Failed, Verdict::NotRun]) || phases.iter().any(|phase| !phase.reached) {
            Outcome::Failed
        } else if any(&[Verdict::Passed]) {
            Outcome::Passed
        } else {
            Outcome::NothingChecked
        }
    }

    /// The waits, and the steps as our own time.
    fn intervals(&self, now: f64) -> Vec<Interval> {
        let steps = self.steps.iter().map(|entry| {
            let Step { name, phase, started_ms, .. } = &entry.item;
            let to_ms = if entry.open { now } else { started_ms + entry.item.duration_ms };
            Interval { what: format!("{phase}: {name}"), from_ms: *started_ms, to_ms, protocol: false }
        });
        let waits = self.waits.iter().map(|wait| Interval {
            what: wait.what.clone(),
            from_ms: wait.from_ms,
            to_ms: wait.to_ms.unwrap_or(now),
            protocol: wait.protocol,
        });
        steps.chain(waits).collect()
    }
}

fn step_at_end(entry: &Entry<Step>, now: f64) -> Step {
    let mut step = entry.item.clone();
    if entry.open {
        step.duration_ms = since(step.started_ms, now);
        step.ok = false;
        let unfinished = "not finished when the run ended";
        step.detail =
            if step.detail.is_empty() { unfinished.into() } else { format!("{}; {unfinished}", step.detail) };
    }
    step
}

fn phase_at_end(entry: &Entry<Phase>, now: f64) -> Phase {
    let mut phase = entry.item.clone();
    if entry.open {
        phase.duration_ms = since(phase.started_ms, now);
    }
    phase
}

fn check_at_end(entry: &Entry<Check>, now: f64) -> Check {
    let mut check = entry.item.clone();
    if entry.open {
        check.duration_ms = since(check.started_ms, now);
        check.reason = Some("the run ended before the check had a verdict".into());
    }
    check
}

/// The length from a moment to now, without the tails of float subtraction.
pub(super) fn since(from_ms: f64, now_ms: f64) -> f64 {
    micros((now_ms - from_ms).max(0.0))
}
