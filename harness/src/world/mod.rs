//! A fabric from the inside: what a keeper keeps.
//!
//! Nodes and their wires (`nodes`, `specs`), the steps of bringing up (`underlay`, `cluster`, `cni`), what nodes
//! answer for Services (`services`), and the whole (`whole`). Only keepers use it; clients see a fabric through `runtime::keeper::Keeper`.

mod agents;
mod cluster;
mod cni;
mod nodes;
mod pods;
mod services;
mod specs;
mod underlay;
mod way;
mod whole;

pub(crate) use whole::World;
