//! Where the nodes of a run are to live, and what has to be there for it: programs, or a container engine and images.
//!
//! What lives here: the choice, and making sure of what it needs. What does not: making nodes (the keeper's affair).

use fabric_harness::fabric::images_needed;
use fabric_harness::lab::Lab;
use fabric_harness::runtime::docker::{Engine, ImageMap};
use fabric_harness::runtime::keeper::RuntimeSpec;
use fabric_harness::tools::{Layers, Tool, ToolInfo, ensure_speaker};

use super::session::{RunError, needs, speaker};

/// Where the nodes of a run are to live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Home {
    /// In namespaces of ours.
    #[default]
    Netns,
    /// In containers, with these images in the place of others.
    Docker(ImageMap),
}

impl Home {
    /// What `FABRIC_RUNTIME` and `FABRIC_IMAGES` say.
    ///
    /// # Errors
    /// When they say something that is no runtime, or no images.
    pub fn from_env() -> Result<Self, String> {
        let images = std::env::var("FABRIC_IMAGES").unwrap_or_default();
        let images: Vec<&str> = images.split(',').filter(|one| !one.trim().is_empty()).collect();
        match std::env::var("FABRIC_RUNTIME").as_deref() {
            Err(_) | Ok("" | "netns") => Ok(Self::Netns),
            Ok("docker") => Self::docker(&images).map_err(|why| format!("FABRIC_IMAGES: {why}")),
            Ok(other) => {
                Err(format!("FABRIC_RUNTIME: there is no runtime `{other}`; there are netns and docker"))
            }
        }
    }

    /// Containers, with images in the place of others: `NAME=OTHER` each.
    ///
    /// # Errors
    /// When one of them is not two names.
    pub fn docker<S: AsRef<str>>(images: &[S]) -> Result<Self, String> {
        let mut map = ImageMap::default();
        images.iter().try_for_each(|one| map.add(one.as_ref()))?;
        Ok(Self::Docker(map))
    }

    /// Makes sure of all that a lab needs there, fetching or pulling what is missing.
    pub(super) async fn furnish<E>(
        &self,
        lab: &Lab<E>,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<(RuntimeSpec, Layers), RunError> {
        let map = match self {
            Self::Netns => {
                let layers = ensure_speaker(&needs(lab), speaker(lab), &|text: &str| tell(text)).await?;
                return Ok((RuntimeSpec::Netns, layers));
            }
            Self::Docker(map) => map,
        };
        let engine = Engine::connect().await?;
        if !engine.is_at_hand() {
            return Err(RunError::NotAtHand { host: engine.host().to_owned() });
        }
        let mut layers = Layers::default();
        for (image, node) in images_needed(&lab.topology, lab.cluster.as_ref(), map) {
            engine.ensure_image(&node, &image, &|text| tell(text)).await?;
            layers.provided.extend(provided(&engine, &image).await);
        }
        let said = engine.info().await?;
        tell(&format!("{} {} (API {}) at {}", said.name, said.version, said.api, engine.host()));
        Ok((RuntimeSpec::Docker { host: engine.host().to_owned(), images: map.clone() }, layers))
    }
}

/// What an image of ours says it was made of.
async fn provided(engine: &Engine, image: &str) -> Option<ToolInfo> {
    let (tool, path) = match engine.image_label(image, "fabric.package").await.ok()??.as_str() {
        "frr" => (Tool::Frr, "/usr/lib/frr/bgpd"),
        "gobgpd" => (Tool::Gobgp, "/usr/bin/gobgpd"),
        _ => return None,
    };
    let version = engine.image_label(image, "fabric.version").await.ok()??;
    // The distribution's revision is not the program's version.
    let version = version.split(['-', '+']).next().unwrap_or_default().to_owned();
    Some(ToolInfo::of_image(tool, path.into(), version, image))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_stands_for_nothing_is_refused() {
        assert!(Home::docker(&["frrouting/frr=fabric/frr"]).is_ok());
        assert!(Home::docker(&["fabric/frr"]).expect_err("half a pair").contains("fabric/frr"));
    }
}
