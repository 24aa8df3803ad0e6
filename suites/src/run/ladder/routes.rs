//! Why a route is not where it should be.

use crate::checks::Verdict;
use crate::ladder::Finding;
use crate::plan::PlannedCheck;
use crate::run::observe::Context;

/// The ladder of a check of routing tables.
pub(super) async fn climb(_context: &Context, _check: &PlannedCheck, _verdict: &Verdict) -> Finding {
    Finding::default()
}
