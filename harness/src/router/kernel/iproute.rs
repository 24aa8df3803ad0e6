//! The kernel of a node as `ip -json` of iproute2 prints it: for nodes that give no sockets.
//!
//! What lives here: the commands, and reading what they print into the same types that netlink gives. What does not:
//! when to ask them (`dump`).
//!
//! Known: iproute2 4.19 to 6.x. Numbers are asked for (`-N`), because the names depend on files in the node; a version
//! that does not know `-N` (before 5.0) prints names.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::route::RouteProtocol;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::dump::{Link, LinkAddress, Neighbour};
use super::messages;
use super::way::Way;
use crate::node::{Command, NodeRef};
use crate::router::error::RouterError;
use crate::router::fib::{Fib, FibNextHop, FibRoute, RouteKind};

/// Routes of the main table, one family; details, because the type of a route is one.
pub(super) const ROUTES: [[&str; 6]; 2] = [
    ["-details", "-4", "route", "show", "table", "main"],
    ["-details", "-6", "route", "show", "table", "main"],
];
/// Links with their addresses. Without details: for a VXLAN link Ubuntu's ip prints, among them, what is no JSON
/// (`"remote":"10.1.1.36"fan-map ,`, seen in 6.1.0-1ubuntu6), and every node of Cilium with a tunnel has such a link.
pub(super) const ADDRESSES: [&str; 2] = ["address", "show"];
/// The neighbour tables, whatever the state of their entries.
pub(super) const NEIGHBOURS: [&str; 4] = ["neigh", "show", "nud", "all"];

/// Runs `ip` in a node and reads its JSON.
pub(super) async fn ask<T: DeserializeOwned>(
    node: &NodeRef,
    what: &'static str,
    words: &[&str],
) -> Result<Vec<T>, RouterError> {
    let failed = |why: String| RouterError::Kernel { node: node.name().to_owned(), what, why };
    let mut said = String::new();
    for options in [&["-json", "-N"][..], &["-json"][..]] {
        let argv: Vec<&str> =
            std::iter::once("ip").chain(options.iter().copied()).chain(words.iter().copied()).collect();
        let output = node.exec(&Command::new(argv.iter().copied())).await?;
        if output.success() {
            return read(&output.text()).map_err(|error| failed(format!("`{}`: {error}", argv.join(" "))));
        }
        said = format!("`{}`: {}", argv.join(" "), output.error_text().trim());
        let unknown =
            said.contains("unknown") || said.contains("unrecognized") || said.contains("invalid option");
        if !unknown {
            break;
        }
    }
    Err(failed(format!("{said}; it takes an `ip` of iproute2 that knows -json (busybox's does not)")))
}

/// An empty table is printed as nothing at all by some versions.
fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, serde_json::Error> {
    if text.trim().is_empty() { Ok(Vec::new()) } else { serde_json::from_str(text) }
}

/// One line of `ip route`. Some versions print empty objects between the others.
#[derive(Debug, Deserialize)]
pub(super) struct RouteLine {
    dst: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    protocol: Option<String>,
    #[serde(default)]
    metric: u32,
    prefsrc: Option<IpAddr>,
    #[serde(flatten)]
    hop: HopLine,
    #[serde(default)]
    nexthops: Vec<HopLine>,
}

#[derive(Debug, Deserialize)]
struct HopLine {
    gateway: Option<IpAddr>,
    via: Option<ViaLine>,
    dev: Option<String>,
}

/// A next hop of the other family (RFC 5549).
#[derive(Debug, Deserialize)]
struct ViaLine {
    host: Option<IpAddr>,
}

/// One interface of `ip address`.
#[derive(Debug, Deserialize)]
pub(super) struct LinkLine {
    ifindex: Option<u32>,
    ifname: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    mtu: u32,
    #[serde(default)]
    addr_info: Vec<AddressLine>,
}

#[derive(Debug, Deserialize)]
struct AddressLine {
    local: Option<IpAddr>,
    #[serde(default)]
    prefixlen: u8,
    #[serde(default)]
    tentative: bool,
}

