//! For tests: a real network namespace, a pretended gobgpd, a pretended API server.

mod api;
mod netns;
mod pretended;

pub(crate) use api::{NODES, POLICIES, Server};
pub(crate) use netns::Netns;
pub(crate) use pretended::Pretended;
