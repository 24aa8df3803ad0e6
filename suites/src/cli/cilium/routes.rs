//! The words behind `cilium bgp routes`, and its table.

use std::fmt::Write;
use std::net::IpAddr;

use fabric_harness::speakers::{Route, RouteFamily, Which};

use super::command::ByNode;
use super::tabs::{laid_out, rounded};

/// Which routes are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) which: Which,
    pub(super) family: RouteFamily,
    /// Only of the speaker with this AS number.
    pub(super) router: Option<u32>,
}

/// Reads the words; also what to say of those that were left out.
pub(super) fn wanted(words: &[String]) -> Result<(Wanted, Option<&'static str>), String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (words, note) = match words.as_slice() {
        [] => (
            vec!["available", "ipv4", "unicast"],
            Some("(Defaulting to `available ipv4 unicast` routes, please see help for more options)"),
        ),
        [which] => (
            vec![*which, "ipv4", "unicast"],
            Some("(Defaulting to `ipv4 unicast` AFI & SAFI, please see help for more options)"),
        ),
        [which, afi] => (
            vec![*which, *afi, "unicast"],
            Some("(Defaulting to `unicast` SAFI, please see help for more options)"),
        ),
        all => (all.to_vec(), None),
    };
    let [which, afi, safi, rest @ ..] = words.as_slice() else { return Err("say which routes".into()) };
    let advertised = match *which {
        "available" => false,
        "advertised" => true,
        other => return Err(format!("`{other}` is not a kind of routes: write `available` or `advertised`")),
    };
    if !["ipv4", "ipv6"].contains(afi) {
        return Err(format!("`{afi}` is not an AFI that is here: write `ipv4` or `ipv6`"));
    }
    if *safi != "unicast" {
        return Err(format!("`{safi}` is not a SAFI that is here: write `unicast`"));
    }
    let (router, rest) = match rest {
        ["vrouter", number, rest @ ..] => {
            let number = number.parse().map_err(|_| format!("`{number}` is not an AS number"))?;
            (Some(number), rest)
        }
        ["vrouter"] => return Err("`vrouter` wants an AS number behind it".into()),
        rest => (None, rest),
    };
    let peer = match rest {
        [] => None,
        ["peer" | "neighbor", address] if advertised => {
            let read: Result<IpAddr, _> = address.parse();
            Some(read.map_err(|_| format!("`{address}` is not an address"))?)
        }
        ["peer" | "neighbor", ..] if !advertised => {
            return Err("routes that are available have no peer: ask for those `advertised`".into());
        }
        ["peer" | "neighbor"] => return Err("`peer` wants an address behind it".into()),
        [other, ..] => {
            return Err(format!("`{other}` is not expected here: write `vrouter ASN` or `peer ADDRESS`"));
        }
    };
    let which = if advertised { Which::Advertised(peer) } else { Which::Available };
    let family = RouteFamily { afi: (*afi).to_owned(), safi: (*safi).to_owned() };
    Ok((Wanted { which, family, router }, note))
}

/// One line per path; a node is named once.
pub(super) fn table(all: &ByNode<Route>, which: Which) -> String {
    let with_peer = matches!(which, Which::Advertised(_));
    let peer = if with_peer { "Peer\t" } else { "" };
    let mut text = format!("Node\tVRouter\t{peer}Prefix\tNextHop\tAge\tAttrs\n");
    for (node, routes) in all {
        let mut routes: Vec<&Route> = routes.iter().collect();
        routes.sort_by_key(|route| {
            (route.router_asn, route.neighbor.map(|peer| peer.to_string()), route.prefix)
        });
        let mut name = node.as_str();
        for (route, path) in routes.iter().flat_map(|route| route.paths.iter().map(move |path| (route, path)))
        {
            // Writing into a String cannot fail.
            let _ = write!(text, "{name}\t{}\t", route.router_asn);
            if with_peer {
                let _ = write!(text, "{}\t", route.neighbor.map(|peer| peer.to_string()).unwrap_or_default());
            }
            let hop = path.next_hop.map_or_else(|| "0.0.0.0".to_owned(), |hop| hop.to_string());
            let age = rounded(path.age_nanoseconds);
            let _ = writeln!(text, "{}\t{hop}\t{age}\t[{}]\t", route.prefix, path.words.join(" "));
            name = "";
        }
    }
    laid_out(&text)
}

