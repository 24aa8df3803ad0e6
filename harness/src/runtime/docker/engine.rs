//! The container engine: finding it, and what it is.
//!
//! What lives here: the connection. What does not: containers, images, networks (files of these names). Docker's own
//! engine and Podman's socket speak the same API; versions from 1.41 (Docker 20.10) on are spoken to.

use std::fmt;
use std::path::{Path, PathBuf};

use bollard::Docker;
use futures::StreamExt;

use super::error::{EngineError, innermost};

/// The oldest API we speak: Docker 20.10's.
const OLDEST: (usize, usize) = (1, 41);

/// A container engine that answers.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
    host: String,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("host", &self.host).finish()
    }
}

/// What an engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `Docker` or `Podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The API it speaks.
    pub api: String,
}

impl Engine {
    /// Connects to the engine that `DOCKER_HOST` names, else to Docker's socket, else to Podman's.
    ///
    /// # Errors
    /// When none answers, when it is not for us, when it is older than Docker 20.10.
    pub async fn connect() -> Result<Self, EngineError> {
        let host = host(std::env::var("DOCKER_HOST").ok(), Path::exists);
        Self::connect_to(&host).await
    }

    /// Connects to an engine: `unix:///path`, `tcp://address:port`.
    ///
    /// # Errors
    /// As [`Engine::connect`].
    pub async fn connect_to(host: &str) -> Result<Self, EngineError> {
        let no_engine = |why: String| EngineError::NoEngine { host: host.to_owned(), why };
        if let Some(path) = host.strip_prefix("unix://") {
            reach(host, Path::new(path)).await?;
        }
        let docker = Docker::connect_with_host(host).map_err(|error| no_engine(innermost(&error)))?;
        let said = docker.version().await.map_err(|error| no_engine(innermost(&error)))?;
        let api = said.api_version.unwrap_or_default();
        if version(&api).is_none_or(|version| version < OLDEST) {
            return Err(EngineError::TooOld { host: host.to_owned(), api });
        }
        // The client's default is newer than many an engine.
        let docker = docker.negotiate_version().await.map_err(|error| no_engine(innermost(&error)))?;
        Ok(Self { docker, host: host.to_owned() })
    }

    /// Where it is.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn info(&self) -> Result<EngineInfo, EngineError> {
        let said = self
            .docker
            .version()
            .await
            .map_err(EngineError::refused("ask the container engine what it is"))?;
        let components = said.components.unwrap_or_default();
        let podman = components.iter().any(|part| part.name.contains("Podman"));
        Ok(EngineInfo {
            name: if podman { "Podman" } else { "Docker" }.to_owned(),
            version: said.version.unwrap_or_default(),
            api: said.api_version.unwrap_or_default(),
        })
    }

    /// Whether its containers' processes are processes of this machine, and ours to visit: it is reached by a unix socket,
    /// and we are root.
    pub fn is_at_hand(&self) -> bool {
        self.host.starts_with("unix://") && nix::unistd::geteuid().is_root()
    }

    /// Waits until the engine answers no more; never returns while it does.
    pub async fn gone(&self) {
        // Its events come on one connection, which the kernel closes whatever ends the engine.
        loop {
            let mut events = self.docker.events(None);
            while let Some(Ok(_)) = events.next().await {}
            if self.docker.ping().await.is_err() {
                return;
            }
        }
    }

    pub(super) fn api(&self) -> &Docker {
        &self.docker
    }
}

/// Tells a socket that is not there, nobody behind it, and one that is not for us apart.
async fn reach(host: &str, path: &Path) -> Result<(), EngineError> {
    match tokio::net::UnixStream::connect(path).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(EngineError::NotAllowed { host: host.to_owned(), why: error.to_string() })
        }
        Err(error) => Err(EngineError::NoEngine { host: host.to_owned(), why: error.to_string() }),
    }
}

/// The engine that is meant: the one that is named, else the first whose socket is there.
fn host(named: Option<String>, there: impl Fn(&Path) -> bool) -> String {
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        return named;
    }
    let docker = PathBuf::from("/var/run/docker.sock");
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let podman = runtime.map(|dir| dir.join("podman/podman.sock")).into_iter();
    let podman = podman.chain([PathBuf::from("/run/podman/podman.sock")]);
    let found = std::iter::once(docker.clone()).chain(podman).find(|path| there(path));
    format!("unix://{}", found.unwrap_or(docker).display())
}

fn version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::named(Some("tcp://10.0.0.1:2375"), &[], "tcp://10.0.0.1:2375")]
    #[case::docker(None, &["/var/run/docker.sock", "/run/podman/podman.sock"], "unix:///var/run/docker.sock")]
    #[case::podman(None, &["/run/podman/podman.sock"], "unix:///run/podman/podman.sock")]
    #[case::none(None, &[], "unix:///var/run/docker.sock")]
    #[case::named_nothing(Some(""), &[], "unix:///var/run/docker.sock")]
    fn the_engine_that_is_meant(#[case] named: Option<&str>, #[case] there: &[&str], #[case] meant: &str) {
        let there = |path: &Path| there.iter().any(|other| Path::new(other) == path);
        assert_eq!(host(named.map(str::to_owned), there), meant);
    }

    #[tokio::test]
    async fn nobody_there_is_said_with_the_place() {
        let error = Engine::connect_to("unix:///no/such.sock").await.expect_err("nobody is there");
        assert!(
            error.to_string().starts_with("no container engine answers at unix:///no/such.sock: "),
            "{error}"
        );
    }
}
