//! Nodes that are containers, through the Docker engine's API (bollard).

mod container;
mod engine;
mod error;
mod image;
mod network;
mod node;
mod process;

pub(crate) use container::{CONTAINERLAB, FABRIC};
pub use container::{Container, ContainerSpec, Joins, Port};
pub use engine::{Engine, EngineInfo};
pub use error::EngineError;
pub use image::ImageMap;
pub use network::{Network, NetworkSpec};
pub use node::DockerNode;
