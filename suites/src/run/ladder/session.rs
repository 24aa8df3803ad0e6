//! Why a session is not up, or does not carry what it should.

use crate::checks::SessionSpec;
use crate::ladder::Finding;
use crate::run::attempt::neighbor_of;
use crate::run::observe::Context;

/// The ladder of a check of a session.
pub(super) async fn climb(context: &Context, spec: &SessionSpec) -> Finding {
    match neighbor_of(context, spec) {
        Some(neighbor) => of(context, spec.router(), &neighbor).await,
        None => Finding::default(),
    }
}

/// The ladder of a router's session with a neighbor (its key: `net0`, `10.0.1.2`), from the link to the hold time; its
/// `blame` is none where the session is up. Both ends of a session have the same; it is climbed once and kept for some
/// seconds. Ladders of routes and of packets stand on it.
pub(super) async fn of(context: &Context, router: &str, neighbor: &str) -> Finding {
    let key = (router.to_owned(), neighbor.to_owned());
    context.ladders.or_look(key, || async { Finding::default() }).await
}
