//! Which event an outage goes back to: what was done to the box that the prefix or the flow belongs to, and the session that
//! was lost on the way. Pure.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::moments::Moment;

/// What is seen 50 ms apart may be told in the wrong order.
const BLUR: Duration = Duration::from_millis(60);
/// A flow breaks and comes back with its route: one of them is noticed so much sooner at most.
const TOGETHER: Duration = Duration::from_secs(1);

/// A session that a router lost, and with which box it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostSession {
    pub(super) router: String,
    pub(super) peer: String,
    /// What people call it.
    pub(super) called: Option<String>,
    pub(super) at: Instant,
    pub(super) reason: Option<String>,
}

/// A prefix that was away from a router, with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LostRoute {
    pub(super) router: String,
    pub(super) prefix: IpNet,
    pub(super) from: Instant,
    pub(super) cause: Option<String>,
}

/// Everything that can be a cause.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) done: Vec<Moment>,
    pub(super) lost: Vec<LostSession>,
}

impl Events {
    /// Why what belongs to a box went at a moment: the session with it that was lost, and what was done to it before.
    pub(super) fn of(&self, owner: Option<&str>, at: Instant) -> Option<String> {
        let until = at + BLUR;
        let owned = |node: &str| owner == Some(node);
        let session = self.lost.iter().filter(|lost| lost.at <= until && owned(&lost.peer));
        // A session that had been lost long ago has nothing to do with it.
        let session = session.filter(|lost| lost.at + TOGETHER * 2 >= at).max_by_key(|lost| lost.at);
        let began = session.map_or(at, |lost| lost.at) + BLUR;
        let before = || self.done.iter().filter(move |moment| moment.at <= began);
        let of_owner = || before().filter(|moment| moment.node.as_deref().is_some_and(owned));
        // Of what was done since it was lost before the first thing counts: an agent is ended, and another one works soon after.
        let previous = session.and_then(|session| {
            let before = self.lost.iter().filter(|lost| owned(&lost.peer) && lost.at + BLUR < session.at);
            before.map(|lost| lost.at).max()
        });
        let own = of_owner()
            .filter(|moment| previous.is_none_or(|previous| moment.at > previous))
            .min_by_key(|moment| moment.at);
        let done = own.or_else(|| before().filter(|moment| moment.node.is_none()).max_by_key(|m| m.at));
        let done = done.map(|moment| moment.what.clone());
        let session = session.map(|LostSession { router, peer, called, reason, .. }| {
            let peer = called.as_ref().unwrap_or(peer);
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("{router} lost its session with {peer}{reason}")
        });
        let parts: Vec<String> = done.into_iter().chain(session).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Why a flow between two addresses broke at a moment: a route to one of them that was lost, else what was done to one of
    /// the boxes that have them.
    pub(super) fn of_flow(
        &self,
        ends: &[IpAddr],
        boxes: &[String],
        routes: &[LostRoute],
        at: Instant,
    ) -> Option<String> {
        let near = |route: &&LostRoute| {
            route.from <= at + TOGETHER
                && at <= route.from + TOGETHER
                && ends.iter().any(|end| route.prefix.contains(end))
        };
        if let Some(route) = routes.iter().filter(near).min_by_key(|route| route.from) {
            let cause = route.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
            return Some(format!("{} had no route to {}{cause}", route.router, route.prefix));
        }
        let until = at + BLUR;
        let of_ends = |moment: &&Moment| {
            moment.at <= until && moment.node.as_ref().is_none_or(|node| boxes.contains(node))
        };
        self.done.iter().filter(of_ends).max_by_key(|moment| moment.at).map(|moment| moment.what.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(begun: Instant) -> Events {
        let at = |ms| begun + Duration::from_millis(ms);
        let moment = |ms, node: Option<&str>, what: &str| Moment {
            at: at(ms),
            node: node.map(str::to_owned),
            what: what.to_owned(),
        };
        Events {
            done: vec![
                moment(0, None, "upgrade Cilium to 1.20.0"),
                moment(100, Some("worker"), "worker: the agent of Cilium 1.12.1 is ended"),
                moment(5_000, Some("worker2"), "worker2: the agent of Cilium 1.12.1 is ended"),
            ],
            lost: vec![LostSession {
                router: "tor0".to_owned(),
                peer: "worker".to_owned(),
                called: None,
                at: at(120),
                reason: Some("Peer closed the session".to_owned()),
            }],
        }
    }

    #[test]
    fn what_was_done_to_the_owner_and_the_session_it_cost() {
        let begun = Instant::now();
        let events = events(begun);
        let at = |ms| begun + Duration::from_millis(ms);
        assert_eq!(
            events.of(Some("worker"), at(200)).unwrap(),
            "worker: the agent of Cilium 1.12.1 is ended; tor0 lost its session with worker (Peer closed the session)"
        );
        assert_eq!(
            events.of(Some("worker2"), at(200)).unwrap(),
            "upgrade Cilium to 1.20.0",
            "not yet its own"
        );
        assert!(events.of(Some("worker2"), at(5_010)).unwrap().starts_with("worker2: "));
        assert_eq!(events.of(None, at(200)).unwrap(), "upgrade Cilium to 1.20.0");
        assert_eq!(Events::default().of(Some("worker"), at(200)), None);
    }

    #[test]
    fn a_flow_breaks_with_its_route() {
        let begun = Instant::now();
        let events = events(begun);
        let at = |ms| begun + Duration::from_millis(ms);
        let route = LostRoute {
            router: "router0".to_owned(),
            prefix: "10.1.1.0/24".parse().unwrap(),
            from: at(180),
            cause: Some("the agent has ended".to_owned()),
        };
        let ends = ["10.1.1.5".parse().unwrap(), "10.1.3.5".parse().unwrap()];
        assert_eq!(
            events.of_flow(&ends, &[], std::slice::from_ref(&route), at(190)).unwrap(),
            "router0 had no route to 10.1.1.0/24: the agent has ended"
        );
        let boxes = ["worker2".to_owned()];
        assert!(events.of_flow(&ends, &boxes, &[route], at(5_050)).unwrap().starts_with("worker2: "));
    }
}
