//! A fabric from the inside: what a keeper keeps.
//!
//! Nodes and their wires (`nodes`, `specs`; in namespaces or containers, `housing`), the steps of bringing up (`underlay`, `cluster`, `cni`) and who does
//! them (`provision`: the twin; `real`: kind and helm), what nodes
//! answer for Services (`services`), and the whole (`whole`). Only keepers use it; clients see a fabric through `runtime::keeper::Keeper`.

mod agents;
mod cluster;
mod cni;
mod containers;
mod gates;
mod housing;
mod ledger;
mod nodes;
mod parts;
mod pods;
mod provision;
mod real;
mod services;
mod specs;
mod underlay;
mod upgrade;
mod way;
mod whole;

pub(crate) use containers::images;
pub(crate) use housing::sweep;
pub(crate) use whole::{World, WorldError};
