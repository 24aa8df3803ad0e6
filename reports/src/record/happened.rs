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
