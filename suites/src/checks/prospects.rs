//! Whether more time can help a session that is not up: reasons why it cannot come up, as things are.
//!
//! What lives here: proofs, from what both ends say. What proves nothing is no reason: then there is still hope, and the
//! deadline decides. What does not: gathering what is looked at (`run::prospects`).

use std::net::IpAddr;
use std::time::Duration;

use fabric_harness::router::{Family, Link, Session, SessionType, Sessions};
use fabric_harness::runtime::keeper::AgentNeighbor;
use ipnet::IpNet;

use super::verdict::listed;

/// Cilium on the node that has a neighbor's address.
#[derive(Debug, Clone, PartialEq)]
pub struct FarEnd<'a> {
    /// The node.
    pub node: &'a str,
    /// How long ago it has acted on the newest of everything; `None` while it has not.
    pub settled: Option<Duration>,
    /// With whom it speaks.
    pub neighbors: &'a [AgentNeighbor],
    /// What is wrong with it, in its own words.
    pub problems: &'a [String],
    /// That there are policies which its version does not read.
    pub ignores: Option<&'a str>,
    /// Why it does not say more though nothing is wrong, in its own words.
    pub silences: &'a [String],
}

impl FarEnd<'_> {
    fn says(&self) -> String {
        let ignores = self.ignores.map(|word| format!("; {word}"));
        let all = self.problems.iter().chain(self.silences).map(|word| format!("; it says: {word}"));
        ignores.into_iter().chain(all).collect()
    }
}

/// FRR counts the age of its last reset in whole seconds.
pub const RESOLUTION: Duration = Duration::from_secs(1);
/// A route that a router has is in use well before this.
pub const ROUTED: Duration = Duration::from_secs(10);
/// After this long a router has been read anew, whatever was done to it before.
pub const FRESH: Duration = Duration::from_secs(2);

/// Why a session cannot come up as things are; `None` when it is up, or may come up.
///
/// `own` are the router's addresses, `far` is Cilium at the other end, if it is one of its nodes, and `still` is for how
/// long nothing has been done to the fabric.
pub fn never_up(
    router: &str,
    session: &Session,
    own: &[IpAddr],
    far: Option<&FarEnd<'_>>,
    still: Duration,
) -> Option<String> {
    if session.is_up() {
        return None;
    }
    if session.shutdown {
        return Some(format!("{router} has shut the session down by configuration"));
    }
    let Some(far) = far else { return refused(router, session, still) };
    let settled = far.settled?;
    let node = far.node;
    match far.neighbors.iter().find(|neighbor| own.contains(&neighbor.address)) {
        None => {
            let others = far.neighbors.iter().map(|neighbor| neighbor.address.to_string());
            let whom = if far.neighbors.is_empty() { "nobody".to_owned() } else { listed(others) };
            let says = far.says();
            Some(format!(
                "Cilium on {node} has acted on the newest policies and peers with {whom}, not with {router}{says}"
            ))
        }
        Some(AgentNeighbor { asn, local_asn, .. }) => {
            let router_asn = session.local_as;
            if *asn != 0 && *asn != router_asn {
                return Some(format!(
                    "Cilium on {node} expects AS {asn} of {router}, which is AS {router_asn}: each OPEN is refused"
                ));
            }
            let same = *local_asn == router_asn;
            match session.kind {
                SessionType::Internal if !same => Some(format!(
                    "{router} takes only its own AS {router_asn} for {node}, and Cilium there is AS {local_asn}: each OPEN is refused"
                )),
                SessionType::External if same => Some(format!(
                    "{router} takes only another AS than its own for {node}, and Cilium there is AS {local_asn} too: each OPEN is refused"
                )),
                _ => refused(router, session, settled.min(still)),
            }
        }
    }
}

/// Why a router cannot even dial a neighbor: it has no route to it, and nothing is left that could bring one.
///
/// `all` are the router's sessions, `nets` the addresses of its interfaces with their prefix lengths, and `still` is for how
/// long nothing has been done to the fabric and nothing has moved on the router.
pub fn unreachable(
    router: &str,
    session: &Session,
    all: &Sessions,
    nets: &[IpNet],
    still: Duration,
) -> Option<String> {
    let address = session.address.filter(|_| !session.is_up() && waits_for_a_route(session))?;
    // A link with no address but link-local ones: what is not known of is no proof.
    let linked = nets.iter().any(|net| net.contains(&address));
    // A neighbor some hops away is reached by what other neighbors say, and those may still come up.
    let others = all.values().all(|other| other.is_up() || waits_for_a_route(other));
    (!linked && others && still >= ROUTED).then(|| {
        format!(
            "{router} has no route to {address}: none of its interfaces is in a network with that address"
        )
    })
}

