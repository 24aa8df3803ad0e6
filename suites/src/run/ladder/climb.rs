//! Which ladder a check climbs.

use super::super::observe::Context;
use crate::checks::Verdict;
use crate::ladder::Finding;
use crate::plan::{CheckSpec, PlannedCheck};

/// Looks for what is to blame for a check that failed. It changes nothing on the fabric.
pub(in crate::run) async fn climb(_context: &Context, check: &PlannedCheck, _verdict: &Verdict) -> Finding {
    match &check.spec {
        CheckSpec::Session(_)
        | CheckSpec::Rib(_)
        | CheckSpec::Fib(_)
        | CheckSpec::Reach(_)
        | CheckSpec::Path(_)
        | CheckSpec::Agree(_)
        | CheckSpec::Pod(_)
        | CheckSpec::Nodes(_)
        | CheckSpec::Interface(_)
        | CheckSpec::Lines(_) => Finding::default(),
    }
}
