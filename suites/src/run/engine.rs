//! Phases in order: what each does, then its checks, all at once.
//!
//! What lives here: the order, and who is told what. What does not: one check's life (`attempt`), one look (`observe`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fabric_harness::fabric::Fabric;
use fabric_harness::lab::Step;
use fabric_reports::Recorder;
use fabric_reports::recorder::{CheckGuard, Subject};
use tokio::sync::{Semaphore, oneshot};

use super::actions::{ActionError, Actor, describe};
use super::atlas::Atlas;
use super::ladder::{Facts, Kept};
use super::observe::Context;
use super::probes::Probes;
use super::still;
use super::story::Story;
use super::view::View;
use super::vigil::Moments;
use crate::checks::RibFact;
use crate::plan::{Action, CheckKind, CheckSpec, PlannedCheck, PlannedPhase};

mod judge;

/// How a check ended, for whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it should be.
    Passed,
    /// It is not; the text says why.
    Failed(String),
    /// It cannot be asked of this fabric any more; the text says why.
    Skipped(String),
}

/// How long after its last word a killed process may take to be gone; the system does it in milliseconds, if it has time.
const ENDING: Duration = Duration::from_secs(1);

/// The checks that are wanted, each with whom to tell.
pub type Selection = BTreeMap<String, oneshot::Sender<Outcome>>;

/// Runs a plan on a fabric.
pub struct Engine {
    context: Arc<Context>,
    actor: Actor,
    plan: Vec<PlannedPhase>,
    recorder: Arc<Recorder>,
    selection: Mutex<Selection>,
    /// What later phases stand on and was waited for in vain, by the names of its checks.
    unsettled: Mutex<Vec<String>>,
    cilium: Option<String>,
    /// Phases before this one have been done already: the fabric was found in it.
    first: usize,
    /// The phase the fabric was found in has had its actions; only its checks are to be run again.
    found: bool,
    /// Whether the phases' actions are done; if not, they have been done by somebody else.
    acts: bool,
}

impl Engine {
    /// An engine for a fabric that has reached `reached` (nothing, when it has just been started).
    pub fn new(
        fabric: Arc<Fabric>,
        plan: Vec<PlannedPhase>,
        recorder: Arc<Recorder>,
        selection: Selection,
        cilium: Option<String>,
        reached: Option<&str>,
    ) -> Self {
        let found = reached.and_then(|reached| plan.iter().position(|phase| phase.name == reached));
        let story = Story::new(Arc::clone(&recorder), found.is_some() || fabric.found().is_some());
        let view = View::new(&fabric, Some(Arc::clone(&story)));
        let probes = Probes::new(Arc::clone(&fabric), Arc::clone(&story));
        let context = Arc::new(Context {
            fabric,
            view,
            lines: Mutex::default(),
            probes,
            story,
            awaited: Mutex::default(),
            losses: Mutex::default(),
            stillness: Mutex::default(),
            ladders: Kept::default(),
            daemons: Kept::default(),
            looks: Semaphore::new(4),
            down: Mutex::default(),
            settled: Mutex::default(),
            moments: Moments::default(),
            facts: Facts::default(),
        });
        let actor = Actor::new(Arc::clone(&context), Arc::clone(&recorder), found.is_none());
        Self {
            context,
            actor,
            plan,
            recorder,
            selection: Mutex::new(selection),
            unsettled: Mutex::default(),
            cilium,
            first: found.unwrap_or(0),
            found: found.is_some(),
            acts: true,
        }
    }

    /// The same, judging only: what the phases do has been done already.
    #[must_use]
    pub fn only_judging(self) -> Self {
        Self { acts: false, ..self }
    }

