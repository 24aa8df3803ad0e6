//! Why packets do not arrive, or take another way.

use crate::checks::Verdict;
use crate::ladder::Finding;
use crate::plan::PlannedCheck;
use crate::run::observe::Context;

/// The ladder of a check that sends packets.
pub(super) async fn climb(_context: &Context, _check: &PlannedCheck, _verdict: &Verdict) -> Finding {
    Finding::default()
}
