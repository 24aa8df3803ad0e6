//! What happened during a run: steps, phases, events, states. What was judged is in `check`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A step of bringing the fabric up or down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What was done: `veth links`, `router0: exec lines`.
    pub name: String,
    /// The phase it belongs to, or `bring-up`, `teardown`.
    pub phase: String,
    /// When it started, from the start of the run.
    pub started_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
    /// What it came to, in a few words; the error when it went wrong.
    #[serde(default)]
    pub detail: String,
    /// False when it went wrong or was not finished.
    pub ok: bool,
    /// What it said, line by line, where it is a program of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
}

/// A phase of a run: actions, then checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// The phase's name, as the lab gives it.
    pub name: String,
    /// What was done to the fabric, in the words of the lab: `apply policies.yaml`.
    #[serde(default)]
    pub actions: Vec<String>,
    /// When it started, from the start of the run.
    pub started_ms: f64,
    /// How long it took, its checks included.
    pub duration_ms: f64,
    /// False when its actions could not be carried out: its checks then judged nothing.
    pub reached: bool,
    /// Why it was not reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreached_reason: Option<String>,
}

/// Something that happened on the fabric: a session changed its state, a route came, a policy was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// When, from the start of the run.
    pub ms: f64,
    /// Who says so: `router0`, `api`, `agent/worker`.
    pub source: String,
    /// What happened.
    pub what: String,
    /// The same for programs, where it is one of the things that programs know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Happening>,
}

/// What happened, for those who draw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Happening {
    /// A session changed its state; the source is the router.
    Session {
        /// The session's key on that router: an interface or an address.
        neighbor: String,
        /// The box at the other end, where it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        /// The state before: none when the neighbor was not configured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The state now: none when the neighbor is not configured any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// The router's reason, for a session that was lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A route came, went or changed; the source is the router.
    Route {
        /// Where: the BGP table or the kernel's.
        table: Table,
        /// The prefix.
        prefix: String,
        /// What became of it.
        change: RouteChange,
        /// Whom its best path is from, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// Something was done to the fabric: `apply policies.yaml`.
    Action {
        /// The phase.
        phase: String,
    },
    /// A message of BGP was seen on a link, or the connection for it; the source is the box that sent it.
    Message {
        /// What it was.
        message: Message,
        /// The box it went to.
        to: String,
    },
    /// The first packet of a flow arrived.
    FirstPacket {
        /// Who sent it.
        from: String,
        /// Whom it reached.
        to: String,
    },
    /// A check failed.
    Failure {
        /// The check's name.
        check: String,
    },
}

/// Which table of a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    /// The BGP table.
    Rib,
    /// The kernel's.
    Fib,
}

/// What became of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RouteChange {
    /// It was not there before.
    Came,
    /// It is not there any more.
    Went,
    /// It is there, by another way.
    Changed,
}

/// A message of BGP (RFC 4271, section 4), or the connection for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// A TCP connection came about.
    Tcp,
    /// OPEN.
    Open,
    /// UPDATE.
    Update,
    /// KEEPALIVE.
    Keepalive,
    /// NOTIFICATION.
    Notification,
}

/// What one node looked like at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct State {
    /// When it was looked at, from the start of the run.
    pub ms: f64,
    /// On which occasion: `end of phase policy`, `failure of policy::routes::...`.
    pub when: String,
    /// Whose state it is.
    pub node: String,
    /// What kind of state: `sessions`, `rib`, `fib`, `links`.
    pub kind: String,
    /// The state.
    pub json: Value,
}