    /// The checks that nobody asked for, that later phases stand on, and that did not come to pass.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let mut names = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        names.sort();
        names
    }

    /// What has a name now.
    pub(super) fn atlas(&self) -> Arc<Atlas> {
        self.context.view.now()
    }

    fn wanted(&self) -> HashSet<String> {
        self.selection.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn tell(&self, check: &str, outcome: Outcome) {
        let teller = self.selection.lock().unwrap_or_else(PoisonError::into_inner).remove(check);
        if let Some(teller) = teller {
            // Who no longer listens has been told by other means.
            let _ = teller.send(outcome);
        }
    }

    /// Whether an action failed because the keeper has gone. Connections to a killed keeper end a moment before it does, so
    /// which of the two is noticed first is chance.
    async fn lost(&self, error: &ActionError) -> bool {
        let told_by_it = !matches!(error, ActionError::Command { .. });
        told_by_it && tokio::time::timeout(ENDING, self.context.fabric.gone()).await.is_ok()
    }

    /// Runs what is wanted, and of the rest what it stands on. Returns when the last wanted check has its outcome; never,
    /// if the keeper goes: whoever waits for this waits for [`Fabric::gone`], too.
    pub async fn run(&self) {
        let wanted = self.wanted();
        let needed =
            self.plan.iter().rposition(|phase| phase.checks.iter().any(|check| wanted.contains(&check.name)));
        let Some(last) = needed else { return };
        self.context.story.begin(&self.context.fabric, &self.context.view).await;
        self.skip_the_past(&wanted);
        let mut unreached: Option<String> = None;
        // A reading of a router since then is one between two phases: the end of the one and the start of the other.
        let mut between = Instant::now();
        for (number, phase) in self.plan.iter().enumerate().take(last + 1).skip(self.first) {
            if let Some(why) = &unreached {
                self.fail_all(phase, &wanted, why);
                continue;
            }
            let actions = phase.actions.iter().filter(|action| self.is_to_do(action));
            let guard = self.recorder.phase(&phase.name, actions.map(describe).collect());
            let found = self.found && number == self.first;
            let vigil = self.watch(phase, found, &wanted).await;
            match self.act(phase, found, between).await {
                Ok(()) => {
                    let failed = self.judge(phase, &wanted).await;
                    self.over(phase, vigil, &failed).await;
                    between = still::still(&self.context, &whole_tables(phase)).await;
                    let when = format!("end of phase {}", phase.name);
                    self.context.story.keep(&self.context, &when, between).await;
                    guard.done();
                }
                Err(error) if self.lost(&error).await => std::future::pending().await,
                Err(error) => {
                    let why = format!("the phase {} could not be reached: {error}", phase.name);
                    self.recorder.bring_up_failed(&phase.name, error.to_string());
                    let when = format!("failure of phase {}", phase.name);
                    self.context.story.keep(&self.context, &when, Instant::now()).await;
                    guard.unreached(error.to_string());
                    self.fail_all(phase, &wanted, &why);
                    unreached = Some(why);
                }
            }
        }
        self.context.story.rest();
    }

    /// Goes through the phases up to the last one named, waiting in each for what later phases stand on; judges
    /// nothing.
    ///
    /// # Errors
    /// When an action of a phase does not work.
    pub async fn walk(&self, last: &str) -> Result<(), ActionError> {
        let through =
            self.plan.iter().position(|phase| phase.name == last).map_or(self.plan.len(), |at| at + 1);
        for phase in self.plan.iter().take(through) {
            let guard = self.recorder.phase(&phase.name, Vec::new());
            self.act(phase, false, Instant::now()).await?;
            self.judge(phase, &HashSet::new()).await;
            guard.done();
        }
        Ok(())
    }

    /// What the checks of a run share.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// Does what a phase does, and waits in it for what its checks say that later phases stand on.
    pub(super) async fn act_of(&self, number: usize) -> Result<(), ActionError> {
        let Some(phase) = self.plan.get(number) else { return Ok(()) };
        self.act(phase, false, Instant::now()).await?;
        self.judge(phase, &HashSet::new()).await;
        Ok(())
    }

    /// Brings up everything a lab without phases has.
    ///
    /// # Errors
    /// When a step does not work.
    pub async fn everything(&self, cluster: bool, cilium: bool) -> Result<(), ActionError> {
        let wanted = [(Step::Cluster, cluster), (Step::Underlay, true), (Step::Cni, cluster && cilium)];
        for (step, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            let guard = self.recorder.step(format!("bring up the {}", step.as_str()), step.as_str());
            match self.context.fabric.step(step, |_| {}).await {
                Ok(report) => {
                    for line in report.exec.iter().filter(|line| line.code != 0) {
                        self.recorder.warning(format!(
                            "{}: `{}` ended with code {}: {}",
                            line.at,
                            line.line,
                            line.code,
                            line.stderr.trim()
                        ));
                    }
                    guard.done();
                }
                Err(error) => {
                    guard.fail(error.to_string());
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// The checks of phases that the fabric has left behind cannot be run on it any more.
    fn skip_the_past(&self, wanted: &HashSet<String>) {
        for phase in self.plan.iter().take(self.first) {
            let now = self.plan.get(self.first).map(|phase| phase.name.as_str()).unwrap_or_default();
            let why = format!("the fabric has left the phase {} behind: it is in {now}", phase.name);
            for check in phase.checks.iter().filter(|check| wanted.contains(&check.name)) {
                self.guard(phase, check).skip(why.clone());
                self.tell(&check.name, Outcome::Skipped(why.clone()));
            }
        }
    }

    fn guard(&self, phase: &PlannedPhase, check: &PlannedCheck) -> CheckGuard {
        self.recorder.check(subject(phase, check))
    }

    fn fail_all(&self, phase: &PlannedPhase, wanted: &HashSet<String>, why: &str) {
        for check in phase.checks.iter().filter(|check| wanted.contains(&check.name)) {
            self.guard(phase, check).not_run(why);
            self.tell(&check.name, Outcome::Failed(why.to_owned()));
        }
    }

    async fn act(&self, phase: &PlannedPhase, found: bool, between: Instant) -> Result<(), ActionError> {
        if found {
            // What was lost before we came is not this phase's doing: the counts must be read now.
            for router in self.routers() {
                let _ = self.context.fabric.observer(&router).await;
            }
        }
        self.context.begin_phase(between).await;
        for action in &phase.actions {
            // A fabric that was found in this phase has had its actions; bringing up can be asked for again.
            if self.is_to_do(action) && (!found || matches!(action, Action::Up(_))) {
                self.actor.act(&phase.name, action).await?;
            }
        }
        if found {
            self.catch_up(phase).await?;
        }
        self.follow().await;
        self.watch_routers(phase).await;
        self.context.fabric.reached(&phase.name).await?;
        Ok(())
    }

    /// Whether an action is ours to do: what others brought up is not brought up again.
    fn is_to_do(&self, action: &Action) -> bool {
        self.acts && !(matches!(action, Action::Up(_)) && self.context.fabric.found().is_some())
    }

    /// What bringing up said before we came.
    async fn catch_up(&self, phase: &PlannedPhase) -> Result<(), ActionError> {
        for earlier in self.plan.iter().take(self.first + 1).filter(|earlier| earlier.name != phase.name) {
            for action in earlier.actions.iter().filter(|action| matches!(action, Action::Up(_))) {
                self.actor.act(&earlier.name, action).await?;
            }
        }
        Ok(())
    }

    /// Follows what has come to be followed: boxes at the start, the cluster once it answers.
    pub(super) async fn follow(&self) {
        let Context { fabric, view, .. } = self.context.as_ref();
        if view.now().interfaces.is_empty() {
            let mut boxes: Vec<String> =
                fabric.topology().nodes.iter().map(|node| node.name.clone()).collect();
            boxes.extend(
                fabric.cluster().iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.clone()),
            );
            view.follow_boxes(fabric, boxes).await;
        }
        if view.now().nodes.is_none()
            && let Ok(client) = fabric.client().await
        {
            view.follow_cluster(&client);
        }
        if self.cilium.is_some() && view.now().agents.is_none() {
            view.follow_agents(fabric).await;
        }
    }

    /// Watches the routers for the record, once they have been brought up.
    async fn watch_routers(&self, phase: &PlannedPhase) {
        let up = |phase: &PlannedPhase| {
            phase.actions.iter().any(|action| matches!(action, Action::Up(Step::Underlay)))
        };
        let at = self.plan.iter().position(|one| one.name == phase.name).unwrap_or(0);
        // Each look at what others brought up may start a program there: only what checks look at is looked at.
        if self.context.fabric.found().is_none() && self.plan[..=at].iter().any(up) {
            self.context.story.watch(&self.context.fabric).await;
        }
    }

    /// Every router that a check of the plan looks at.
    fn routers(&self) -> BTreeSet<String> {
        let checks = self.plan.iter().flat_map(|phase| &phase.checks);
        let routed = checks.filter(|check| matches!(check.kind, CheckKind::Sessions | CheckKind::Routes));
        routed.map(|check| check.target.clone()).collect()
    }
}

/// The routers of which a phase judges the whole BGP table.
fn whole_tables(phase: &PlannedPhase) -> BTreeSet<&str> {
    let whole = |check: &&PlannedCheck| matches!(&check.spec, CheckSpec::Rib(spec) if matches!(spec.fact, RibFact::Exactly { .. }));
    phase.checks.iter().filter(whole).map(|check| check.target.as_str()).collect()
}

/// What a check is about, for the record.
pub(super) fn subject(phase: &PlannedPhase, check: &PlannedCheck) -> Subject {
    Subject {
        name: check.name.clone(),
        phase: phase.name.clone(),
        kind: check.kind.word().to_owned(),
        node: Some(check.target.clone()),
    }
}
