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
    /// How much of that at least one wait for FRR or GoBGP was under way.
    #[serde(default)]
    pub protocol_ms: f64,
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
    /// A session changed its state, as one end of it says; the source is that end: a router, or the cluster node whose
    /// speaker it is.
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
        /// Why it was lost, in that end's words.
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
    /// Something is done to the fabric, from this moment on: `apply policies.yaml`. The step of the same name says how
    /// long it took.
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
    /// The first packet of a flow was answered, or the first after packets of it were lost; the source is who sent it.
    FirstPacket {
        /// Who sent it: a pod (`default/nettool-1`) or a box.
        from: String,
        /// Whom it reached, by the same kind of name; the address where it is nobody's.
        to: String,
    },
    /// A check failed; the source is the box it looks at.
    Failure {
        /// The check's name.
        check: String,
    },
    /// A routing daemon began to answer, or stopped; the source is the router.
    Router {
        /// Whether it answers now.
        answers: bool,
    },
    /// A BGP speaker of Cilium's began to run, or ended; the source is the cluster node it runs on.
    Speaker {
        /// Its AS number.
        asn: u32,
        /// Whether it runs now.
        running: bool,
    },
    /// Something became of a pod; the source is the pod (`default/nettool-1`).
    Pod {
        /// What became of it.
        change: PodChange,
        /// The cluster node it is on, once it is on one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        node: Option<String>,
    },
    /// A cluster node turned Ready, or not Ready; the source is the node.
    Ready {
        /// Whether it is Ready now.
        ready: bool,
    },
    /// An interface came up or went down; the source is the box.
    Link {
        /// The interface.
        interface: String,
        /// Whether it is up now, with a carrier.
        up: bool,
    },
    /// An address came to an interface, or left it; the source is the box.
    Address {
        /// The interface.
        interface: String,
        /// The address with its prefix length.
        address: String,
        /// Whether it is there now.
        present: bool,
    },
}

/// What became of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PodChange {
    /// It was made.
    Made,
    /// A node was found for it.
    Scheduled,
    /// It has an address.
    Addressed,
    /// It is Ready.
    Ready,
    /// It is not Ready any more.
    NotReady,
    /// It is gone.
    Gone,
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

/// What one node looked like at one moment. What a node looked like at any time is its last state before that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct State {
    /// When it was looked at, from the start of the run.
    pub ms: f64,
    /// On which occasion: `end of phase policy`, `failure of policy::routes::...`, `failure of phase policy` where its
    /// actions did not work. What fails together is looked at once.
    pub when: String,
    /// Whose state it is: a box by its name, a pod as `namespace/name`, `fabric` for what is nobody's own.
    pub node: String,
    /// What kind of state, which decides the shape of `json`: `sessions`, `rib` and `fib` of routers; `links` and
    /// `addresses` of boxes; `speaker` and `node` of cluster nodes; `pod` of pods; `names` of the fabric.
    pub kind: String,
    /// The state. Where it could not be read, an object whose one field `unreadable` says why.
    pub json: Value,
}