#[cfg(test)]
mod tests {
    use fabric_harness::speakers::{Bytes, Path};
    use rstest::rstest;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[rstest]
    #[case("", Which::Available, None)]
    #[case("available ipv6", Which::Available, None)]
    #[case("available ipv4 unicast vrouter 65000", Which::Available, Some(65000))]
    #[case("advertised ipv4 unicast", Which::Advertised(None), None)]
    #[case("advertised ipv4 unicast peer 1.2.3.4", Which::Advertised("1.2.3.4".parse().ok()), None)]
    #[case("advertised ipv4 unicast vrouter 1 neighbor fd00::1", Which::Advertised("fd00::1".parse().ok()), Some(1))]
    fn what_is_asked_for(#[case] text: &str, #[case] which: Which, #[case] router: Option<u32>) {
        let (read, note) = wanted(&words(text)).unwrap();
        assert_eq!((read.which, read.router), (which, router));
        assert_eq!(note.is_some(), words(text).len() < 3);
    }

    #[rstest]
    #[case("invalid", "`available` or `advertised`")]
    #[case("available ipx", "`ipv4` or `ipv6`")]
    #[case("available ipv4 multicast", "`unicast`")]
    #[case("available ipv4 unicast vrouter", "an AS number behind it")]
    #[case("available ipv4 unicast vrouter x", "`x` is not an AS number")]
    #[case("available ipv4 unicast peer 1.2.3.4", "have no peer")]
    #[case("advertised ipv4 unicast peer", "an address behind it")]
    #[case("advertised ipv4 unicast peer x", "`x` is not an address")]
    #[case("advertised ipv4 unicast 1.2.3.4", "`vrouter ASN` or `peer ADDRESS`")]
    fn what_cannot_be_asked_for(#[case] text: &str, #[case] why: &str) {
        let error = wanted(&words(text)).unwrap_err();
        assert!(error.contains(why), "{error}");
    }

    #[test]
    fn a_line_per_path_under_ciliums_headings() {
        let family = || RouteFamily { afi: "ipv4".into(), safi: "unicast".into() };
        let path = Path {
            age_nanoseconds: 10_053_306_322,
            best: true,
            family: family(),
            nlri: Bytes { base64: String::new() },
            path_attributes: Vec::new(),
            stale: false,
            words: vec!["{Origin: i}".into(), "{Nexthop: 10.0.2.2}".into()],
            next_hop: "10.0.2.2".parse().ok(),
        };
        let route = |prefix: &str, neighbor: Option<&str>| Route {
            neighbor: neighbor.and_then(|address| address.parse().ok()),
            paths: vec![path.clone()],
            prefix: prefix.parse().unwrap(),
            router_asn: 65010,
        };
        let out = vec![route("10.1.2.0/24", Some("10.0.0.1")), route("10.1.1.0/24", Some("10.0.0.1"))];
        let all = ByNode::from([("kind-worker".to_owned(), out), ("other".to_owned(), Vec::new())]);
        let wanted = "\
Node          VRouter   Peer       Prefix        NextHop    Age   Attrs
kind-worker   65010     10.0.0.1   10.1.1.0/24   10.0.2.2   10s   [{Origin: i} {Nexthop: 10.0.2.2}]   \n\
\u{20}             65010     10.0.0.1   10.1.2.0/24   10.0.2.2   10s   [{Origin: i} {Nexthop: 10.0.2.2}]   \n";
        assert_eq!(table(&all, Which::Advertised(None)), wanted);
        let own = ByNode::from([("kind-worker".to_owned(), vec![route("10.1.1.0/24", None)])]);
        assert!(
            table(&own, Which::Available)
                .starts_with("Node          VRouter   Prefix        NextHop    Age   Attrs\n")
        );
    }
}
