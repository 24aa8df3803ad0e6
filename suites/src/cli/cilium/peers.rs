//! The table of `cilium bgp peers`.

use std::fmt::Write;

use fabric_harness::speakers::Peer;

use super::command::ByNode;
use super::tabs::{laid_out, rounded};

const HEADING: &str =
    "Node\tLocal AS\tPeer AS\tPeer Address\tSession State\tUptime\tFamily\tReceived\tAdvertised\n";

/// One line per family; a node is named once, and a peer once.
pub(super) fn table(all: &ByNode<Peer>) -> String {
    let mut text = HEADING.to_owned();
    for (node, peers) in all {
        for (place, peer) in peers.iter().enumerate() {
            let node = if place == 0 { node.as_str() } else { "" };
            let Peer { local_asn, peer_asn, peer_address, session_state, .. } = peer;
            let uptime = rounded(peer.uptime_nanoseconds);
            // Writing into a String cannot fail.
            let _ =
                write!(text, "{node}\t{local_asn}\t{peer_asn}\t{peer_address}\t{session_state}\t{uptime}\t");
            for (place, family) in peer.families.iter().enumerate() {
                if place > 0 {
                    text.push_str("\t\t\t\t\t\t");
                }
                let _ = writeln!(
                    text,
                    "{}/{}\t{}\t{}\t",
                    family.afi, family.safi, family.received, family.advertised
                );
            }
            if peer.families.is_empty() {
                text.push('\n');
            }
        }
    }
    laid_out(&text)
}

#[cfg(test)]
mod tests {
    use fabric_harness::speakers::PeerFamily;

    use super::*;

    fn peer(address: &str, families: &[&str]) -> Peer {
        let family = |afi: &&str| PeerFamily {
            received: 11,
            accepted: 11,
            advertised: 1,
            afi: (*afi).to_owned(),
            safi: "unicast".to_owned(),
        };
        Peer {
            local_asn: 65010,
            peer_asn: 65010,
            peer_address: address.to_owned(),
            session_state: "established".to_owned(),
            uptime_nanoseconds: 8_766_184_900,
            families: families.iter().map(family).collect(),
            ..Peer::default()
        }
    }

    #[test]
    fn a_line_per_family_under_ciliums_headings() {
        let all = ByNode::from([
            (
                "kind-worker".to_owned(),
                vec![peer("10.0.0.1", &["ipv4", "ipv6"]), peer("10.0.0.2", &["ipv4"])],
            ),
            ("kind-worker2".to_owned(), Vec::new()),
            ("kind-worker3".to_owned(), vec![peer("10.0.0.1", &["ipv4"])]),
        ]);
        let wanted = "\
Node           Local AS   Peer AS   Peer Address   Session State   Uptime   Family         Received   Advertised
kind-worker    65010      65010     10.0.0.1       established     9s       ipv4/unicast   11         1    \n\
\u{20}                                                                           ipv6/unicast   11         1    \n\
\u{20}              65010      65010     10.0.0.2       established     9s       ipv4/unicast   11         1    \n\
kind-worker3   65010      65010     10.0.0.1       established     9s       ipv4/unicast   11         1    \n";
        assert_eq!(table(&all), wanted);
    }

    #[test]
    fn without_peers_there_are_the_headings() {
        assert_eq!(table(&ByNode::new()).lines().count(), 1);
    }
}
