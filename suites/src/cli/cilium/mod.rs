//! `fabric cilium bgp peers | routes`: what Cilium's own command line prints for the same state.

mod command;
mod peers;
mod routes;
mod tabs;

pub(super) use command::{Cilium, run};
