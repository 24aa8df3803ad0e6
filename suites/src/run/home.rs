//! Where the nodes of a run are to live, and what has to be there for it: programs, or a container engine and images.
//!
//! What lives here: the choice, and making sure of what it needs. What does not: making nodes (the keeper's affair).

use fabric_harness::fabric::images_needed;
use fabric_harness::lab::Lab;
use fabric_harness::outside::{Chart, Deployer, LabSpec, Program, find};
use fabric_harness::runtime::docker::{Engine, ImageMap};
use fabric_harness::runtime::keeper::RuntimeSpec;
use fabric_harness::tools::{Layers, Tool, ToolInfo, ensure_speaker};

use super::session::{needs, speaker};
use super::settings::RunError;
use super::upgrading::generation;

/// Where the nodes of a run are to live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Home {
    /// In namespaces of ours.
    #[default]
    Netns,
    /// In containers, with these images in the place of others.
    Docker(ImageMap),
    /// In containers, and the cluster is a real one.
    Real(ImageMap, RealLab),
}

/// What is asked of a real lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RealLab {
    /// Who makes routers and links.
    pub deployer: Deployer,
    /// Take a cluster that is there.
    pub reuse: bool,
    /// The image of kind's nodes.
    pub kind_image: Option<String>,
    /// Where Cilium's chart comes from.
    pub chart: Chart,
}

/// What a fabric is to be made in, with everything that needs there.
#[derive(Debug)]
pub struct Furnished {
    /// Where its nodes live.
    pub runtime: RuntimeSpec,
    /// The programs of others that make its cluster.
    pub outside: Option<LabSpec>,
    /// The programs its nodes run.
    pub layers: Layers,
}