/// FRR tries no neighbor to which next hop tracking finds no route.
fn waits_for_a_route(session: &Session) -> bool {
    const WORDS: [&str; 2] = ["Waiting for NHT", "No path to specified Neighbor"];
    session.last_reset.as_ref().is_some_and(|reset| WORDS.contains(&reset.reason.as_str()))
}

/// Why no session can come up over an interface of a router: links of a lab come up when it is brought up, not later.
pub fn link_down(router: &str, interface: &str, links: &[Link]) -> Option<String> {
    let Some(link) = links.iter().find(|link| link.name == interface) else {
        return Some(format!("{router} has no interface {interface}"));
    };
    if !link.up {
        Some(format!("{router} has switched {interface} off (`ip link set {interface} up` switches it on)"))
    } else if !link.carrier {
        Some(format!("{interface} of {router} has no carrier: the other end of the link is off, or gone"))
    } else {
        None
    }
}

/// Why a session that is up will not carry a family: families are told in the OPEN (RFC 4760), and an end that is not
/// configured for one does not tell it.
pub fn never_carries(
    router: &str,
    session: &Session,
    wanted: &Family,
    own: &[IpAddr],
    far: Option<&FarEnd<'_>>,
    still: Duration,
) -> Option<String> {
    let name = match wanted {
        Family::Ipv4Unicast => "ipv4/unicast",
        Family::Ipv6Unicast => "ipv6/unicast",
        Family::Other(_) => return None,
    };
    if !session.is_up() || still < FRESH {
        return None;
    }
    let state = session.families.get(wanted);
    if state.is_none() {
        return Some(format!("{router} has not activated {name} for {}", session.neighbor));
    }
    let far = far?;
    let neighbor = far.neighbors.iter().find(|neighbor| own.contains(&neighbor.address))?;
    let lacks = !neighbor.families.is_empty() && !neighbor.families.iter().any(|family| family == name);
    let settled = far.settled.is_some_and(|settled| settled >= FRESH);
    (settled && lacks && !state?.negotiated).then(|| {
        let spoken = listed(neighbor.families.iter().cloned());
        format!("Cilium on {} speaks {spoken} with {router}, not {name}", far.node)
    })
}

/// What a settled Cilium gives as reasons for saying nothing, for a check that misses routes.
pub fn unsaid(far: &FarEnd<'_>) -> Option<String> {
    far.settled?;
    let own = far.problems.iter().chain(far.silences).map(String::as_str);
    let words: Vec<&str> = far.ignores.into_iter().chain(own).collect();
    if words.is_empty() {
        return None;
    }
    Some(format!("Cilium on {} says: {}", far.node, words.join("; ")))
}

/// An OPEN that was refused for its AS number (RFC 4271, section 6.2) since things are as they are: the next one will be.
fn refused(router: &str, session: &Session, since: Duration) -> Option<String> {
    const BAD_PEER_AS: (u8, u8) = (2, 2);
    let reset = session.last_reset.as_ref().filter(|reset| reset.code == Some(BAD_PEER_AS))?;
    let ago = reset.ago?;
    (ago + RESOLUTION < since).then(|| {
        format!(
            "the OPEN between {router} and {} was refused, and the next will be: {reset}",
            session.neighbor
        )
    })
}

#[cfg(test)]
mod tests {
    use fabric_harness::router::{FamilyState, Reset, SessionState};
    use rstest::rstest;

    use super::super::tests::session;
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn down() -> Session {
        Session {
            state: SessionState::Active,
            local_as: 65010,
            kind: SessionType::Internal,
            last_reset: None,
            ..session()
        }
    }

