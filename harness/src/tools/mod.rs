//! The programs a node needs, and whether this machine can run a fabric at all.
//!
//! What lives here: finding FRR, GoBGP and the small tools on the host ([`present`]), fetching what the host lacks
//! as distribution packages into the user's cache without root ([`ensure`]; [`ensure_speaker`] for the GoBGP that a Cilium
//! embeds), and the checks behind `fabric doctor`
//! ([`preflight`], [`doctor`]). What does not: laying a layer over a node's file system (`runtime`).

mod apt;
mod cache;
pub(crate) mod child;
mod distro;
mod dpkg;
mod ensure;
mod error;
mod host;
mod layer;
mod manifest;
mod preflight;

mod settings;
mod speaker;
mod suites;
mod tool;

#[cfg(test)]
mod live;

pub use distro::{Distro, Family};
pub use ensure::{
    Layers, Origin, Presence, Progress, ToolInfo, ensure, ensure_with, present, present_with, versions,
};
pub use error::ToolsError;

pub use preflight::{Finding, Level, doctor, preflight, to_json, to_text, worst};
pub use settings::Settings;
pub use speaker::{ensure_speaker, ensure_speaker_with};
pub use tool::{Tool, UnknownTool};