impl Home {
    /// What `FABRIC_RUNTIME` and `FABRIC_IMAGES` say.
    ///
    /// # Errors
    /// When they say something that is no runtime, or no images.
    pub fn from_env() -> Result<Self, String> {
        let images = std::env::var("FABRIC_IMAGES").unwrap_or_default();
        let images: Vec<&str> = images.split(',').filter(|one| !one.trim().is_empty()).collect();
        let docker = || Self::docker(&images).map_err(|why| format!("FABRIC_IMAGES: {why}"));
        match std::env::var("FABRIC_ENV").as_deref() {
            Err(_) | Ok("" | "twin") => {}
            Ok("lab") => return docker()?.real(RealLab::from_env()?),
            Ok(other) => {
                return Err(format!("FABRIC_ENV: there is no environment `{other}`; there are twin and lab"));
            }
        }
        match std::env::var("FABRIC_RUNTIME").as_deref() {
            Err(_) | Ok("" | "netns") => Ok(Self::Netns),
            Ok("docker") => docker(),
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

    /// The same containers, and a real cluster.
    ///
    /// # Errors
    /// When images stand for others that containerlab is to take as its file names them.
    pub fn real(self, lab: RealLab) -> Result<Self, String> {
        let map = match self {
            Self::Netns => ImageMap::default(),
            Self::Docker(map) | Self::Real(map, _) => map,
        };
        if lab.deployer == Deployer::Containerlab && map != ImageMap::default() {
            return Err("containerlab takes images as the topology names them: leave --image out, or write them there".into());
        }
        Ok(Self::Real(map, lab))
    }

    /// Makes sure of all that a lab needs there, fetching or pulling what is missing.
    pub(super) async fn furnish<E>(
        &self,
        lab: &Lab<E>,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Furnished, RunError> {
        let (map, real) = match self {
            Self::Netns => {
                let layers = ensure_speaker(&needs(lab), speaker(lab), &|text: &str| tell(text)).await?;
                // What a later phase takes is fetched before anything begins; what is not to be had is said then.
                for upgrade in lab.phases.iter().filter_map(|phase| phase.upgrade.as_ref()) {
                    let wanted = generation(upgrade);
                    let _ = ensure_speaker(&[Tool::Gobgp], wanted, &|text: &str| tell(text)).await;
                }
                return Ok(Furnished { runtime: RuntimeSpec::Netns, outside: None, layers });
            }
            Self::Docker(map) => (map, None),
            Self::Real(map, real) => (map, Some(real)),
        };
        let outside = match real {
            Some(real) => Some(programs(lab, real, tell).await?),
            None => None,
        };
        let engine = Engine::connect().await?;
        if !engine.is_at_hand() {
            return Err(RunError::NotAtHand { host: engine.host().to_owned() });
        }
        let mut layers = Layers::default();
        // kind pulls the images of its nodes itself, containerlab those of the topology.
        let cluster = lab.cluster.as_ref().filter(|_| real.is_none());
        let deployed = real.is_some_and(|real| real.deployer == Deployer::Containerlab);
        let needed = if deployed { Default::default() } else { images_needed(&lab.topology, cluster, map) };
        for (image, (node, pull)) in needed {
            engine.ensure_image(&node, &image, pull, &|text| tell(text)).await?;
            layers.provided.extend(provided(&engine, &image).await);
        }
        let said = engine.info().await?;
        tell(&format!("{} {} (API {}) at {}", said.name, said.version, said.api, engine.host()));
        let runtime = RuntimeSpec::Docker { host: engine.host().to_owned(), images: map.clone() };
        Ok(Furnished { runtime, outside, layers })
    }
}

impl RealLab {
    /// What `FABRIC_DEPLOYER`, `FABRIC_REUSE`, `FABRIC_KIND_IMAGE` and `FABRIC_CHART` say.
    fn from_env() -> Result<Self, String> {
        let said = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let deployer = match said("FABRIC_DEPLOYER").as_deref() {
            None | Some("fabric") => Deployer::Fabric,
            Some("containerlab") => Deployer::Containerlab,
            Some(other) => {
                return Err(format!(
                    "FABRIC_DEPLOYER: there is no deployer `{other}`; there are fabric and containerlab"
                ));
            }
        };
        let chart = match said("FABRIC_CHART") {
            None => Chart::default(),
            Some(path) => Chart::Local(
                std::fs::canonicalize(&path).map_err(|error| format!("FABRIC_CHART: {path}: {error}"))?,
            ),
        };
        let reuse = said("FABRIC_REUSE").is_some();
        Ok(Self { deployer, reuse, kind_image: said("FABRIC_KIND_IMAGE"), chart })
    }
}

/// The programs that make a real lab, found on the path.
async fn programs<E>(
    lab: &Lab<E>,
    real: &RealLab,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<LabSpec, RunError> {
    let Some(cluster_file) = lab.files.cluster.clone() else { return Err(RunError::NoCluster) };
    let found = async |program: Program, what: &str| {
        let (path, version) = find(program, what).await?;
        let version = version.map(|(major, minor, patch)| format!("{major}.{minor}.{patch}"));
        let version = version.unwrap_or_else(|| "of unknown version".to_owned());
        tell(&format!("{} {version}, {}", program.name(), path.display()));
        Ok::<_, RunError>(path)
    };
    let kind = found(Program::Kind, "the cluster").await?;
    found(Program::Docker, "kind").await?;
    let helm = match &lab.cilium {
        Some(_) => Some(found(Program::Helm, "installing Cilium").await?),
        None => None,
    };
    let containerlab = match real.deployer {
        Deployer::Containerlab => Some(found(Program::Containerlab, "--deployer containerlab").await?),
        Deployer::Fabric => None,
    };
    Ok(LabSpec {
        kind,
        helm,
        containerlab,
        cluster_file,
        cluster_name: lab.files.cluster_name.clone(),
        topology_file: lab.files.topology.clone(),
        values_file: lab.files.values.clone(),
        kind_image: real.kind_image.clone(),
        reuse: real.reuse,
        chart: real.chart.clone(),
        deployer: real.deployer,
    })
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
