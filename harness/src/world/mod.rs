//! A fabric from the inside: what a keeper keeps.
//!
//! Nodes and their wires (`nodes`, `specs`; in namespaces or containers, `housing`), the steps of bringing up (`underlay`, `cluster`, `cni`), what nodes
//! answer for Services (`services`), and the whole (`whole`). Only keepers use it; clients see a fabric through `runtime::keeper::Keeper`.

mod agents;
mod cluster;
mod cni;
mod containers;
mod housing;
mod nodes;
mod pods;
mod services;
mod specs;
mod underlay;
mod way;
mod whole;

pub(crate) use containers::images;
pub(crate) use housing::sweep;
pub(crate) use whole::World;
