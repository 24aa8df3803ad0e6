//! Judgement: what was wanted against what was seen. Pure functions, one file per kind of check.
//!
//! What lives here: no I/O, no waiting, no names of tests. Observing is the runner's business, and so is asking again.

mod agree;
mod attributes;
mod connect;
mod fib;
mod flows;
mod interfaces;
mod lines;
mod nodes;
mod path;
mod pods;
mod prefixes;
mod prospects;
mod reach;
mod rib;
mod same;
mod session;
mod speaker;
mod throughout;
mod verdict;

#[cfg(test)]
mod literal;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;

pub use agree::{AgreeOn, AgreeSpec, judge_pings_agree, judge_traces_agree};
pub use connect::judge_connect;
pub use fib::{FibFact, FibSpec, judge_fib};
pub use flows::judge_flows;
pub(crate) use flows::over;
pub use interfaces::{InterfaceFact, InterfaceSpec, judge_interface};
pub use lines::{LineSeen, LinesSpec, judge_lines};
pub use nodes::{NodeFact, NodeSpec, judge_nodes};
pub use path::{PathSpec, judge_path};
pub use pods::{PodFact, PodSpec, judge_pod};
pub use prospects::{
    FRESH, FarEnd, RESOLUTION, ROUTED, link_down, never_carries, never_up, unreachable, unsaid,
};
pub use reach::{ReachFact, ReachSpec, judge_reach};
pub use rib::{RibFact, RibSpec, judge_rib};
use same::label_difference;
pub use same::same_node;
pub use session::{SessionFact, SessionSpec, judge_session};
pub use speaker::{is_between, judge_speaker};
pub use throughout::{Outage, ThroughoutFact, ThroughoutSpec, Watched, judge_throughout};
pub use verdict::{Outcome, Verdict};