    fn far(neighbors: &[AgentNeighbor]) -> FarEnd<'_> {
        FarEnd { node: "worker", settled: Some(LONG), neighbors, problems: &[], ignores: None, silences: &[] }
    }

    fn own() -> Vec<IpAddr> {
        vec!["10.0.0.1".parse().unwrap(), "10.0.2.1".parse().unwrap()]
    }

    fn cilium(address: &str, asn: u32, local_asn: u32) -> Vec<AgentNeighbor> {
        let families = vec!["ipv4/unicast".to_owned()];
        vec![AgentNeighbor { address: address.parse().unwrap(), asn, local_asn, families, session: None }]
    }

    #[rstest]
    #[case::all_fits("10.0.0.1", 65010, 65010, SessionType::Internal, None)]
    #[case::any_as("10.0.0.1", 0, 65010, SessionType::Internal, None)]
    #[case::somebody_else(
        "10.9.9.9",
        65010,
        65010,
        SessionType::Internal,
        Some("peers with 10.9.9.9, not with tor0")
    )]
    #[case::wrong_peer_as(
        "10.0.0.1",
        65999,
        65010,
        SessionType::Internal,
        Some("expects AS 65999 of tor0, which is AS 65010")
    )]
    #[case::wrong_own_as("10.0.0.1", 65010, 65999, SessionType::Internal, Some("Cilium there is AS 65999"))]
    #[case::internal_where_external_is_wanted(
        "10.0.0.1",
        65010,
        65010,
        SessionType::External,
        Some("is AS 65010 too")
    )]
    fn what_both_ends_are_told_decides(
        #[case] address: &str,
        #[case] asn: u32,
        #[case] local_asn: u32,
        #[case] kind: SessionType,
        #[case] wanted: Option<&str>,
    ) {
        let neighbors = cilium(address, asn, local_asn);
        let session = Session { kind, ..down() };
        let why = never_up("tor0", &session, &own(), Some(&far(&neighbors)), LONG);
        match wanted {
            None => assert_eq!(why, None),
            Some(wanted) => assert!(why.as_ref().is_some_and(|why| why.contains(wanted)), "{why:?}"),
        }
        let unsettled = FarEnd { settled: None, ..far(&neighbors) };
        assert_eq!(
            never_up("tor0", &session, &own(), Some(&unsettled), LONG),
            None,
            "it may still change its mind"
        );
        let up = Session { state: SessionState::Established, ..session };
        assert_eq!(never_up("tor0", &up, &own(), Some(&far(&neighbors)), LONG), None);
    }

    #[test]
    fn a_node_that_peers_with_nobody_says_why() {
        let problems = vec!["policies a, b all select node worker".to_owned()];
        let far = FarEnd { problems: &problems, ..far(&[]) };
        let why = never_up("tor0", &down(), &own(), Some(&far), LONG).unwrap();
        assert!(why.contains("peers with nobody") && why.contains("it says: policies a, b"), "{why}");
    }

    #[test]
    fn a_node_that_nobody_wants_anything_of_says_so() {
        let silences = vec!["no CiliumBGPClusterConfig selects the node".to_owned()];
        let far = FarEnd { silences: &silences, ..far(&[]) };
        let why = never_up("tor0", &down(), &own(), Some(&far), LONG).unwrap();
        assert!(why.contains("peers with nobody") && why.contains("no CiliumBGPClusterConfig"), "{why}");
        assert_eq!(
            unsaid(&far).as_deref(),
            Some("Cilium on worker says: no CiliumBGPClusterConfig selects the node")
        );
        assert_eq!(unsaid(&FarEnd { settled: None, ..far.clone() }), None, "it may still change its mind");
        assert_eq!(unsaid(&FarEnd { silences: &[], ..far }), None);
    }

    #[rstest]
    #[case::cilium_does_not(
        Family::Ipv6Unicast,
        true,
        Some("Cilium on worker speaks ipv4/unicast with tor0, not ipv6/unicast")
    )]
    #[case::the_router_does_not(Family::Ipv6Unicast, false, Some("tor0 has not activated ipv6/unicast"))]
    #[case::both_do(Family::Ipv4Unicast, true, None)]
    fn a_family_that_one_end_has_not_is_not_carried(
        #[case] wanted: Family,
        #[case] activated: bool,
        #[case] expected: Option<&str>,
    ) {
        let neighbors = cilium("10.0.0.1", 65010, 65010);
        let mut up = Session { state: SessionState::Established, ..down() };
        up.families.clear();
        if activated {
            let negotiated = wanted == Family::Ipv4Unicast;
            up.families.insert(wanted.clone(), FamilyState { negotiated, ..FamilyState::default() });
        }
        let far = far(&neighbors);
        let why = never_carries("tor0", &up, &wanted, &own(), Some(&far), LONG);
        match expected {
            None => assert_eq!(why, None),
            Some(expected) => assert!(why.as_ref().is_some_and(|why| why.contains(expected)), "{why:?}"),
        }
        assert_eq!(never_carries("tor0", &up, &wanted, &own(), Some(&far), Duration::ZERO), None);
        let down = Session { state: SessionState::Active, ..up };
        assert_eq!(never_carries("tor0", &down, &wanted, &own(), Some(&far), LONG), None);
    }

    #[rstest]
    #[case::since_things_are_so((2, 2), 10, 60, true)]
    #[case::before_they_were_so((2, 2), 59, 60, false)]
    #[case::another_error((6, 3), 10, 60, false)]
    fn an_open_that_was_refused_will_be_again(
        #[case] code: (u8, u8),
        #[case] ago: u64,
        #[case] still: u64,
        #[case] proven: bool,
    ) {
        let reset = Reset {
            reason: "BGP Notification send".into(),
            notification: Some("OPEN Message Error/Bad Peer AS".into()),
            code: Some(code),
            ago: Some(Duration::from_secs(ago)),
        };
        let session = Session { last_reset: Some(reset), ..down() };
        let why = never_up("router0", &session, &own(), None, Duration::from_secs(still));
        assert_eq!(why.is_some(), proven, "{why:?}");
    }

    #[rstest]
    #[case::all_well("net0", true, true, None)]
    #[case::off("net0", false, false, Some("tor0 has switched net0 off"))]
    #[case::far_end_off("net0", true, false, Some("net0 of tor0 has no carrier"))]
    #[case::no_such("net7", true, true, Some("tor0 has no interface net7"))]
    fn nothing_comes_up_over_a_link_that_is_down(
        #[case] interface: &str,
        #[case] up: bool,
        #[case] carrier: bool,
        #[case] wanted: Option<&str>,
    ) {
        let links = [Link { index: 2, name: "net0".into(), up, carrier, mtu: 9500 }];
        let why = link_down("tor0", interface, &links);
        match wanted {
            None => assert_eq!(why, None),
            Some(wanted) => assert!(why.as_ref().is_some_and(|why| why.contains(wanted)), "{why:?}"),
        }
    }

    #[rstest]
    #[case::no_interface_leads_there("Waiting for NHT", &["10.0.0.1/32", "10.0.1.1/24"], false, 60, true)]
    #[case::in_other_words("No path to specified Neighbor", &["10.0.1.1/24"], false, 60, true)]
    #[case::an_interface_does("Waiting for NHT", &["10.0.2.1/24"], false, 60, false)]
    #[case::it_is_tried("Waiting for peer OPEN", &["10.0.1.1/24"], false, 60, false)]
    #[case::another_neighbor_may_tell("Waiting for NHT", &["10.0.1.1/24"], true, 60, false)]
    #[case::something_has_just_moved("Waiting for NHT", &["10.0.1.1/24"], false, 3, false)]
    fn no_neighbor_is_dialled_without_a_route(
        #[case] reason: &str,
        #[case] nets: &[&str],
        #[case] another_comes_up: bool,
        #[case] still: u64,
        #[case] proven: bool,
    ) {
        let reset = Reset { reason: reason.into(), ..Reset::default() };
        let waiting = Session { last_reset: Some(reset), address: "10.0.2.2".parse().ok(), ..down() };
        let other = if another_comes_up { down() } else { session() };
        let all = Sessions::from([("10.0.2.2".to_owned(), waiting.clone()), ("net0".to_owned(), other)]);
        let nets: Vec<IpNet> = nets.iter().map(|net| net.parse().unwrap()).collect();
        let why = unreachable("tor0", &waiting, &all, &nets, Duration::from_secs(still));
        assert_eq!(why.is_some(), proven, "{why:?}");
    }

    #[test]
    fn what_is_shut_down_stays_down() {
        let session = Session { shutdown: true, ..down() };
        assert!(
            never_up("tor0", &session, &own(), None, Duration::ZERO)
                .unwrap()
                .contains("shut the session down")
        );
    }
}
