//! `fabric matrix` and `fabric bisect`: one lab on the twin of several versions of Cilium.

mod bisect;
mod column;
mod command;
mod table;

pub(super) use bisect::{BisectArgs, run as bisect};
pub(super) use command::{MatrixArgs, run};
