//! Who is at the other end of a session: the two views of one session are one thing.

use std::collections::BTreeSet;

use super::facts::Facts;
use crate::record::{Role, Topology};

/// A box and the neighbor it has configured there.
pub(super) type End = (String, String);

/// Both ends of a session, as [`Peers::pair`] gives them; the other one where it is observed.
pub(super) type Pair = (End, Option<End>);

/// The boxes and links of both records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peers<'a> {
    pub(super) topology: Option<&'a Topology>,
    pub(super) old: &'a Facts,
    pub(super) new: &'a Facts,
}

impl Peers<'_> {
    /// The box at the other end, where it can be told.
    pub(super) fn peer(&self, end: &End) -> Option<String> {
        if let Some((node, _)) = self.over_link(end) {
            return Some(self.known_as(&node));
        }
        for facts in [self.old, self.new] {
            let Some(session) = facts.sessions.get(end) else { continue };
            if let Some(place) = session.address.as_deref().and_then(|address| facts.names.place(address)) {
                return Some(self.known_as(place));
            }
            if let Some(hostname) = &session.hostname {
                return Some(self.known_as(hostname));
            }
        }
        None
    }

    /// The same session as the other end has it, where that is observed.
    pub(super) fn other(&self, end: &End) -> Option<End> {
        if let Some(far) = self.over_link(end)
            && self.is_session(&far)
        {
            return Some(far);
        }
        let peer = self.peer(end)?;
        let all = self.old.sessions.keys().chain(self.new.sessions.keys());
        let back: BTreeSet<&End> =
            all.filter(|far| far.0 == peer && self.peer(far).as_deref() == Some(end.0.as_str())).collect();
        // Of several sessions between two boxes it cannot be told which is which.
        match back.into_iter().collect::<Vec<_>>().as_slice() {
            [one] => Some((*one).clone()),
            _ => None,
        }
    }

    /// Both ends of a session in an order that does not depend on where one begins.
    pub(super) fn pair(&self, end: &End) -> Pair {
        match self.other(end) {
            Some(other) if other < *end => (other, Some(end.clone())),
            other => (end.clone(), other),
        }
    }

    /// Whether a name that the cluster or a user gives a box is that of this box.
    pub(super) fn is(&self, called: &str, node: &str) -> bool {
        // Without a topology to look it up in, kind's prefix is all that there is to it.
        self.known_as(called) == node || called.strip_suffix(node).is_some_and(|prefix| prefix.ends_with('-'))
    }

    fn is_session(&self, end: &End) -> bool {
        self.old.sessions.contains_key(end) || self.new.sessions.contains_key(end)
    }

    fn over_link(&self, (node, interface): &End) -> Option<End> {
        self.topology?.links.iter().find_map(|link| {
            let at = |end: usize| link.ends[end].node == *node && link.ends[end].interface == *interface;
            let far = match (at(0), at(1)) {
                (true, _) => &link.ends[1],
                (_, true) => &link.ends[0],
                _ => return None,
            };
            Some((far.node.clone(), far.interface.clone()))
        })
    }

    /// The name under which a box's states stand: a node of the topology that lives in a cluster node's network is that node,
    /// and a cluster node is also called by its full name.
    fn known_as(&self, name: &str) -> String {
        let nodes = self.topology.into_iter().flat_map(|topology| &topology.nodes);
        let known = nodes.into_iter().find(|node| {
            node.name == name
                || node.also.iter().any(|also| also == name)
                || (node.role == Role::ClusterNode
                    && (node.name.ends_with(&format!("-{name}"))
                        || name.ends_with(&format!("-{}", node.name))))
        });
        known.map_or_else(|| name.to_owned(), |node| node.name.clone())
    }
}
