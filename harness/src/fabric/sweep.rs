//! What is left of fabrics whose keeper died, and the images that a lab needs: both without a fabric that runs.

use std::collections::BTreeMap;

use super::FabricError;
use crate::lab::{KindCluster, PullPolicy, Topology};
use crate::outside::unmake;
use crate::runtime::docker::{Engine, ImageMap};
use crate::runtime::keeper::{RuntimeSpec, State, leftovers};

/// Removes the containers and networks of fabrics whose keeper died, and what is written down of them; their names. What
/// does not work with one does not keep the others.
///
/// # Errors
/// When a container engine does not answer, or does not remove something.
pub async fn sweep() -> Result<Vec<String>, FabricError> {
    let (mut swept, mut failed) = (Vec::new(), None);
    for state in leftovers()? {
        let RuntimeSpec::Docker { host, .. } = &state.spec.runtime else { continue };
        let removed: Result<(), FabricError> = match Engine::connect_to(host).await {
            Ok(engine) => crate::world::sweep(&engine, &state.spec.id).await.map_err(Into::into),
            Err(error) => Err(error.into()),
        };
        // Routers and links first, then the cluster whose networks they share.
        let removed = removed.and(unmake_of(&state).await);
        match removed {
            Ok(()) => {
                // Only files now; one that stays is swept with the next.
                let _ = std::fs::remove_dir_all(&state.spec.dir);
                swept.push(state.spec.id);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    match failed {
        None => Ok(swept),
        Some(error) => Err(error),
    }
}

/// Takes away what programs of others made for a fabric whose keeper could not.
pub(super) async fn unmake_of(state: &State) -> Result<(), FabricError> {
    let Some(lab) = &state.spec.outside else { return Ok(()) };
    let left = unmake(&state.made, lab, &state.spec.lab, &state.spec.dir, |_, _| ()).await;
    if left.is_empty() { Ok(()) } else { Err(FabricError::Left { id: state.spec.id.clone(), left }) }
}

/// The images that a lab's containers need, each with a node that needs it, and when it is to be pulled.
pub fn images_needed(
    topology: &Topology,
    cluster: Option<&KindCluster>,
    map: &ImageMap,
) -> BTreeMap<String, (String, PullPolicy)> {
    crate::world::images(topology, cluster, map)
}
