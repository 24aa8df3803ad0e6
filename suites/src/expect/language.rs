//! `expect:` of a phase: the whole of it.
//!
//! What lives here: the keys that stand directly under `expect:`. What does not: each group, which has its own file.

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node};

use super::interfaces::{self, BoxInterfaces};
use super::nodes::{self, NodesExpect, PodExpect};
use super::patience::Patience;
use super::reach::{PathsExpect, ReachExpect};
use super::routes::{self, RouterRoutes};
use super::sessions::{self, RouterSessions};
use super::throughout::ThroughoutExpect;

/// Everything that must be true at the end of a phase.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expect {
    /// Where it begins.
    pub at: Location,
    /// The nodes of the cluster.
    pub nodes: Option<NodesExpect>,
    /// Pods.
    pub pods: Vec<PodExpect>,
    /// Interfaces, box by box.
    pub interfaces: Vec<BoxInterfaces>,
    /// BGP sessions, router by router.
    pub sessions: Vec<RouterSessions>,
    /// Routing tables, router by router.
    pub routes: Vec<RouterRoutes>,
    /// Who reaches whom.
    pub reach: Vec<ReachExpect>,
    /// Which way packets take.
    pub paths: Vec<PathsExpect>,
    /// How much may break on the way there.
    pub throughout: Option<ThroughoutExpect>,
    /// `within` and `holds` of the phase.
    pub patience: Patience,
}

impl FromTree for Expect {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let before = ctx.len();
        let mut fields = Fields::of(node, "`expect` of a phase", ctx)?;
        let expect = Self {
            at: node.at.clone(),
            nodes: fields.optional("nodes", ctx),
            pods: fields.node("pods").map(|node| nodes::read_pods(node, ctx)).unwrap_or_default(),
            interfaces: fields
                .node("interfaces")
                .map(|node| interfaces::read_all(node, ctx))
                .unwrap_or_default(),
            sessions: fields.node("sessions").map(|node| sessions::read_all(node, ctx)).unwrap_or_default(),
            routes: fields.node("routes").map(|node| routes::read_all(node, ctx)).unwrap_or_default(),
            reach: fields.optional("reach", ctx).unwrap_or_default(),
            paths: fields.optional("paths", ctx).unwrap_or_default(),
            throughout: fields.optional("throughout", ctx),
            patience: Patience::read(&mut fields, ctx),
        };
        fields.finish(ctx);
        // A group that was read only in part must not pass for the whole.
        (ctx.len() == before).then_some(expect)
    }
}