/// One line of `ip neigh`.
#[derive(Debug, Deserialize)]
pub(super) struct NeighbourLine {
    dst: Option<IpAddr>,
    dev: Option<String>,
    lladdr: Option<String>,
    #[serde(default)]
    state: Vec<String>,
}

/// Puts the routes of one family into a table.
pub(super) fn routes(lines: Vec<RouteLine>, six: bool, fib: &mut Fib) {
    for line in lines {
        let Some(prefix) = line.dst.as_deref().and_then(|text| destination(text, six)) else { continue };
        let hops = if line.nexthops.is_empty() { vec![line.hop] } else { line.nexthops };
        let next_hops = hops.into_iter().map(next_hop).filter(|hop| hop.via.is_some() || hop.dev.is_some());
        let route = FibRoute {
            protocol: protocol(line.protocol.as_deref().unwrap_or_default()),
            kind: kind(line.kind.as_deref().unwrap_or("unicast")),
            metric: line.metric,
            source: line.prefsrc,
            next_hops: next_hops.collect(),
        };
        fib.routes.entry(prefix).or_default().push(route);
    }
}

/// The one line of `ip -json route get`.
pub(super) fn way(text: &str) -> Result<Way, serde_json::Error> {
    let line = read::<RouteLine>(text)?.into_iter().find(|line| line.dst.is_some());
    let refused = |why: &str| Way::Refused { code: 0, why: why.to_owned() };
    let Some(line) = line else { return Ok(refused("no route")) };
    let source = line.prefsrc;
    Ok(match line.kind.as_deref().unwrap_or("unicast") {
        "2" | "local" => Way::Local { source },
        word => match kind(word) {
            RouteKind::Blackhole => refused("a blackhole route"),
            RouteKind::Unreachable => refused("an unreachable route"),
            RouteKind::Prohibit => refused("a prohibit route"),
            RouteKind::Unicast | RouteKind::Other => Way::On { next: next_hop(line.hop), source },
        },
    })
}

