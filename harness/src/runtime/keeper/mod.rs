//! The keeper: the parent of everything that lives in a fabric.
//!
//! It enters the user namespace, makes the nodes, serves the twin's API and a small control socket, and writes the
//! state file. Killing it is the teardown: its nodes end with it.

mod client;
mod control;
mod main;
mod protocol;
mod state;

pub(crate) use client::ETC;
pub use client::{Keeper, KeeperError};
pub use protocol::{
    AgentInfo, AgentNeighbor, AgentSession, AgentSpeaker, CommandEvent, CommandMoment, ExecResult,
    KeeperSpec, NodeInfo, OperatorSeen, Progress, RuntimeSpec, StepReport, UpgradeOrder,
};
pub use state::{State, StateError, leftovers, runtime_dir, states};

pub(crate) use main::main;
