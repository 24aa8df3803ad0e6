//! What a lab gives Cilium to act on, kept so that runs on two of its versions can be compared by what each makes of it.
//!
//! Which version ran is among the versions of the environment. What a version makes of this is not known here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a lab gives Cilium to act on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cilium {
    /// The cluster's nodes with the labels that the lab gives them, those that its phases set included.
    #[serde(default)]
    pub nodes: BTreeMap<String, BTreeMap<String, String>>,
    /// Values of the chart, by their dotted keys: those that matter to BGP and are not in every version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// The objects of its BGP control plane, as they would be applied, in that order.
    #[serde(default)]
    pub objects: Vec<Value>,
}
