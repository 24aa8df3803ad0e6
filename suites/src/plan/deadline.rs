//! By when a check must have come true: the user's `within`, or what the timers behind it add up to.
//!
//! What lives here: which wait a check stands at the end of. What does not: how long each timer runs
//! (`harness::wait`), and reading the timers off a fabric.

use std::collections::BTreeMap;
use std::time::Duration;

use fabric_harness::lab::{Manifest, Step};
use fabric_harness::wait::{CiliumEnd, Deadline, DownCause, FrrEnd};

use super::phases::{Action, PlannedPhase};
use super::planned::{CheckSpec, PlannedCheck};
use crate::checks::{SessionFact, SessionSpec};

/// The timers of a fabric, as far as they are known when a phase begins.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    /// Cilium's end of its sessions; `None` in a lab without Cilium.
    pub cilium: Option<CiliumEnd>,
    /// Each router's end, by its name in the topology. A router that is not here counts as FRR's traditional profile.
    pub routers: BTreeMap<String, FrrEnd>,
    /// What pulling a pod's image may take; zero where images are there.
    pub image: Duration,
}

impl Timers {
    /// The two routers with the longest connect retry: no session between routers waits longer than theirs.
    fn slowest_pair(&self) -> (FrrEnd, FrrEnd) {
        let mut ends: Vec<&FrrEnd> = self.routers.values().collect();
        ends.sort_by_key(|end| std::cmp::Reverse(end.connect_retry));
        match ends.as_slice() {
            [] => (FrrEnd::traditional(), FrrEnd::traditional()),
            [one] => ((*one).clone(), (*one).clone()),
            [one, other, ..] => ((*one).clone(), (*other).clone()),
        }
    }

    /// The hold time after which a router notices that a Cilium fell silent. The ToRs that peer with it are the ones
    /// with the short timers.
    fn shortest_hold(&self) -> Duration {
        let holds = self.routers.values().map(|end| end.hold).filter(|hold| !hold.is_zero());
        holds.min().unwrap_or(FrrEnd::traditional().hold)
    }
}

/// The deadline of a check, counted from the end of its phase's actions.
pub fn deadline(phase: &PlannedPhase, check: &PlannedCheck, timers: &Timers) -> Deadline {
    if let Some(within) = check.within {
        return Deadline::within(within);
    }
    let at_once = || Deadline::default().margin();
    match &check.spec {
        CheckSpec::Lines(_) | CheckSpec::Interface(_) | CheckSpec::Throughout(_) => at_once(),
        CheckSpec::Nodes(_) => Deadline::node_ready(),
        CheckSpec::Pod(_) => Deadline::pod_running(timers.image),
        CheckSpec::Session(SessionSpec::Of {
            fact: SessionFact::Received { .. } | SessionFact::Sent { .. },
            ..
        })
        | CheckSpec::Rib(_) => in_rib(phase, timers),
        CheckSpec::Session(_) => sessions_settled(phase, timers),
        CheckSpec::Fib(_) => in_rib(phase, timers).then(Deadline::fib_after_rib()),
        CheckSpec::Reach(_) | CheckSpec::Path(_) | CheckSpec::Agree(_) => {
            let pods =
                if starts_pods(phase) { Deadline::pod_running(timers.image) } else { Deadline::default() };
            pods.then(in_rib(phase, timers))
                .then(Deadline::fib_after_rib())
                .then(Deadline::packets_after_fib())
        }
    }
}

fn in_rib(phase: &PlannedPhase, timers: &Timers) -> Deadline {
    let mut announced = Deadline::default();
    if changes_services(phase) {
        // A node may announce a Service only once it has an endpoint.
        if starts_pods(phase) {
            announced = Deadline::pod_running(timers.image);
        }
        announced = announced.then(Deadline::service_announced());
    }
    announced.then(sessions_settled(phase, timers)).then(Deadline::route_in_rib(timers.routers.values()))
}

/// Until the sessions are as the phase's actions make them: the longest of what any of the actions sets going.
fn sessions_settled(phase: &PlannedPhase, timers: &Timers) -> Deadline {
    let each = phase.actions.iter().map(|action| settled_after(action, timers));
    each.max_by_key(|deadline| deadline.budget).unwrap_or_else(|| Deadline::default().margin())
}

fn settled_after(action: &Action, timers: &Timers) -> Deadline {
    let (slow, slower) = timers.slowest_pair();
    let tor = timers.routers.values().min_by_key(|end| end.hold).cloned().unwrap_or_else(FrrEnd::traditional);
    let between_routers = || Deadline::unnumbered_session_up(&slow, &slower);
    let down = || {
        let silence = DownCause::Silence { hold: timers.shortest_hold() };
        Deadline::session_down(silence).unwrap_or_else(|| Deadline::default().margin())
    };
    match (action, &timers.cilium) {
        (Action::Up(Step::Underlay), _) => between_routers(),
        (Action::Apply(objects), Some(cilium)) if change_bgp(objects) => Deadline::session_back(cilium, &tor),
        (Action::Delete(objects), Some(_)) if change_bgp(objects) => down(),
        // A node that changes its labels can leave one policy and come under another.
        (Action::Label(_), Some(cilium)) => down().then(Deadline::session_back(cilium, &tor)),
        // What its agents do anew is what a policy that is applied makes them do.
        (Action::Upgrade(_), Some(cilium)) => down().then(Deadline::session_back(cilium, &tor)),
        (Action::Run(_), Some(cilium)) => down().then(Deadline::session_back(cilium, &tor)),
        (Action::Run(_), None) => down().then(between_routers()),
        _ => Deadline::default().margin(),
    }
}

fn change_bgp(objects: &[Manifest]) -> bool {
    objects.iter().any(|object| object.kind.starts_with("CiliumBGP"))
}

fn changes_services(phase: &PlannedPhase) -> bool {
    phase.actions.iter().any(|action| match action {
        Action::Apply(objects) | Action::Delete(objects) => objects
            .iter()
            .any(|object| matches!(object.kind.as_str(), "Service" | "CiliumLoadBalancerIPPool")),
        _ => false,
    })
}

fn starts_pods(phase: &PlannedPhase) -> bool {
    const KINDS: [&str; 6] = ["Pod", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Job"];
    phase.actions.iter().any(|action| match action {
        Action::Apply(objects) => objects.iter().any(|object| KINDS.contains(&object.kind.as_str())),
        _ => false,
    })
}
