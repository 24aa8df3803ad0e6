//! What stands between a route and a neighbor, as FRR names it: `show bgp neighbors KEY json`.

use serde_json::Value;

/// Which way a route goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the neighbor.
    In,
    /// To the neighbor.
    Out,
}

/// FRR's name of a filter in JSON, and the word for it on its command line (`bgp_vty.c`, `bgp_show_peer_afi`).
const IN: [(&str, &str); 4] = [
    ("routeMapForIncomingAdvertisements", "route-map"),
    ("incomingUpdatePrefixFilterList", "prefix-list"),
    ("incomingUpdateNetworkFilterList", "distribute-list"),
    ("incomingUpdateAsPathFilterList", "filter-list"),
];
const OUT: [(&str, &str); 4] = [
    ("routeMapForOutgoingAdvertisements", "route-map"),
    ("outgoingUpdatePrefixFilterList", "prefix-list"),
    ("outgoingUpdateNetworkFilterList", "distribute-list"),
    ("outgoingUpdateAsPathFilterList", "filter-list"),
];

/// The filters of one family of one neighbor: `prefix-list BAD`. `ipv6` chooses the family.
pub fn of_neighbor(answer: &Value, ipv6: bool, direction: Direction) -> Vec<String> {
    let family = if ipv6 { "ipv6Unicast" } else { "ipv4Unicast" };
    // The answer has one neighbor, by its key.
    let neighbor = answer.as_object().and_then(|all| all.values().find(|value| value.is_object()));
    let Some(fields) = neighbor.and_then(|neighbor| neighbor.get("addressFamilyInfo")?.get(family)) else {
        return Vec::new();
    };
    let (names, missing) = match direction {
        Direction::In => (IN, "inboundEbgpRequiresPolicy"),
        Direction::Out => (OUT, "outboundEbgpRequiresPolicy"),
    };
    let named = |(key, word): (&str, &str)| Some(format!("{word} {}", fields.get(key)?.as_str()?));
    let mut all: Vec<String> = names.into_iter().filter_map(named).collect();
    // RFC 8212: without a policy nothing goes over eBGP.
    if fields.get(missing).is_some() {
        all.push("`bgp ebgp-requires-policy` without a policy".to_owned());
    }
    all
}

/// The command that shows a filter of this name; none where there is none to show.
pub fn shown_by(filter: &str, ipv6: bool) -> Option<String> {
    let family = if ipv6 { "ipv6" } else { "ip" };
    let line = match filter.split_once(' ')? {
        ("route-map", name) => format!("show route-map {name}"),
        ("prefix-list", name) => format!("show {family} prefix-list detail {name}"),
        ("distribute-list", name) => format!("show {family} access-list {name}"),
        ("filter-list", name) => format!("show bgp as-path-access-list {name}"),
        _ => return None,
    };
    Some(line)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// As FRR 8.4.4 said it (`show bgp neighbors net0 json`), the fields that matter.
    fn answer() -> Value {
        json!({"net0": {"remoteAs": 65000, "addressFamilyInfo": {"ipv4Unicast": {
            "peerGroupMember": "ROUTERS", "inboundPathPolicyConfig": true, "incomingUpdatePrefixFilterList": "BAD",
            "outboundPathPolicyConfig": true, "routeMapForOutgoingAdvertisements": "RM",
            "acceptedPrefixCounter": 7, "sentPrefixCounter": 12}}}})
    }

    #[rstest]
    #[case(false, Direction::In, &["prefix-list BAD"])]
    #[case(false, Direction::Out, &["route-map RM"])]
    #[case(true, Direction::In, &[])]
    fn filters_have_their_words(#[case] ipv6: bool, #[case] direction: Direction, #[case] expected: &[&str]) {
        assert_eq!(of_neighbor(&answer(), ipv6, direction), expected);
    }

    #[test]
    fn a_missing_policy_is_one_that_drops_all() {
        let answer = json!({"net0": {"addressFamilyInfo": {"ipv4Unicast": {
            "inboundEbgpRequiresPolicy": "Inbound updates discarded due to missing policy"}}}});
        assert_eq!(of_neighbor(&answer, false, Direction::In).len(), 1);
        assert!(of_neighbor(&answer, false, Direction::Out).is_empty());
    }

    #[rstest]
    #[case("prefix-list BAD", false, Some("show ip prefix-list detail BAD"))]
    #[case("route-map RM", true, Some("show route-map RM"))]
    #[case("`bgp ebgp-requires-policy` without a policy", false, None)]
    fn filters_can_be_shown(#[case] filter: &str, #[case] ipv6: bool, #[case] line: Option<&str>) {
        assert_eq!(shown_by(filter, ipv6).as_deref(), line);
    }
}
