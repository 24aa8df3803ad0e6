//! What a topology asks of a node's container: limits, rights, names, ports, health.

mod amounts;
mod ports;
mod read;
mod types;

pub use ports::PublishedPort;
pub use types::{CgroupNamespace, ContainerOptions, Dns, Healthcheck, PullPolicy, RestartPolicy};

#[cfg(test)]
mod tests;
