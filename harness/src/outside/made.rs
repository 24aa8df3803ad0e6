//! What programs of others made for a fabric, written down before it is made, and taken away again.
//!
//! What lives here: the record of it, and its end: as the article's last section has it, the topology first, then the cluster.
//! What does not: where the record is kept (the state file).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::command::OutsideError;
use super::spec::LabSpec;
use super::{containerlab, helm, kind};

/// What was made, and is to be taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// kind's cluster, made or taken over.
    #[serde(default)]
    pub cluster: Option<MadeCluster>,
    /// containerlab deployed the topology.
    #[serde(default)]
    pub topology: bool,
    /// helm installed Cilium.
    #[serde(default)]
    pub release: bool,
}

/// A cluster of kind's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeCluster {
    /// Its name.
    pub name: String,
    /// It was there before, and stays.
    pub adopted: bool,
}

/// Takes everything away; what does not work with one part does not keep the others. Returns what is left, a sentence each, and
/// what to type.
pub(crate) async fn unmake(
    made: &Made,
    spec: &LabSpec,
    lab: &Path,
    own: &Path,
    mut tell: impl FnMut(&str, &str),
) -> Vec<String> {
    let mut left = Vec::new();
    let gone = |error: OutsideError, what: &str| format!("{what} is left: {error}");
    // A lab's folder may have gone since; only its file names matter then.
    let lab = if lab.is_dir() { lab } else { own };
    if made.topology
        && let Some(program) = &spec.containerlab
    {
        let destroy = containerlab::destroy(program, spec, lab);
        let line = destroy.line();
        if let Err(error) = destroy.run(|said| tell(&line, said)).await {
            left.push(gone(error, "containerlab's lab"));
        }
    }
    let Some(cluster) = &made.cluster else { return left };
    if cluster.adopted {
        if made.release
            && let Some(program) = &spec.helm
        {
            let uninstall = helm::uninstall(program, lab, own);
            let line = uninstall.line();
            if let Err(error) = uninstall.run(|said| tell(&line, said)).await {
                left.push(gone(error, &format!("Cilium in the cluster {}", cluster.name)));
            }
        }
        return left;
    }
    let delete = kind::delete(spec, &cluster.name, lab, &own.join("kubeconfig"));
    let line = delete.line();
    if let Err(error) = delete.run(|said| tell(&line, said)).await {
        left.push(gone(error, &format!("kind's cluster {}", cluster.name)));
    }
    left
}
