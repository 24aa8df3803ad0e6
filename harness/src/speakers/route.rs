//! Routes as Cilium's API has them (`BgpRoute`), from what `gobgp -j global rib` and `gobgp -j neighbor A adj-out` say.
//!
//! What lives here: the types, whose fields are in the order in which Cilium prints them. What does not: single
//! attributes (`attributes`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attributes::{attribute, nlri};
use super::peer::nanoseconds;

/// A prefix with its paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Route {
    /// The peer it goes out to; none for a route of the speaker's own table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbor: Option<IpAddr>,
    /// The paths.
    pub paths: Vec<Path>,
    /// The prefix.
    pub prefix: IpNet,
    /// The speaker's AS number.
    pub router_asn: u32,
}

/// One path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Path {
    /// How long it has been there, in nanoseconds; GoBGP says whole seconds.
    pub age_nanoseconds: u64,
    /// Whether it is the best.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub best: bool,
    /// Its family.
    pub family: RouteFamily,
    /// The prefix as in an UPDATE.
    pub nlri: Bytes,
    /// The attributes as in an UPDATE.
    pub path_attributes: Vec<Bytes>,
    /// Whether it is kept only until its peer is back (RFC 4724).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// The attributes in GoBGP's words.
    #[serde(skip)]
    pub words: Vec<String>,
    /// The next hop.
    #[serde(skip)]
    pub next_hop: Option<IpAddr>,
}

/// An address family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteFamily {
    /// `ipv4` or `ipv6`.
    pub afi: String,
    /// `unicast`.
    pub safi: String,
}

/// Bytes as Cilium's API has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bytes {
    /// In base64.
    pub base64: String,
}

impl Bytes {
    fn of(bytes: &[u8]) -> Self {
        Self { base64: BASE64.encode(bytes) }
    }
}

/// Reads a table. Of the speaker's own table (no `neighbor`) only what it has to advertise: a path that came from a peer
/// is none of it, and Cilium's speakers do not take one in.
pub(super) fn routes(
    answer: &Value,
    router_asn: u32,
    family: &RouteFamily,
    neighbor: Option<IpAddr>,
    now: f64,
) -> Result<Vec<Route>, String> {
    if answer.is_null() {
        return Ok(Vec::new());
    }
    let raw: BTreeMap<IpNet, Vec<RawPath>> =
        serde_json::from_value(answer.clone()).map_err(|error| error.to_string())?;
    let routes = raw.into_iter().map(|(prefix, paths)| {
        let own = paths.into_iter().filter(|path| neighbor.is_some() || path.neighbor.is_none());
        let paths = own.map(|path| self::path(path, &prefix, family, now)).collect();
        Route { neighbor, paths, prefix, router_asn }
    });
    Ok(routes.filter(|route| !route.paths.is_empty()).collect())
}

fn path(raw: RawPath, prefix: &IpNet, family: &RouteFamily, now: f64) -> Path {
    let attributes: Vec<_> = raw.attrs.iter().filter_map(attribute).collect();
    Path {
        age_nanoseconds: nanoseconds(now - raw.age),
        best: raw.best,
        family: family.clone(),
        nlri: Bytes::of(&nlri(prefix)),
        path_attributes: attributes.iter().map(|attribute| Bytes::of(&attribute.wire)).collect(),
        stale: raw.stale,
        next_hop: attributes.iter().find_map(|attribute| attribute.next_hop),
        words: attributes.into_iter().map(|attribute| attribute.text).collect(),
    }
}

#[derive(Deserialize)]
struct RawPath {
    #[serde(default)]
    age: f64,
    #[serde(default)]
    best: bool,
    #[serde(default)]
    attrs: Vec<Value>,
    #[serde(default)]
    stale: bool,
    #[serde(default, rename = "neighbor-ip")]
    neighbor: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ipv4() -> RouteFamily {
        RouteFamily { afi: "ipv4".into(), safi: "unicast".into() }
    }

    #[test]
    fn what_is_advertised_reads_as_in_ciliums_api() {
        // The table of worker in the article's lab: what came from tor0 is not among what it has to advertise.
        let answer: Value = serde_json::from_str(include_str!(
            "../../../fixtures/recorded/gobgp-3.10/global-rib-of-worker.json"
        ))
        .unwrap();
        let read = routes(&answer, 65010, &ipv4(), None, 1_795_634_782.0).unwrap();
        let json = serde_json::to_value(&read).unwrap();
        let wanted = json!([{
            "paths": [{
                "age-nanoseconds": 10_000_000_000_u64, "best": true, "family": {"afi": "ipv4", "safi": "unicast"},
                "nlri": {"base64": "GAoBAQ=="}, "path-attributes": [{"base64": "QAEBAA=="}, {"base64": "QAMEAAAAAA=="}],
            }],
            "prefix": "10.1.1.0/24", "router-asn": 65010,
        }]);
        assert_eq!(json, wanted);
        assert_eq!(read[0].paths[0].words.join(" "), "{Origin: i} {Nexthop: 0.0.0.0}");
    }

    #[test]
    fn what_goes_out_has_its_peer() {
        let answer = json!({"10.1.1.0/24": [{"age": 1, "attrs": [{"type": 1, "value": 0}, {"type": 3, "nexthop": "10.0.2.2"}]}]});
        let peer = "10.0.0.1".parse().ok();
        let read = routes(&answer, 65010, &ipv4(), peer, 3.0).unwrap();
        assert_eq!((read[0].neighbor, read[0].paths[0].next_hop), (peer, "10.0.2.2".parse().ok()));
        assert!(routes(&Value::Null, 1, &ipv4(), peer, 0.0).unwrap().is_empty(), "a peer that is down");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                let _ = routes(&value, 1, &ipv4(), None, 0.0);
            }
        }
    }
}
