//! The state file while its keeper lives.
//!
//! What lives here: changing what it says, and writing it. What does not: what it says (`runtime::keeper::State`).

use tokio::sync::Mutex;

use super::whole::WorldError;
use crate::outside::Made;
use crate::runtime::keeper::State;

/// A fabric's state, and its file.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<State>);

impl Ledger {
    /// Opens it: the file is written.
    pub(super) fn open(state: State) -> Result<Self, WorldError> {
        write(&state)?;
        Ok(Self(Mutex::new(state)))
    }

    /// Changes what it says; the file has it when this returns.
    pub(super) async fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), WorldError> {
        let mut state = self.0.lock().await;
        change(&mut state);
        write(&state)
    }

    /// What programs of others made.
    pub(super) async fn made(&self) -> Made {
        self.0.lock().await.made.clone()
    }
}

fn write(state: &State) -> Result<(), WorldError> {
    state.write().map_err(|source| WorldError::Io { what: "write the state file".into(), source })
}
