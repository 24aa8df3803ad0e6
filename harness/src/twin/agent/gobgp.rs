//! What GoBGP reads and says, typed: its configuration, its log, and the answers of `gobgp -j`.
//!
//! What lives here: the formats of gobgpd 3.x (tested against 3.10 from Debian). What does not: running it
//! (`speaker`).

mod answers;
mod config;
mod counts;
mod filters;
mod log;

pub use answers::{NeighborState, Path, Rib, SessionState, neighbors, rib};
pub use config::config;
pub use counts::{Standing, prefixes, standing};
pub use log::{LogLine, Said, log_line};
