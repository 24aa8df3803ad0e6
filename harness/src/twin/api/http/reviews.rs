//! What a client may ask about itself: who it is, and what it may do.
//!
//! What lives here: the answers. The twin knows one client, whoever brings the token, and that one may do everything. What does not:
//! the token (`Shared`).

use serde_json::{Value, json};

use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;
use crate::twin::api::rules::review;

/// Who brings the token, in the names a cluster made by kind gives to the user of its kubeconfig.
const USER: &str = "kubernetes-admin";
const GROUPS: [&str; 2] = ["kubeadm:cluster-admins", "system:authenticated"];

/// The review with its status.
///
/// # Errors
/// 400 for a body that is none.
pub(super) fn answer(resource: &Resource, mut value: Value) -> Result<Value, ApiError> {
    review(resource, &mut value)?;
    value["status"] = match resource.kind.as_str() {
        "SelfSubjectReview" => json!({"userInfo": {"username": USER, "groups": GROUPS}}),
        "SelfSubjectRulesReview" => json!({
            "incomplete": false,
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        }),
        _ => json!({"allowed": true, "reason": "the twin has one user, who may do everything"}),
    };
    Ok(value)
}
