//! The node annotations `cilium.io/bgp-virtual-router.{asn}`: a speaker's router id and listening port.
//!
//! What lives here: reading them. What they change is in `plan`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What every such annotation's name begins with; the local AS number follows.
pub const PREFIX: &str = "cilium.io/bgp-virtual-router.";

/// What an annotation sets for one speaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// `router-id=`: the BGP identifier.
    pub router_id: Option<Ipv4Addr>,
    /// `local-port=`: where to listen; 0 counts as not said.
    pub local_port: Option<u16>,
}

/// The annotations of a node that concern BGP, by local AS number. Attributes nobody knows are passed over, as
/// Cilium does.
///
/// # Errors
/// One sentence per annotation that cannot be read.
pub fn read(annotations: &BTreeMap<String, String>) -> Result<BTreeMap<u32, Attributes>, Vec<String>> {
    let ours = annotations.iter().filter_map(|(key, value)| Some((key, key.strip_prefix(PREFIX)?, value)));
    let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
    for (key, asn, value) in ours {
        match one(asn, value) {
            Ok((asn, attributes)) => {
                found.insert(asn, attributes);
            }
            Err(why) => wrong.push(format!("annotation {key}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

fn one(asn: &str, value: &str) -> Result<(u32, Attributes), String> {
    let asn = asn.parse().map_err(|_| {
        format!("`{asn}` is not an AS number; write {PREFIX}65010, with the speaker's localASN")
    })?;
    let mut attributes = Attributes::default();
    for (name, text) in value.split(',').filter_map(|part| part.split_once('=')) {
        match name.trim() {
            "router-id" => {
                let id = text.trim().parse::<Ipv4Addr>().ok().filter(|id| !id.is_unspecified());
                let id =
                    id.ok_or_else(|| format!("router-id `{text}` is not an IPv4 address such as 10.0.1.2"))?;
                attributes.router_id = Some(id);
            }
            "local-port" => {
                let port = text.trim().parse::<u16>();
                let port = port.map_err(|_| format!("local-port `{text}` is not a port from 1 to 65535"))?;
                attributes.local_port = Some(port).filter(|port| *port != 0);
            }
            _ => {}
        }
    }
    Ok((asn, attributes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn annotated(key: &str, value: &str) -> BTreeMap<String, String> {
        [(key.to_owned(), value.to_owned()), ("node.alpha.kubernetes.io/ttl".to_owned(), "0".to_owned())]
            .into()
    }

    #[rstest]
    #[case("router-id=10.9.9.9", Some("10.9.9.9"), None)]
    #[case("local-port=179", None, Some(179))]
    #[case("router-id=10.9.9.9,local-port=1790", Some("10.9.9.9"), Some(1790))]
    #[case("local-port=0", None, None)]
    #[case("colour=blue,local-port=179,x", None, Some(179))]
    #[case("", None, None)]
    fn sets(#[case] value: &str, #[case] id: Option<&str>, #[case] local_port: Option<u16>) {
        let read = read(&annotated("cilium.io/bgp-virtual-router.65010", value)).unwrap();
        let router_id = id.map(|id| id.parse().unwrap());
        assert_eq!(read, [(65010, Attributes { router_id, local_port })].into());
    }

    #[rstest]
    #[case("cilium.io/bgp-virtual-router.rack0", "", "`rack0` is not an AS number")]
    #[case("cilium.io/bgp-virtual-router.", "", "`` is not an AS number")]
    #[case("cilium.io/bgp-virtual-router.65010", "router-id=0.0.0.0", "router-id `0.0.0.0`")]
    #[case("cilium.io/bgp-virtual-router.65010", "router-id=fe80::1", "router-id `fe80::1`")]
    #[case("cilium.io/bgp-virtual-router.65010", "local-port=70000", "local-port `70000`")]
    fn refuses(#[case] key: &str, #[case] value: &str, #[case] why: &str) {
        let wrong = read(&annotated(key, value)).unwrap_err();
        assert!(wrong[0].contains(why) && wrong[0].contains(key), "{wrong:?}");
    }

    proptest! {
        #[test]
        fn never_panics(asn in ".{0,12}", value in ".{0,40}") {
            let _ = read(&annotated(&format!("{PREFIX}{asn}"), &value));
        }
    }
}
