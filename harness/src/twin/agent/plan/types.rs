//! What a node must speak, as data.
//!
//! What lives here: the shapes. What does not: deciding them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

/// What one node must speak.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The speakers, by local AS number.
    pub virtual_routers: Vec<VirtualRouter>,
    /// True when speakers that run but are not in the plan must be left alone: the input was refused, and Cilium
    /// leaves everything as it is rather than tear sessions down over a mistake.
    pub keep_others: bool,
    /// What is wrong with the input, one sentence each.
    pub problems: Vec<String>,
    /// Why something is not spoken though nothing is wrong: what was left unsaid or is not there, one sentence each.
    pub silences: Vec<String>,
    /// What is wrong with instances of the second API, for the conditions of the CiliumBGPNodeConfig: instance, sentence.
    pub instance_problems: Vec<(String, String)>,
    /// The name of the CiliumBGPNodeConfig that was acted on, if any.
    pub node_config: Option<String>,
}

impl Plan {
    pub(super) fn refused(problems: Vec<String>) -> Self {
        Self { keep_others: true, problems, ..Self::default() }
    }
}

/// One speaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VirtualRouter {
    /// The name of its instance in the second API; none in the first, which knows speakers by their AS number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Its AS number.
    pub local_asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Where it listens; nowhere unless told to.
    pub local_port: Option<u16>,
    /// The prefixes in its table.
    pub export: BTreeSet<IpNet>,
    /// Whether routes that neighbors send stay out of its table.
    pub rejects_inbound: bool,
    /// Whether a neighbor that loses a route which another keeps is told so; where not, it keeps it as long as its session.
    pub withdraws_filtered: bool,
    /// Whether what goes out is decided by policies of GoBGP's. Where not, all of its table goes to every neighbor.
    pub filtered: bool,
    /// Its neighbors, by address.
    pub neighbors: Vec<Neighbor>,
}

/// What a speaker is known by for as long as it lives.
pub type SessionKey = (u32, Option<String>);

impl VirtualRouter {
    /// What it is known by.
    pub fn key(&self) -> SessionKey {
        (self.local_asn, self.instance.clone())
    }
}

/// One neighbor of a speaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbor {
    /// Its name in the second API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whom to dial.
    pub address: IpAddr,
    /// The AS number it must have; 0 for any.
    pub asn: u32,
    /// The TCP port to dial.
    pub port: u16,
    /// The address to dial from, if not the kernel's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_address: Option<IpAddr>,
    /// ConnectRetry time.
    pub connect_retry: Duration,
    /// Hold time to offer.
    pub hold: Duration,
    /// Keepalive interval.
    pub keepalive: Duration,
    /// How long to stay Idle after a session was reset, where that is not GoBGP's own 30 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_after_reset: Option<Duration>,
    /// Time to live of packets to an eBGP neighbor; 1 reaches neighbors on the link only.
    pub ebgp_ttl: u8,
    /// Restart time to announce, with graceful restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graceful_restart: Option<Duration>,
    /// TCP MD5 password.
    #[serde(skip)]
    pub password: Option<Password>,
    /// Address families to negotiate.
    pub families: Vec<Family>,
    /// What goes out to it.
    pub exports: Exports,
}

impl Neighbor {
    /// Whether the session of `other` can go on under this configuration: only what is advertised differs.
    pub fn same_session(&self, other: &Self) -> bool {
        let session = |neighbor: &Self| Self { exports: Exports::default(), ..neighbor.clone() };
        session(self) == session(other)
    }
}

/// What goes out to a neighbor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exports {
    /// Whether prefixes that are not listed go out, too, as they are.
    pub others: bool,
    /// The prefixes that go out, and what is said of them.
    #[serde(serialize_with = "as_list")]
    pub prefixes: BTreeMap<IpNet, Attributes>,
}

fn as_list<S: serde::Serializer>(
    prefixes: &BTreeMap<IpNet, Attributes>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(prefixes)
}

/// Path attributes besides those every route has.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Attributes {
    /// Communities (RFC 1997), as `65010:100`, as a number, or by name.
    pub communities: BTreeSet<String>,
    /// Large communities (RFC 8092).
    pub large_communities: BTreeSet<String>,
    /// LOCAL_PREF, for iBGP neighbors.
    pub local_preference: Option<u32>,
}

impl Attributes {
    /// What two advertisements of one prefix say together: all communities, and the higher preference.
    pub(super) fn join(&mut self, other: &Self) {
        self.communities.extend(other.communities.iter().cloned());
        self.large_communities.extend(other.large_communities.iter().cloned());
        self.local_preference = self.local_preference.max(other.local_preference);
    }
}

/// A password; it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a password)")
    }
}

/// An address family that GoBGP speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Family {
    /// Cilium's two words.
    pub afi: &'static str,
    /// The second of them.
    pub safi: &'static str,
    /// GoBGP's name.
    #[serde(skip)]
    pub gobgp: &'static str,
}

/// Cilium's families by GoBGP's names (pkg/config/oc/bgp_configs.go). What is not here GoBGP cannot be configured with.
const FAMILIES: [Family; 15] = [
    Family::IPV4,
    Family::IPV6,
    Family { afi: "ipv4", safi: "multicast", gobgp: "ipv4-multicast" },
    Family { afi: "ipv6", safi: "multicast", gobgp: "ipv6-multicast" },
    Family { afi: "ipv4", safi: "mpls_label", gobgp: "ipv4-labelled-unicast" },
    Family { afi: "ipv6", safi: "mpls_label", gobgp: "ipv6-labelled-unicast" },
    Family { afi: "ipv4", safi: "mpls_vpn", gobgp: "l3vpn-ipv4-unicast" },
    Family { afi: "ipv6", safi: "mpls_vpn", gobgp: "l3vpn-ipv6-unicast" },
    Family { afi: "l2vpn", safi: "evpn", gobgp: "l2vpn-evpn" },
    Family { afi: "l2vpn", safi: "vpls", gobgp: "l2vpn-vpls" },
    Family { afi: "ipv4", safi: "route_target_constraints", gobgp: "rtc" },
    Family { afi: "ipv4", safi: "encapsulation", gobgp: "ipv4-encap" },
    Family { afi: "ipv6", safi: "encapsulation", gobgp: "ipv6-encap" },
    Family { afi: "ipv4", safi: "flowspec_unicast", gobgp: "ipv4-flowspec" },
    Family { afi: "ipv6", safi: "flowspec_unicast", gobgp: "ipv6-flowspec" },
];

impl Family {
    /// IPv4 unicast.
    pub const IPV4: Self = Self { afi: "ipv4", safi: "unicast", gobgp: "ipv4-unicast" };
    /// IPv6 unicast.
    pub const IPV6: Self = Self { afi: "ipv6", safi: "unicast", gobgp: "ipv6-unicast" };

    /// The family of a prefix.
    pub fn of(prefix: &IpNet) -> Self {
        match prefix {
            IpNet::V4(_) => Self::IPV4,
            IpNet::V6(_) => Self::IPV6,
        }
    }

    /// By Cilium's two words.
    pub(super) fn named(afi: &str, safi: &str) -> Result<Self, String> {
        FAMILIES.into_iter().find(|family| family.afi == afi && family.safi == safi).ok_or_else(|| {
            format!("families: {afi}/{safi} is not spoken here; use ipv4/unicast or ipv6/unicast")
        })
    }
}
