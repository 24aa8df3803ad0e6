//! Whether Cilium and a router say the same of the session between them. A pure comparison.

use std::net::IpAddr;

use fabric_harness::found::SpeakerSession;
use fabric_harness::router::{Family, Session, SessionState};

/// How the two ends differ, one sentence each; nothing when they agree. `router` is the session as the router sees it, with the
/// router's name; none where no router has it.
pub fn judge_speaker(cilium: &SpeakerSession, router: Option<(&str, &Session)>) -> Vec<String> {
    let Some((name, session)) = router else {
        return vec![format!("no router has a session with {} at {}", cilium.node, cilium.neighbor)];
    };
    let mut differences = Vec::new();
    let up = cilium.state.eq_ignore_ascii_case("established");
    if up != session.is_up() {
        differences.push(format!("Cilium says {}, {name} says {:?}", cilium.state, session.state));
        return differences;
    }
    let mut same = |what: &str, cilium: Option<u64>, router: Option<u64>| {
        if let (Some(cilium), Some(router)) = (cilium, router)
            && cilium != router
        {
            differences.push(format!("{what}: {cilium} says Cilium, {router} says {name}"));
        }
    };
    same("Cilium's AS", cilium.local_as.map(u64::from), session.remote_as.map(u64::from));
    same("the router's AS", cilium.remote_as.map(u64::from), Some(u64::from(session.local_as)));
    if session.state == SessionState::Established {
        same("hold time in seconds", cilium.hold.map(u64::from), session.hold.map(|hold| hold.as_secs()));
        for (family, word) in [(Family::Ipv4Unicast, "ipv4/unicast"), (Family::Ipv6Unicast, "ipv6/unicast")] {
            let Some(state) = session.families.get(&family).filter(|state| state.negotiated) else {
                continue;
            };
            let count = |all: &std::collections::BTreeMap<String, u32>| all.get(word).copied().map(u64::from);
            same(
                &format!("{family} prefixes to the router"),
                count(&cilium.advertised),
                Some(state.accepted),
            );
            same(&format!("{family} prefixes to Cilium"), count(&cilium.received), state.sent);
        }
    }
    differences
}

/// Whether a router's session is the one a node has with a neighbor at this address.
pub fn is_between(session: &Session, node: &[IpAddr], neighbor: IpAddr, of_router: &[IpAddr]) -> bool {
    let far = session.address.is_some_and(|address| node.contains(&address));
    let near = of_router.contains(&neighbor) || session.local_address == Some(neighbor);
    far && near
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn cilium() -> SpeakerSession {
        let one = |count| BTreeMap::from([("ipv4/unicast".to_owned(), count)]);
        SpeakerSession {
            node: "worker".into(),
            local_as: Some(65010),
            neighbor: "10.0.0.1".parse().unwrap(),
            remote_as: Some(65010),
            state: "established".into(),
            hold: Some(9),
            advertised: one(1),
            received: one(11),
        }
    }

    fn router() -> Session {
        let session = json!({
            "neighbor": "10.0.2.2", "interface": null, "address": "10.0.2.2", "local_address": "10.0.2.1",
            "hostname": "worker", "remote_as": 65010, "local_as": 65010, "state": "Established",
            "kind": "internal", "remote_id": null, "hold": {"secs": 9, "nanos": 0},
            "keepalive": null, "configured_hold": null, "configured_keepalive": null, "connect_retry": null,
            "next_connect": null, "next_start": null, "uptime": null, "established_count": 1,
            "dropped_count": 0, "last_reset": null, "peer_group": null, "shutdown": false, "families": {}
        });
        let mut session: Session = serde_json::from_value(session).unwrap();
        let state = fabric_harness::router::FamilyState {
            negotiated: true,
            accepted: 1,
            sent: Some(11),
            ..Default::default()
        };
        session.families.insert(Family::Ipv4Unicast, state);
        session
    }

    #[test]
    fn ends_that_agree_have_no_differences() {
        assert_eq!(judge_speaker(&cilium(), Some(("tor0", &router()))), Vec::<String>::new());
    }

    #[rstest]
    #[case::state(|c: &mut SpeakerSession| c.state = "active".into(), "Cilium says active, tor0 says Established")]
    #[case::hold(|c: &mut SpeakerSession| c.hold = Some(90), "hold time in seconds: 90 says Cilium, 9 says tor0")]
    #[case::as_number(|c: &mut SpeakerSession| c.local_as = Some(65011), "Cilium's AS: 65011 says Cilium, 65010 says tor0")]
    #[case::sent(|c: &mut SpeakerSession| { c.advertised.insert("ipv4/unicast".into(), 2); }, "ipv4 unicast prefixes to the router: 2 says Cilium, 1 says tor0")]
    #[case::received(|c: &mut SpeakerSession| { c.received.insert("ipv4/unicast".into(), 10); }, "ipv4 unicast prefixes to Cilium: 10 says Cilium, 11 says tor0")]
    fn each_difference_is_named(#[case] change: fn(&mut SpeakerSession), #[case] expected: &str) {
        let mut cilium = cilium();
        change(&mut cilium);
        assert_eq!(judge_speaker(&cilium, Some(("tor0", &router()))), [expected]);
    }

    #[test]
    fn a_session_no_router_has_is_a_difference() {
        assert_eq!(judge_speaker(&cilium(), None), ["no router has a session with worker at 10.0.0.1"]);
    }

    #[rstest]
    #[case::by_the_routers_address("10.0.0.1", true)]
    #[case::by_the_connection("10.0.2.1", true)]
    #[case::another_router("10.0.0.2", false)]
    fn a_session_is_found_by_its_ends(#[case] neighbor: &str, #[case] expected: bool) {
        let (node, own) = (["10.0.2.2".parse().unwrap()], ["10.0.0.1".parse().unwrap()]);
        assert_eq!(is_between(&router(), &node, neighbor.parse().unwrap(), &own), expected);
    }
}
