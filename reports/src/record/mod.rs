//! The record of one run: types ([`Record`] and its parts), the file, the schema.

mod cause;
mod check;
mod cilium;
mod drawn;
mod file;
mod happened;
mod run;
#[cfg(test)]
pub(crate) mod sample;
mod schema;
pub mod shape;

pub use cause::{Cause, Rung, RungName, Standing};
pub(crate) use check::pretty;
pub use check::{Check, Content, Deadline, Evidence, Hop, Path, Place, Term, Verdict};
pub use cilium::Cilium;
pub use drawn::{Link, LinkEnd, Node, Role, Topology};
pub use file::RecordError;
pub(crate) use file::write_atomically;
pub use happened::{Happening, Message, Moment, Phase, PodChange, RouteChange, State, Step, Table};
pub use run::{
    Cluster, Environment, Failure, Kind, Lab, LeftOut, Outcome, Record, Runtime, SCHEMA_VERSION, new_run_id,
};
pub(crate) use run::{at, length, milliseconds};
pub(crate) use schema::SCHEMAS;
pub use schema::{SCHEMA_FILE, schema};
