//! What the tests stand on: a place of their own, the program in it, and eyes for what it leaves behind.

mod ground;
mod host;
mod kin;
mod labs;
mod record;
mod wait;

pub(crate) use ground::{Done, Ground, Running};
pub(crate) use kin::Kin;
pub(crate) use labs::{article, copy, foreign, impatient};
pub(crate) use record::Record;
pub(crate) use wait::{SOON, a_second, until};
