//! containerlab's topology file, typed: inheritance applied, every command split, every link's ends checked.

mod bind;
mod check;
mod definition;
mod env;
mod kinds;
mod link;
mod options;
mod read;
mod routing;
mod stages;
mod types;

pub use options::{
    CgroupNamespace, ContainerOptions, Dns, Healthcheck, PublishedPort, PullPolicy, RestartPolicy,
};
pub use read::read;
pub use routing::Routing;
pub use types::{
    Bind, Endpoint, ExecLine, Link, Mgmt, NetworkMode, NodeKind, NodeSpec, Stage, StageName, Stages,
    Topology, WaitFor,
};

pub(crate) use check::check_containers;
pub(crate) use env::replaced;

#[cfg(test)]
mod tests;
