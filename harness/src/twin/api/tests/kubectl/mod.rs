//! The endpoint through real kubectls: `FABRIC_KUBECTL_DIR=FOLDER cargo test -p fabric-harness --lib kubectl`.
//!
//! What lives here: only re-exports. `run` finds them, the others ask. Pods that really run are asked for in `suites/tests/live`.

mod apply;
mod create;
mod everyday;
mod owned;
mod run;
mod says;
