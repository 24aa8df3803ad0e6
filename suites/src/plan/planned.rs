//! What a plan is made of: phases, and in each of them checks with names.

use std::fmt;
use std::time::Duration;

use fabric_harness::lab::yaml::Location;
use serde::{Deserialize, Serialize};

use crate::checks::{
    AgreeOn, AgreeSpec, FibSpec, InterfaceSpec, LinesSpec, NodeSpec, PathSpec, PodSpec, ReachSpec, RibSpec,
    SessionSpec, ThroughoutSpec,
};
use crate::expect::Patience;

/// One expectation made into one test.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCheck {
    /// The name, unique in the plan and the same in every run: `underlay::sessions::router0::net0 is external (eBGP)`.
    pub name: String,
    /// What kind of thing it looks at: the second part of the name.
    pub kind: CheckKind,
    /// Whom it looks at: a router, a node, a pod, or the cluster.
    pub target: String,
    /// All that is needed to judge.
    pub spec: CheckSpec,
    /// The deadline, where the user set one.
    pub within: Option<Duration>,
    /// For this long it must stay true once it is.
    pub holds: Option<Duration>,
    /// Where it is written.
    pub at: Location,
}

/// The kinds of checks, in the order in which a fabric comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// The `exec:` lines of the topology.
    Lines,
    /// Interfaces and addresses.
    Interfaces,
    /// Nodes of the cluster.
    Nodes,
    /// BGP sessions.
    Sessions,
    /// Routing tables: BGP's and the kernel's.
    Routes,
    /// Pods.
    Pods,
    /// Whether packets arrive.
    Reach,
    /// Which way they take.
    Paths,
    /// What broke while the phase did its work.
    Throughout,
}

impl CheckKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Lines,
        Self::Interfaces,
        Self::Nodes,
        Self::Sessions,
        Self::Routes,
        Self::Pods,
        Self::Reach,
        Self::Paths,
        Self::Throughout,
    ];

    /// The word in names of checks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Interfaces => "interfaces",
            Self::Nodes => "nodes",
            Self::Sessions => "sessions",
            Self::Routes => "routes",
            Self::Pods => "pods",
            Self::Reach => "reach",
            Self::Paths => "paths",
            Self::Throughout => "throughout",
        }
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// All that is needed to observe and judge: see the function of the same name in [`crate::checks`].
#[derive(Debug, Clone, PartialEq)]
pub enum CheckSpec {
    /// [`crate::checks::judge_lines`].
    Lines(LinesSpec),
    /// [`crate::checks::judge_interface`].
    Interface(InterfaceSpec),
    /// [`crate::checks::judge_nodes`].
    Nodes(NodeSpec),
    /// [`crate::checks::judge_session`].
    Session(SessionSpec),
    /// [`crate::checks::judge_rib`].
    Rib(RibSpec),
    /// [`crate::checks::judge_fib`].
    Fib(FibSpec),
    /// [`crate::checks::judge_pod`].
    Pod(PodSpec),
    /// [`crate::checks::judge_reach`].
    Reach(ReachSpec),
    /// [`crate::checks::judge_path`].
    Path(PathSpec),
    /// [`crate::checks::judge_pings_agree`] or [`crate::checks::judge_traces_agree`].
    Agree(AgreeSpec),
    /// [`crate::checks::judge_throughout`].
    Throughout(ThroughoutSpec),
}

impl CheckSpec {
    /// The kind it belongs to.
    pub fn kind(&self) -> CheckKind {
        match self {
            Self::Lines(_) => CheckKind::Lines,
            Self::Interface(_) => CheckKind::Interfaces,
            Self::Nodes(_) => CheckKind::Nodes,
            Self::Session(_) => CheckKind::Sessions,
            Self::Rib(_) | Self::Fib(_) => CheckKind::Routes,
            Self::Pod(_) => CheckKind::Pods,
            Self::Reach(_) | Self::Agree(AgreeSpec { on: AgreeOn::Ping { .. }, .. }) => CheckKind::Reach,
            Self::Path(_) | Self::Agree(AgreeSpec { on: AgreeOn::Trace { .. }, .. }) => CheckKind::Paths,
            Self::Throughout(_) => CheckKind::Throughout,
        }
    }
}

/// The checks of one phase while they are being made.
#[derive(Debug)]
pub(super) struct Sheet<'p> {
    phase: &'p str,
    outer: Patience,
    pub(super) checks: Vec<PlannedCheck>,
}

impl<'p> Sheet<'p> {
    pub(super) fn new(phase: &'p str, outer: Patience) -> Self {
        Self { phase, outer, checks: Vec::new() }
    }

    /// Adds a check whose statement is about a target: `phase::kind::target::statement`.
    pub(super) fn about(
        &mut self,
        target: &str,
        statement: impl fmt::Display,
        spec: CheckSpec,
        patience: Patience,
        at: &Location,
    ) {
        self.add(target, format!("{target}::{statement}"), spec, patience, at);
    }

    /// Adds a check whose statement names its target itself: `phase::kind::statement`.
    pub(super) fn plain(
        &mut self,
        target: &str,
        statement: impl fmt::Display,
        spec: CheckSpec,
        patience: Patience,
        at: &Location,
    ) {
        self.add(target, statement.to_string(), spec, patience, at);
    }

    fn add(&mut self, target: &str, rest: String, spec: CheckSpec, patience: Patience, at: &Location) {
        let kind = spec.kind();
        let base = format!("{}::{kind}::{rest}", self.phase);
        // Two expectations can say the same of the same thing (a path that is written twice, say).
        let name = (1..)
            .map(|n| if n == 1 { base.clone() } else { format!("{base} ({n})") })
            .find(|name| self.checks.iter().all(|check| check.name != *name))
            .unwrap_or(base);
        let patience = patience.or(self.outer);
        self.checks.push(PlannedCheck {
            name,
            kind,
            target: target.to_owned(),
            spec,
            within: patience.within,
            holds: patience.holds,
            at: at.clone(),
        });
    }
}
