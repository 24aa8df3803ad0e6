//! What a user says of a fabric that others brought up.
//!
//! What lives here: the settings, and reading them from the environment for `cargo test`. What does not: flags (`cli`).

use std::path::PathBuf;

use fabric_harness::found::{RouterWay, WayError};

/// How to find a fabric, and what may be done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundSettings {
    /// How to reach its cluster.
    pub kubeconfig: Option<PathBuf>,
    /// The ways into its nodes that the user gives.
    pub ways: Vec<RouterWay>,
    /// The phases to judge, whatever the present state; those it satisfies when there are none.
    pub phases: Vec<String>,
    /// Walk through the phases, applying and deleting what lab.yaml says, and put everything back at the end.
    pub allow_apply: bool,
    /// The routers are not there yet: clabernetes puts them into the cluster, and they are taken away at the end.
    pub clabernetes: bool,
}

/// The environment says something that makes no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No such environment.
    #[error("FABRIC_ENV is `{0}`: write `twin` or `attach`")]
    Env(String),
    /// Who could deploy nothing in a lab of others.
    #[error("FABRIC_DEPLOYER is `{0}`: with FABRIC_ENV=attach, write `clabernetes` or nothing")]
    Deployer(String),
    /// A cluster is to take the routers, and none is named.
    #[error(
        "FABRIC_DEPLOYER is `clabernetes`, which puts the routers into a cluster: say how to reach it by FABRIC_KUBECONFIG"
    )]
    Nowhere,
    /// A way that is none.
    #[error("FABRIC_ROUTERS: {0}")]
    Way(#[from] WayError),
}

impl FoundSettings {
    /// What FABRIC_ENV, FABRIC_KUBECONFIG, FABRIC_ROUTERS (ways, with `;` between them), FABRIC_PHASES, FABRIC_ALLOW_APPLY and
    /// FABRIC_DEPLOYER say; none unless FABRIC_ENV is `attach`.
    ///
    /// # Errors
    /// When they make no sense.
    pub fn of(read: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, SettingsError> {
        let said = |name: &str| read(name).filter(|value| !value.is_empty());
        match said("FABRIC_ENV").as_deref() {
            None | Some("twin") => return Ok(None),
            Some("attach") => {}
            Some(other) => return Err(SettingsError::Env(other.to_owned())),
        }
        let clabernetes = match said("FABRIC_DEPLOYER").as_deref() {
            None | Some("fabric") => false,
            Some("clabernetes") if said("FABRIC_KUBECONFIG").is_none() => return Err(SettingsError::Nowhere),
            Some("clabernetes") => true,
            Some(other) => return Err(SettingsError::Deployer(other.to_owned())),
        };
        let list = |name: &str| -> Vec<String> {
            let parts = said(name).unwrap_or_default();
            parts
                .split([';', '\n'])
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let ways = list("FABRIC_ROUTERS").iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Some(Self {
            kubeconfig: said("FABRIC_KUBECONFIG").map(PathBuf::from),
            ways,
            phases: list("FABRIC_PHASES"),
            allow_apply: said("FABRIC_ALLOW_APPLY").is_some_and(|value| value != "0" && value != "false"),
            clabernetes,
        }))
    }
}
