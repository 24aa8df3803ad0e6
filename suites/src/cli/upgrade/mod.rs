//! `fabric upgrade`: what an upgrade of Cilium will do, before anything is touched.

mod command;
mod markdown;
mod text;

pub(super) use command::{Upgrade, run};