fn destination(text: &str, six: bool) -> Option<IpNet> {
    if text == "default" {
        return Some(if six { IpNet::V6(Default::default()) } else { IpNet::V4(Default::default()) });
    }
    // A host route is printed without its length.
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn next_hop(line: HopLine) -> FibNextHop {
    FibNextHop { via: line.gateway.or_else(|| line.via.and_then(|via| via.host)), dev: line.dev }
}

/// `RTN_*` of linux/rtnetlink.h, by number or by name.
fn kind(word: &str) -> RouteKind {
    match word {
        "1" | "unicast" => RouteKind::Unicast,
        "6" | "blackhole" => RouteKind::Blackhole,
        "7" | "unreachable" => RouteKind::Unreachable,
        "8" | "prohibit" => RouteKind::Prohibit,
        _ => RouteKind::Other,
    }
}

fn protocol(word: &str) -> String {
    match word.parse::<u8>() {
        Ok(number) => messages::protocol(RouteProtocol::from(number)),
        // FRR's packages name their own in /etc/iproute2: what zebra puts there for BGP is the kernel's `bgp`.
        Err(_) => word.to_owned(),
    }
}

/// The interfaces, by index.
pub(super) fn links(lines: &[LinkLine]) -> Vec<Link> {
    let has = |line: &LinkLine, flag: &str| line.flags.iter().any(|known| known == flag);
    let link = |line: &LinkLine| {
        Some(Link {
            index: line.ifindex?,
            name: line.ifname.clone()?,
            up: has(line, "UP"),
            carrier: has(line, "LOWER_UP"),
            mtu: line.mtu,
        })
    };
    lines.iter().filter_map(link).collect()
}

/// The addresses of all interfaces; IPv4 first, as netlink has them.
pub(super) fn addresses(lines: Vec<LinkLine>) -> Vec<LinkAddress> {
    let mut all = Vec::new();
    for line in lines {
        let Some(dev) = line.ifname else { continue };
        all.extend(line.addr_info.into_iter().filter_map(|info| {
            let address = IpNet::new(info.local?, info.prefixlen).ok()?;
            Some(LinkAddress { dev: dev.clone(), address, tentative: info.tentative })
        }));
    }
    all.sort_by_key(|address| address.address.addr().is_ipv6());
    all
}

/// The neighbours.
pub(super) fn neighbours(lines: Vec<NeighbourLine>) -> Vec<Neighbour> {
    let neighbour = |line: NeighbourLine| {
        let state = line.state.first().map(|word| word.to_lowercase()).unwrap_or_else(|| "none".to_owned());
        Some(Neighbour { address: line.dst?, dev: line.dev?, hardware: line.lladdr, state })
    };
    lines.into_iter().filter_map(neighbour).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// As iproute2 6.1 printed it (`ip -j -N -d route show table main`), both families, with numbers and with names.
    const NUMBERS: &str = r#"[{"type":"1","dst":"10.7.0.1","via":{"family":"inet6","host":"fe80::1"},"dev":"d0","protocol":"196","scope":"0","flags":[]},{"type":"1","dst":"10.8.0.0/24","protocol":"186","scope":"0","flags":[],"nexthops":[{"via":{"family":"inet6","host":"fe80::2"},"dev":"d0","weight":1,"flags":[]},{"gateway":"10.9.0.3","dev":"d0","weight":1,"flags":[]}]},{"type":"1","dst":"10.9.0.0/24","dev":"d0","protocol":"2","scope":"253","prefsrc":"10.9.0.1","flags":[]},{"type":"6","dst":"10.0.0.0/8","protocol":"3","scope":"0","flags":[]}]"#;
    const NAMES: &str = r#"[{"type":"unicast","dst":"10.7.0.1","via":{"family":"inet6","host":"fe80::1"},"dev":"d0","protocol":"static","scope":"global","flags":[]},{"type":"unicast","dst":"10.8.0.0/24","protocol":"bgp","scope":"global","flags":[],"nexthops":[{"via":{"family":"inet6","host":"fe80::2"},"dev":"d0","weight":1,"flags":[]},{"gateway":"10.9.0.3","dev":"d0","weight":1,"flags":[]}]},{"type":"unicast","dst":"10.9.0.0/24","dev":"d0","protocol":"kernel","scope":"link","prefsrc":"10.9.0.1","flags":[]},{"type":"blackhole","dst":"10.0.0.0/8","protocol":"boot","scope":"global","flags":[]}]"#;
    const SIX: &str = r#"[{"type":"1","dst":"fd00::/64","dev":"d0","protocol":"2","scope":"0","metric":256,"flags":[],"pref":"medium"},{},{"type":"1","dst":"default","gateway":"fe80::3","dev":"d0","protocol":"186","scope":"0","metric":20,"flags":[],"pref":"medium"},{"type":"7","dst":"fd01::/64","dev":"lo","protocol":"3","scope":"0","metric":1024,"flags":[],"pref":"medium"}]"#;

    fn table(text: &str, six: bool) -> Fib {
        let mut fib = Fib::default();
        routes(read(text).unwrap(), six, &mut fib);
        fib.sort();
        fib
    }

    fn told(fib: &Fib) -> Vec<String> {
        let line = |(prefix, all): (&IpNet, &Vec<FibRoute>)| {
            let route = &all[0];
            let hops: Vec<String> = route.next_hops.iter().map(ToString::to_string).collect();
            format!("{prefix} {:?} {} {} {}", route.kind, route.protocol, route.metric, hops.join(", "))
        };
        fib.routes.iter().map(line).collect()
    }

    #[rstest]
    #[case::numbers(NUMBERS)]
    #[case::names(NAMES)]
    fn routes_are_read_from_numbers_and_from_names(#[case] text: &str) {
        assert_eq!(
            told(&table(text, false)),
            [
                "10.0.0.0/8 Blackhole boot 0 ",
                "10.7.0.1/32 Unicast static 0 via fe80::1 dev d0",
                "10.8.0.0/24 Unicast bgp 0 via 10.9.0.3 dev d0, via fe80::2 dev d0",
                "10.9.0.0/24 Unicast kernel 0 dev d0",
            ]
        );
    }

    #[test]
    fn routes_of_ipv6_have_their_metric() {
        assert_eq!(
            told(&table(SIX, true)),
            [
                "::/0 Unicast bgp 20 via fe80::3 dev d0",
                "fd00::/64 Unicast kernel 256 dev d0",
                "fd01::/64 Unreachable boot 1024 dev lo",
            ]
        );
    }

    /// As iproute2 6.1 printed it.
    #[rstest]
    #[case::local(r#"[{"type":"local","dst":"10.0.4.1","from":"10.0.2.2","dev":"lo","flags":[],"cache":["local"],"iif":"net0"}]"#, "local")]
    #[case::by_ipv6(r#"[{"type":"unicast","dst":"10.0.4.2","from":"10.0.2.2","via":{"family":"inet6","host":"fe80::1"},"dev":"net1","table":"main","flags":[],"cache":[],"iif":"net0"}]"#, "via fe80::1 dev net1")]
    #[case::own(r#"[{"dst":"10.0.4.2","gateway":"10.1.1.137","dev":"eth0","prefsrc":"10.1.1.152","flags":[],"uid":0,"cache":[]}]"#, "via 10.1.1.137 dev eth0 src 10.1.1.152")]
    #[case::nothing("", "refused: no route")]
    fn the_way_of_a_packet(#[case] text: &str, #[case] expected: &str) {
        let told = match way(text).unwrap() {
            Way::Local { .. } => "local".to_owned(),
            Way::On { next, source: None } => next.to_string(),
            Way::On { next, source: Some(source) } => format!("{next} src {source}"),
            Way::Refused { why, .. } => format!("refused: {why}"),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn an_empty_table_may_be_nothing_at_all() {
        assert!(table("", false).routes.is_empty());
        assert!(table("[]\n", true).routes.is_empty());
    }

    /// Ubuntu 24.04's `ip -json -N address show`, of a pod with VXLAN links: what Cilium's nodes have with a tunnel.
    #[test]
    fn a_vxlan_link_of_ubuntu_is_read() {
        let text = include_str!("../../../../fixtures/recorded/ubuntu-24.04/ip-address-vxlan.json");
        let lines: Vec<LinkLine> = read(text).unwrap();
        let all = addresses(lines);
        assert!(all.iter().any(|a| a.dev == "eth1" && a.address.to_string() == "192.0.2.0/31"), "{all:?}");
        assert!(!ADDRESSES.contains(&"-details"), "with details, what is printed of such a link is no JSON");
    }

    #[test]
    fn interfaces_have_their_addresses() {
        let text = r#"[{"ifindex":3,"link":"d1","ifname":"d0","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"addr_info":[{"family":"inet","local":"10.9.0.1","prefixlen":24,"scope":"0"},{"family":"inet6","local":"fd00::1","prefixlen":64,"tentative":true}]},{"ifindex":4,"ifname":"d2","flags":["NO-CARRIER","UP"],"mtu":9000,"addr_info":[]}]"#;
        let lines: Vec<LinkLine> = read(text).unwrap();
        let seen = links(&lines);
        assert_eq!(
            (seen[0].name.as_str(), seen[0].up, seen[0].carrier, seen[0].mtu),
            ("d0", true, true, 1500)
        );
        assert_eq!((seen[1].name.as_str(), seen[1].up, seen[1].carrier), ("d2", true, false));
        let all = addresses(lines);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].address.to_string(), "10.9.0.1/24");
        assert!(all[1].tentative && !all[0].tentative);
    }

    #[test]
    fn neighbours_have_a_state_and_perhaps_an_address() {
        let text = r#"[{"dst":"10.9.0.9","dev":"d0","lladdr":"00:11:22:33:44:55","state":["PERMANENT"]},{"dst":"10.9.0.8","dev":"d0","state":["FAILED"]}]"#;
        let all = neighbours(read(text).unwrap());
        assert_eq!((all[0].state.as_str(), all[0].hardware.is_some()), ("permanent", true));
        assert_eq!((all[1].state.as_str(), all[1].hardware.is_some()), ("failed", false));
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text: String) {
            if let Ok(lines) = read::<RouteLine>(&text) {
                routes(lines, false, &mut Fib::default());
            }
            let _ = read::<LinkLine>(&text).map(addresses);
            let _ = read::<NeighbourLine>(&text).map(neighbours);
            let _ = way(&text);
        }
    }
}
