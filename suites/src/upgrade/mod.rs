//! What an upgrade of Cilium will do to a BGP fabric, judged from what is written down, before anything is touched.
//!
//! What lives here: the rules, each over the version table (`fabric_harness::cilium`), and what they find. What does not:
//! the facts about versions, reading files and clusters for it (`cli::upgrade`), showing it.

mod asked;
mod effect;
mod expected;
mod finding;
mod forecast;
mod kept;
mod live;
mod look;
mod migrate;
mod read;
mod rules;

pub use asked::{Asked, AskedNode, ValuesFile};
pub use effect::Effect;
pub use expected::{Between, between};
pub use finding::{Finding, Severity};
pub use forecast::{Forecast, Step, forecast};
pub use kept::kept;
pub use live::of_cluster;
pub use migrate::{MigrateError, Migrated, migrate, with_version};
pub use read::{AskError, Files, of_files, of_lab, version_at};

#[cfg(test)]
mod tests;
