//! Judging a phase: its checks side by side, and what broke while it did its work.
//!
//! What lives here: which checks run, and who is told what came of them. What does not: the order of phases (`engine`), one check's
//! life (`attempt`), the watch (`vigil`).

use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use fabric_harness::wait::Deadline;
use fabric_reports::record::Cause;
use tokio::task::JoinSet;

use super::super::attempt::{Awaited, Ended, attempt, judged};
use super::super::deadline as timers;
use super::super::prospects::Stillness;
use super::super::vigil::Vigil;
use super::{Engine, Outcome};
use crate::plan::{Action, CheckKind, PlannedCheck, PlannedPhase, Timers, deadline};

impl Engine {
    /// Begins to watch what may break in a phase; the checks of it cannot be judged where the phase did its work before we came.
    pub(super) async fn watch(
        &self,
        phase: &PlannedPhase,
        found: bool,
        wanted: &HashSet<String>,
    ) -> Option<Vigil> {
        let watched =
            |check: &&PlannedCheck| check.kind == CheckKind::Throughout && wanted.contains(&check.name);
        let checks: Vec<PlannedCheck> = phase.checks.iter().filter(watched).cloned().collect();
        if checks.is_empty() {
            return None;
        }
        if found || !self.acts {
            let why = "what the phase does was done before this run: nobody watched";
            for check in checks {
                self.guard(phase, &check).skip(why);
                self.tell(&check.name, Outcome::Skipped(why.to_owned()));
            }
            return None;
        }
        Some(Vigil::begin(&self.context, checks).await)
    }

    /// Judges what broke while a phase did its work.
    pub(super) async fn over(&self, phase: &PlannedPhase, vigil: Option<Vigil>, failed: &Failed) {
        let Some(vigil) = vigil else { return };
        let cause = failed.only_cause();
        for (check, spec, seen) in vigil.end(&self.context, failed.checks == 0).await {
            let ended = judged(&check, &spec, &seen, cause, self.guard(phase, &check));
            self.tell(&check.name, outcome(ended));
        }
    }

    /// The version of Cilium that runs in a phase, or in the one that was reached.
    fn cilium_in(&self, phase: &str) -> Option<String> {
        let at = self.plan.iter().position(|one| one.name == phase)?;
        let actions = self.plan[..=at].iter().flat_map(|phase| &phase.actions);
        let to = actions.rev().find_map(|action| match action {
            Action::Upgrade(upgrade) => Some(upgrade.to.clone()),
            _ => None,
        });
        to.or_else(|| self.cilium.clone())
    }

    /// Runs the checks of a phase: those that are wanted, and silently those that later phases stand on.
    pub(super) async fn judge(&self, phase: &PlannedPhase, wanted: &HashSet<String>) -> Failed {
        // The actions of the phase are done: from here on things are as they are, and one reading of a router serves all who ask.
        let since = Instant::now();
        let timers = self.timers(phase, since).await;
        let first_connect = timers.cilium.as_ref().map(|cilium| cilium.promises.first_connect.max);
        *self.context.awaited.lock().unwrap_or_else(PoisonError::into_inner) = Awaited::new(first_connect);
        self.still(&timers, since).await;
        self.context.expect_down(&phase.checks);
        let mut failed = Failed::default();
        let mut running = JoinSet::new();
        for check in phase.checks.iter().filter(|check| check.kind != CheckKind::Throughout) {
            let is_wanted = wanted.contains(&check.name);
            if !is_wanted && !settles(check.kind) {
                continue;
            }
            let budget: Deadline = deadline(phase, check, &timers);
            let guard = is_wanted.then(|| self.guard(phase, check));
            let (context, check) = (Arc::clone(&self.context), check.clone());
            running.spawn(async move {
                let ended = attempt(&context, &check, &budget, guard).await;
                (check.name, ended)
            });
        }
        while let Some(ended) = running.join_next().await {
            // A check that panicked has told the recorder; its teller is dropped, and that is noticed too.
            let Ok((name, ended)) = ended else { continue };
            if let Ended::Failed { cause, .. } = &ended {
                failed.checks += 1;
                failed.causes.extend(cause.as_deref().cloned());
                if !wanted.contains(&name) {
                    self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
                }
            }
            self.tell(&name, outcome(ended));
        }
        failed
    }

    /// The routers are all looked at, so that what moves on them is known.
    async fn still(&self, timers: &Timers, since: Instant) {
        let settling = Deadline::route_in_rib(timers.routers.values()).then(Deadline::fib_after_rib()).budget;
        let stillness = Stillness { since, settling };
        *self.context.stillness.lock().unwrap_or_else(PoisonError::into_inner) = stillness;
        if self.context.view.now().agents.is_some()
            && let Ok(client) = self.context.fabric.client().await
        {
            self.context.view.expect_policies(&client).await;
        }
    }

    async fn timers(&self, phase: &PlannedPhase, since: Instant) -> Timers {
        let routed = |check: &&PlannedCheck| matches!(check.kind, CheckKind::Sessions | CheckKind::Routes);
        let routers: HashSet<&str> =
            phase.checks.iter().filter(routed).map(|check| check.target.as_str()).collect();
        let routers: Vec<String> = routers.into_iter().map(str::to_owned).collect();
        let cilium = self.cilium_in(&phase.name);
        timers::read(&self.context.fabric, &routers, cilium.as_deref(), since).await
    }
}

/// The checks of a phase that failed, and why.
#[derive(Debug, Default)]
pub(super) struct Failed {
    checks: usize,
    causes: Vec<Cause>,
}

impl Failed {
    /// The cause of all of it, where there is but one.
    fn only_cause(&self) -> Option<&Cause> {
        let (first, rest) = self.causes.split_first()?;
        let same = |other: &Cause| {
            (&other.kind, &other.node, &other.about) == (&first.kind, &first.node, &first.about)
        };
        rest.iter().all(same).then_some(first)
    }
}

fn outcome(ended: Ended) -> Outcome {
    match ended {
        Ended::Passed => Outcome::Passed,
        Ended::Failed { text, .. } => Outcome::Failed(text),
    }
}

/// Whether what a check of this kind looks at must have settled before the next phase means anything.
fn settles(kind: CheckKind) -> bool {
    matches!(kind, CheckKind::Sessions | CheckKind::Routes | CheckKind::Nodes | CheckKind::Pods)
}
