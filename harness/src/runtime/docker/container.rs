//! Containers: what one is to be, making it, its end.
//!
//! What lives here: from a spec to a container that runs, and back to nothing. What does not: the spec in the engine's
//! words (`body`), which containers a lab needs (`crate::world`), what is run in one (`node`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use bollard::container::LogOutput;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder,
};
use futures::TryStreamExt;

use super::body::body;
use super::engine::Engine;
use super::error::{EngineError, status, why};
use crate::lab::ContainerOptions;

/// Whose network a container has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Joins {
    /// Its own, with nothing on it but `lo`.
    #[default]
    None,
    /// Its own, with eth0 on a network of the engine's.
    Network {
        /// The network's name.
        name: String,
        /// The IPv4 address it must have.
        ipv4: Option<IpAddr>,
        /// The IPv6 address it must have.
        ipv6: Option<IpAddr>,
    },
    /// Another container's, by name or id.
    Container(String),
    /// The machine's.
    Host,
}

/// What a container is to be.
#[derive(Debug, Clone, Default)]
pub struct ContainerSpec {
    /// The node it is made for, for people.
    pub node: String,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its host name, unless its options name another; with another's network it has the other's.
    pub hostname: Option<String>,
    /// What it runs, where the image's own will not do.
    pub cmd: Option<Vec<String>>,
    /// The program in front of that.
    pub entrypoint: Option<Vec<String>>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Folders and files shown in it, as the engine writes them: `source:target[:options]`.
    pub binds: Vec<String>,
    /// Kernel settings of its namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// What the lab asks of it beside all that.
    pub options: ContainerOptions,
    /// Whose network it has.
    pub joins: Joins,
    /// It is there already under its name, and not ours to make or to end.
    pub adopted: bool,
}

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Pid of its first process, as the engine's machine sees it.
    pub pid: i32,
    /// Its addresses on the engine's networks.
    pub addresses: Vec<IpAddr>,
}

impl Engine {
    /// Makes a container and starts it. On an error nothing is left.
    ///
    /// # Errors
    /// When its name is taken, its image is not there, or it does not stay up.
    pub async fn start_container(&self, spec: &ContainerSpec) -> Result<Container, EngineError> {
        let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
        let made = match self.api().create_container(Some(options), body(spec)).await {
            Ok(made) => made,
            Err(error) if is_taken(&error) => return Err(self.taken(spec).await),
            Err(error) => {
                return Err(
                    EngineError::refused(format!("{}: make the container {}", spec.node, spec.name))(error),
                );
            }
        };
        let started = self.begin(spec, &made.id).await;
        if started.is_err() {
            // Half a container is none; why it is none matters more than how it ended.
            let _ = self.remove_container(&made.id).await;
        }
        started
    }

