//! Nodes that are containers, through the Docker engine's API (bollard).

mod body;
mod container;
mod engine;
mod error;
mod found;
mod image;
mod network;
mod node;
mod process;

pub(crate) use container::{CONTAINERLAB, FABRIC};
pub use container::{Container, ContainerSpec, Joins};
pub use engine::{Engine, EngineInfo};
pub use error::EngineError;
pub use found::ContainerSeen;
pub use image::ImageMap;
pub use network::{Network, NetworkSpec};
pub use node::DockerNode;
