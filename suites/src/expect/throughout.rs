//! `throughout:` of a phase: how much may break while its actions are done, and until the rest of it is judged.
//!
//! What lives here: the budgets. What does not: which flows, prefixes and sessions they hold for (`plan`).

use std::time::Duration;

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node};

/// Budgets of a phase. What is not given is not watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThroughoutExpect {
    /// For how long in all each flow may be without answers (`loss: 0ms`): those that `reach` declares in this phase and before.
    pub loss: Option<Duration>,
    /// For how long in all each prefix may be absent from each router's BGP table (`absent: 3s`).
    pub absent: Option<Duration>,
    /// For how long in all each session of each router may be down (`down: 3s`).
    pub down: Option<Duration>,
    /// Where it is written.
    pub at: Location,
}

impl FromTree for ThroughoutExpect {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`throughout`", ctx)?;
        let before = ctx.len();
        let budgets = Self {
            loss: fields.optional("loss", ctx),
            absent: fields.optional("absent", ctx),
            down: fields.optional("down", ctx),
            at: node.at.clone(),
        };
        fields.finish(ctx);
        let none = budgets.loss.is_none() && budgets.absent.is_none() && budgets.down.is_none();
        if none && ctx.len() == before {
            ctx.error(&node.at, "`throughout` without a budget watches nothing")
                .help("write `throughout: { loss: 0ms, absent: 3s, down: 3s }`, or some of these");
        }
        (ctx.len() == before).then_some(budgets)
    }
}