    async fn begin(&self, spec: &ContainerSpec, id: &str) -> Result<Container, EngineError> {
        let what = format!("{}: start the container {}", spec.node, spec.name);
        self.api().start_container(id, None).await.map_err(EngineError::refused(&what))?;
        let said = self.api().inspect_container(id, None).await.map_err(EngineError::refused(&what))?;
        let state = said.state.unwrap_or_default();
        let pid = state.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0);
        let Some(pid) = pid.filter(|_| state.running == Some(true)) else {
            let (node, image) = (spec.node.clone(), spec.image.clone());
            return Err(EngineError::Ended {
                node,
                image,
                code: state.exit_code.unwrap_or(-1),
                said: self.last_words(id).await,
            });
        };
        let networks = said.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let addresses = networks.into_values().flat_map(|at| [at.ip_address, at.global_ipv6_address]);
        let addresses = addresses.flatten().filter_map(|text| text.parse().ok()).collect();
        Ok(Container { id: id.to_owned(), pid, addresses })
    }

    /// The last line of what a container said.
    async fn last_words(&self, id: &str) -> String {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("1").build();
        let lines: Vec<LogOutput> =
            self.api().logs(id, Some(options)).try_collect().await.unwrap_or_default();
        let text = lines.last().map(|line| String::from_utf8_lossy(line.as_ref()).trim().to_owned());
        text.filter(|text| !text.is_empty()).unwrap_or_else(|| "it said nothing".to_owned())
    }

    async fn taken(&self, spec: &ContainerSpec) -> EngineError {
        let labels = self.api().inspect_container(&spec.name, None).await.ok();
        let labels = labels.and_then(|found| found.config?.labels).unwrap_or_default();
        let whose = match (labels.get(FABRIC), labels.get(CONTAINERLAB)) {
            (Some(fabric), _) => format!("of the fabric {fabric}: `fabric down --name {fabric}` ends it"),
            (None, Some(lab)) => format!("of containerlab's lab {lab}: `containerlab destroy` ends it"),
            (None, None) => "not of this program's making".to_owned(),
        };
        EngineError::NameTaken { node: spec.node.clone(), name: spec.name.clone(), whose }
    }

    /// A container that somebody else made, by its name or id. It is not ours to end.
    ///
    /// # Errors
    /// When there is none of that name, or it does not run.
    pub async fn find_container(&self, node: &str, name: &str) -> Result<Container, EngineError> {
        let what = format!("{node}: find the container {name}");
        let said = self.api().inspect_container(name, None).await.map_err(EngineError::refused(&what))?;
        let pid = said.state.and_then(|state| state.pid).and_then(|pid| i32::try_from(pid).ok());
        let Some(pid) = pid.filter(|pid| *pid > 0) else {
            let why = format!("it does not run; `docker start {name}` starts it");
            return Err(EngineError::Refused { what, why });
        };
        let networks = said.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let addresses = networks.into_values().flat_map(|at| [at.ip_address, at.global_ipv6_address]);
        let addresses = addresses.flatten().filter_map(|text| text.parse().ok()).collect();
        Ok(Container { id: said.id.unwrap_or_default(), pid, addresses })
    }

    /// Ends a container at once and removes it with what it wrote; one that is gone is as good as removed.
    ///
    /// # Errors
    /// When the engine does not answer, or cannot.
    pub async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.api().remove_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            // Somebody else is removing it.
            Err(error) if status(&error) == Some(409) && why(&error).contains("already in progress") => {
                Ok(())
            }
            Err(error) => Err(EngineError::refused(format!("remove the container {id}"))(error)),
        }
    }

    /// The ids of all containers with a label, those that have ended among them.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn containers_labelled(&self, label: &str, value: &str) -> Result<Vec<String>, EngineError> {
        let filters = HashMap::from([("label", vec![format!("{label}={value}")])]);
        let filters: HashMap<String, Vec<String>> =
            filters.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let all = self.api().list_containers(Some(options)).await;
        let all =
            all.map_err(EngineError::refused(format!("list the containers labelled {label}={value}")))?;
        Ok(all.into_iter().filter_map(|container| container.id).collect())
    }

    /// Removes all containers with a label, side by side; what does not work with one does not keep the others.
    ///
    /// # Errors
    /// The first thing that did not work, when all was tried.
    pub async fn remove_labelled(&self, label: &str, value: &str) -> Result<usize, EngineError> {
        let all = self.containers_labelled(label, value).await?;
        let mut left: Vec<&String> = all.iter().collect();
        loop {
            let removed = futures::future::join_all(left.iter().map(|id| self.remove_container(id))).await;
            let (before, mut wrong) = (left.len(), None);
            let failed = left.into_iter().zip(removed).filter_map(|(id, removed)| {
                wrong = Some(removed.err()?);
                Some(id)
            });
            left = failed.collect();
            match wrong {
                None => return Ok(all.len()),
                // Podman removes no container whose network another one shares: those without any that depend on them are gone now.
                Some(_) if left.len() < before => {}
                Some(error) => return Err(error),
            }
        }
    }
}

/// Whether an engine says that a name is taken: Docker by its code, Podman in words.
fn is_taken(error: &bollard::errors::Error) -> bool {
    status(error) == Some(409) || (status(error) == Some(500) && why(error).contains("is already in use"))
}

/// The label that says which fabric a container belongs to.
pub(crate) const FABRIC: &str = "fabric";
/// containerlab's label with the lab's name.
pub(crate) const CONTAINERLAB: &str = "containerlab";
