//! What a chart's values tell the agents and the operator about BGP.
//!
//! What lives here: the settings, with the chart's defaults. What does not: reading values (`lab::values`).

use serde::{Deserialize, Serialize};

use super::Promises;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BgpSettings {
    /// Where the Secrets of passwords are: `bgpControlPlane.secretsNamespace.name`.
    pub secrets_namespace: String,
    /// Whether statuses are written: `bgpControlPlane.statusReport.enabled`. Use [`BgpSettings::reports`].
    pub status_report: bool,
}

impl Default for BgpSettings {
    fn default() -> Self {
        Self { secrets_namespace: "kube-system".to_owned(), status_report: true }
    }
}

impl BgpSettings {
    /// Whether this version writes statuses: those before the switch always do.
    pub fn reports(&self, promises: &Promises) -> bool {
        self.status_report || !promises.status_report_switch
    }
}
