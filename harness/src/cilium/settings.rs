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
    /// Whether the chart makes that namespace: `bgpControlPlane.secretsNamespace.create`.
    #[serde(default)]
    pub creates_secrets_namespace: bool,
    /// Whether services without endpoints stay advertised: `enableNoServiceEndpointsRoutable`. Use
    /// [`BgpSettings::keeps_empty_services`].
    #[serde(default = "yes")]
    pub no_endpoints_routable: bool,
    /// Whether statuses are written: `bgpControlPlane.statusReport.enabled`. Use [`BgpSettings::reports`].
    pub status_report: bool,
}

impl Default for BgpSettings {
    fn default() -> Self {
        Self {
            secrets_namespace: "kube-system".to_owned(),
            creates_secrets_namespace: false,
            no_endpoints_routable: true,
            status_report: true,
        }
    }
}

const fn yes() -> bool {
    true
}

impl BgpSettings {
    /// Whether this version advertises services that have no endpoints: those before the switch always do.
    pub fn keeps_empty_services(&self, promises: &Promises) -> bool {
        self.no_endpoints_routable || !promises.endpoints_switch
    }

    /// Whether this version writes statuses: those before the switch always do.
    pub fn reports(&self, promises: &Promises) -> bool {
        self.status_report || !promises.status_report_switch
    }
}
