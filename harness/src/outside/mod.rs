//! Programs of others that make parts of a lab: kind, helm, containerlab, clabernetes.
//!
//! What lives here: their command lines (`kind`, `helm`, `containerlab`), running one (`command`), why one failed and what to
//! type (`known`, `machine`), finding them (`found`), what they made, to be taken away again (`made`), and the one that is spoken
//! to through a cluster's API (`clabernetes`). What does not: the
//! order in which a lab needs them (`crate::world`).

mod clabernetes;
mod command;
pub(crate) mod containerlab;
mod found;
pub(crate) mod helm;
pub(crate) mod kind;
mod known;
mod limits;
mod machine;
mod made;
mod spec;

pub use clabernetes::{Clabernetes, ClabernetesError};
pub(crate) use command::{Outside, Said};
pub(crate) use found::shown;
pub use found::{Program, ProgramError, Version, find};
pub(crate) use limits::Limit;
pub(crate) use made::unmake;
pub use made::{Made, MadeCluster};
pub use spec::{Chart, Deployer, LabSpec};
