//! The tools a node may need, as data: where they are, which packages have them, how to see that they run.
//!
//! What does not live here: looking for them (`host`) or fetching them (`apt`, `layer`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Family;

/// Something a node runs that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// FRR: zebra, bgpd, vtysh and `frrinit.sh`, under `/usr/lib/frr` as Debian, Arch, SUSE and Alpine have it.
    Frr,
    /// GoBGP: the daemon and its client.
    Gobgp,
    /// BIRD: the daemon and its client, of the second or third generation.
    Bird,
    /// `ping`.
    Ping,
    /// `traceroute`.
    Traceroute,
    /// `ip`.
    Iproute,
    /// `iptables`.
    Iptables,
    /// `sysctl`: lines of topologies set with it what a container's own options cannot. Its package has `ps` and `pkill`, too.
    Sysctl,
}

/// A program a tool must have.
pub(super) struct Probe {
    /// An absolute path is meant as it is; a bare name is looked up on the node's `PATH`.
    pub(super) program: &'static str,
    /// The flag with which it says something and ends at once, having loaded all its libraries; `None` for a script
    /// that would do more than that.
    pub(super) trial: Option<&'static str>,
}

const fn probe(program: &'static str, trial: Option<&'static str>) -> Probe {
    Probe { program, trial }
}

/// A link that Debian's `update-alternatives` would make when the package is installed; a layer runs no maintainer
/// script, so it makes the link itself. Both paths are relative to the layer's root; the target is in the same folder.
pub(super) struct Alternative {
    pub(super) link: &'static str,
    pub(super) target: &'static str,
}

const fn alternative(link: &'static str, target: &'static str) -> Alternative {
    Alternative { link, target }
}

/// Debian's iptables (nft variant: the one that works in a user namespace).
const IPTABLES_LINKS: &[Alternative] = &[
    alternative("usr/sbin/iptables", "iptables-nft"),
    alternative("usr/sbin/iptables-save", "iptables-nft-save"),
    alternative("usr/sbin/iptables-restore", "iptables-nft-restore"),
    alternative("usr/sbin/ip6tables", "ip6tables-nft"),
    alternative("usr/sbin/ip6tables-save", "ip6tables-nft-save"),
    alternative("usr/sbin/ip6tables-restore", "ip6tables-nft-restore"),
];

const TRACEROUTE_LINKS: &[Alternative] = &[
    alternative("usr/bin/traceroute", "traceroute.db"),
    alternative("usr/bin/traceroute6", "traceroute6.db"),
];

impl Tool {
    /// Every tool, in the order in which reports name them.
    pub const ALL: [Self; 8] = [
        Self::Frr,
        Self::Gobgp,
        Self::Bird,
        Self::Ping,
        Self::Traceroute,
        Self::Iproute,
        Self::Iptables,
        Self::Sysctl,
    ];

    /// Whether only some labs need it: those that say so ([`Routing::Bird`](crate::lab::Routing)).
    pub fn is_seldom(self) -> bool {
        self == Self::Bird
    }

    /// The short name: of the layer's folder, in `FABRIC_ASSUME_ABSENT`, in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Frr => "frr",
            Self::Gobgp => "gobgp",
            Self::Bird => "bird",
            Self::Ping => "ping",
            Self::Traceroute => "traceroute",
            Self::Iproute => "iproute",
            Self::Iptables => "iptables",
            Self::Sysctl => "sysctl",
        }
    }

    /// What must be there for the tool to count as present. The first one is the tool's main program, the one whose
    /// version counts.
    pub(super) fn probes(self) -> &'static [Probe] {
        const FRR: &[Probe] = &[
            probe("/usr/lib/frr/bgpd", Some("--version")),
            probe("/usr/lib/frr/zebra", Some("--version")),
            probe("/usr/lib/frr/frrinit.sh", None),
            probe("vtysh", Some("--help")),
        ];
        const GOBGP: &[Probe] = &[probe("gobgpd", Some("--version")), probe("gobgp", Some("--version"))];
        // The client has no flag that makes it end at once without a daemon.
        const BIRD: &[Probe] = &[probe("bird", Some("--version")), probe("birdc", None)];
        const PING: &[Probe] = &[probe("ping", Some("-V"))];
        const TRACEROUTE: &[Probe] = &[probe("traceroute", Some("-V"))];
        const IPROUTE: &[Probe] = &[probe("ip", Some("-V"))];
        const IPTABLES: &[Probe] = &[probe("iptables", Some("-V"))];
        const SYSCTL: &[Probe] = &[probe("sysctl", Some("--version"))];
        match self {
            Self::Frr => FRR,
            Self::Gobgp => GOBGP,
            Self::Bird => BIRD,
            Self::Ping => PING,
            Self::Traceroute => TRACEROUTE,
            Self::Iproute => IPROUTE,
            Self::Iptables => IPTABLES,
            Self::Sysctl => SYSCTL,
        }
    }

    /// The package that has the tool, by family of distributions; `None` where the distribution has none.
    pub(super) fn package(self, family: Family) -> Option<&'static str> {
        use Family::{Alpine, Arch, Debian, Fedora, Suse};
        match (self, family) {
            (_, Family::Other) => None,
            (Self::Frr, _) => Some("frr"),
            (Self::Gobgp, Debian) => Some("gobgpd"),
            (Self::Gobgp, _) => None,
            (Self::Bird, Debian) => Some("bird2"),
            (Self::Bird, _) => Some("bird"),
            (Self::Ping, Debian | Alpine) => Some("iputils-ping"),
            (Self::Ping, Fedora | Arch | Suse) => Some("iputils"),
            (Self::Traceroute, Alpine) => Some("busybox"),
            (Self::Traceroute, _) => Some("traceroute"),
            (Self::Iproute, Fedora) => Some("iproute"),
            (Self::Iproute, _) => Some("iproute2"),
            (Self::Iptables, Fedora | Arch) => Some("iptables-nft"),
            (Self::Iptables, _) => Some("iptables"),
            (Self::Sysctl, Fedora | Arch) => Some("procps-ng"),
            (Self::Sysctl, _) => Some("procps"),
        }
    }

    /// The links a layer of this tool needs besides what its package holds.
    pub(super) fn alternatives(self) -> &'static [Alternative] {
        match self {
            Self::Traceroute => TRACEROUTE_LINKS,
            Self::Iptables => IPTABLES_LINKS,
            Self::Frr | Self::Gobgp | Self::Bird | Self::Ping | Self::Iproute | Self::Sysctl => &[],
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frr => "FRR",
            Self::Gobgp => "GoBGP",
            Self::Bird => "BIRD",
            Self::Ping => "ping",
            Self::Traceroute => "traceroute",
            Self::Iproute => "ip",
            Self::Iptables => "iptables",
            Self::Sysctl => "sysctl",
        })
    }
}

/// The word is not the name of a tool.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{word}` is not a tool; the tools are frr, gobgp, bird, ping, traceroute, iproute, iptables, sysctl"
)]
pub struct UnknownTool {
    /// The word.
    pub word: String,
}

impl FromStr for Tool {
    type Err = UnknownTool;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|tool| tool.key() == word)
            .ok_or_else(|| UnknownTool { word: word.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_names_its_tool() {
        for tool in Tool::ALL {
            assert_eq!(tool.key().parse(), Ok(tool));
        }
        assert!("quagga".parse::<Tool>().unwrap_err().to_string().contains("`quagga` is not a tool"));
    }

    #[test]
    fn debian_has_a_package_for_every_tool() {
        for tool in Tool::ALL {
            assert!(tool.package(Family::Debian).is_some(), "{tool}");
        }
    }
}
