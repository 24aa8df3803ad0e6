//! Which ladder a check climbs, and for how long at most.

use std::time::Duration;

use super::super::observe::Context;
use super::{boxes, packets, routes, session};
use crate::checks::Verdict;
use crate::ladder::Finding;
use crate::plan::{CheckSpec, PlannedCheck};

/// The longest that a climb may take, with its wait for its turn: when every session of a large fabric is down they are
/// looked at some at a time.
const LIMIT: Duration = Duration::from_secs(30);

/// Looks for what is to blame for a check that failed. It changes nothing on the fabric.
pub(in crate::run) async fn climb(context: &Context, check: &PlannedCheck, verdict: &Verdict) -> Finding {
    let ladder = async {
        match &check.spec {
            CheckSpec::Session(spec) => session::climb(context, spec).await,
            CheckSpec::Rib(_) | CheckSpec::Fib(_) => routes::climb(context, check, verdict).await,
            CheckSpec::Reach(_) | CheckSpec::Path(_) | CheckSpec::Agree(_) => {
                packets::climb(context, check, verdict).await
            }
            CheckSpec::Pod(spec) => boxes::pod(context, spec).await,
            CheckSpec::Interface(spec) => boxes::interface(context, spec).await,
            CheckSpec::Nodes(spec) => boxes::node(context, spec).await,
            // What a line said is all there is to be known of it.
            CheckSpec::Lines(_) | CheckSpec::Throughout(_) => Finding::default(),
        }
    };
    tokio::time::timeout(LIMIT, ladder).await.unwrap_or_default()
}
