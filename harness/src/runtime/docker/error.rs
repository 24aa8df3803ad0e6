//! What can go wrong between us and a container engine.
//!
//! What lives here: the errors, each with what was tried and what to do, and telling the engine's answers apart. What
//! does not: asking (`engine`, `container`, `image`, `network`).

use bollard::errors::Error as Bollard;

/// What can go wrong between us and a container engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Nobody answers.
    #[error(
        "no container engine answers at {host}: {why}; start one (`systemctl start docker`), or name another's socket in DOCKER_HOST"
    )]
    NoEngine {
        /// Where it was looked for.
        host: String,
        /// The system's word.
        why: String,
    },
    /// The socket is there and not for us.
    #[error(
        "the container engine at {host} is not for this user: {why}; run this as root, or join the group `docker`"
    )]
    NotAllowed {
        /// Where it is.
        host: String,
        /// The system's word.
        why: String,
    },
    /// It speaks too old an API.
    #[error(
        "the container engine at {host} speaks API {api}, and 1.41 (Docker 20.10) is the oldest that will do; update it"
    )]
    TooOld {
        /// Where it is.
        host: String,
        /// What it speaks.
        api: String,
    },
    /// An image is neither there nor to be had.
    #[error(
        "{node}: the image {image} is not there and could not be pulled: {why}; without a registry, `fixtures/images/build` makes \
         images of Debian's packages, and `--image {repository}=fabric/frr` (or fabric/node) takes one in its place"
    )]
    NoImage {
        /// Who needs it.
        node: String,
        /// Its name.
        image: String,
        /// The name without a tag.
        repository: String,
        /// The engine's word.
        why: String,
    },
    /// A container of that name is there already.
    #[error(
        "{node}: a container named {name} is there already ({whose}); remove it (`docker rm -f {name}`), or end the lab it belongs to"
    )]
    NameTaken {
        /// Who needs it.
        node: String,
        /// The name.
        name: String,
        /// What is known of the other.
        whose: String,
    },
    /// A container did not stay up.
    #[error(
        "{node}: the container ended as soon as it was started, with code {code}: {said}; its image {image} needs a command that stays (`cmd:`)"
    )]
    Ended {
        /// Whose container.
        node: String,
        /// Its image.
        image: String,
        /// Its exit code.
        code: i64,
        /// The last it said.
        said: String,
    },
    /// A network is there already and is another.
    #[error(
        "the network {name} is there already with the subnets {there}, and the lab asks for {asked}; remove it (`docker network rm {name}`), or give the lab's `mgmt.network` another name"
    )]
    OtherNetwork {
        /// Its name.
        name: String,
        /// What it has.
        there: String,
        /// What the lab wants.
        asked: String,
    },
    /// Anything else the engine said no to.
    #[error("{what}: {why}")]
    Refused {
        /// What was tried, and on what.
        what: String,
        /// The engine's word.
        why: String,
    },
}

impl EngineError {
    /// An answer of the engine's to something we tried.
    pub(super) fn refused(what: impl Into<String>) -> impl FnOnce(Bollard) -> Self {
        let what = what.into();
        move |error| Self::Refused { what, why: why(&error) }
    }
}

/// The engine's own words, without the frame around them.
pub(super) fn why(error: &Bollard) -> String {
    match error {
        Bollard::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Bollard::HyperLegacyError { .. } | Bollard::IOError { .. } | Bollard::HyperResponseError { .. } => {
            format!("the container engine does not answer any more ({})", innermost(error))
        }
        other => other.to_string(),
    }
}

/// The status of an answer, where there was one.
pub(super) fn status(error: &Bollard) -> Option<u16> {
    match error {
        Bollard::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// The cause at the bottom: what the system said.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(below) = last.source() {
        last = below;
    }
    last.to_string()
}
