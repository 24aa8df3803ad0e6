//! The commands of the `fabric` binary, one file each.

mod args;
mod bench;
mod doctor;
mod down;
mod enter;
mod exit;
mod list;
mod pick;
mod status;
mod test;
mod up;

pub(crate) use args::main;
