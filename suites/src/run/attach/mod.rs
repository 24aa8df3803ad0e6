//! Judging what others brought up: which phases its present state satisfies, and walking through them where that is allowed.

mod choose;
mod host;
mod present;
mod restore;
mod session;
mod settings;
mod speakers;

pub(super) use session::run;
pub use settings::{FoundSettings, SettingsError};

#[cfg(test)]
mod tests;
