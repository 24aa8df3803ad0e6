//! The chart's values by version: which are there, which were renamed, and what the chart or the agent says to those that
//! are not.
//!
//! What lives here: data. What does not: reading a values file and telling where a mistake is (`lab::values`).
//!
//! Sources are commits, pull requests and issues of cilium/cilium. Words in quotation marks of a message are the chart's or
//! the agent's own.

/// A line (minor version) of Cilium.
type Line = (u32, u32);

/// A value that is not in every version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChartValue {
    /// Its dotted key.
    pub key: &'static str,
    /// The first line that has it.
    pub since: Line,
    /// The first line that advises against it.
    pub deprecated: Option<Line>,
    /// The first line that no longer has it, and what becomes of it there.
    pub removed: Option<(Line, End)>,
    /// What to write instead where it is not (or no longer) there.
    pub instead: &'static str,
}

/// What becomes of a value that a version no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The chart takes it in silence, as it takes any key, and nothing acts on it.
    Ignored,
    /// The chart ends the installation with these words.
    Refused(&'static str),
}

/// What a version makes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is there.
    There,
    /// It is there and advised against since this line.
    Deprecated(Line),
    /// It is not there yet; it comes with this line.
    NotYet(Line),
    /// It was taken away with this line, and is ignored.
    Gone(Line),
    /// The installation ends with these words.
    Refused(&'static str),
}

impl ChartValue {
    /// What `line` makes of it.
    pub fn standing(&self, line: Line) -> Standing {
        match (self.removed, self.deprecated) {
            _ if line < self.since => Standing::NotYet(self.since),
            (Some((removed, End::Ignored)), _) if line >= removed => Standing::Gone(removed),
            (Some((removed, End::Refused(words))), _) if line >= removed => Standing::Refused(words),
            (_, Some(deprecated)) if line >= deprecated => Standing::Deprecated(deprecated),
            _ => Standing::There,
        }
    }
}

const ALWAYS: Line = (1, 0);

const fn came(key: &'static str, since: Line, instead: &'static str) -> ChartValue {
    ChartValue { key, since, deprecated: None, removed: None, instead }
}

/// The words with which the chart refuses `tunnel` (pull requests 34213 and 34229).
const TUNNEL: &str = "tunnel was deprecated in v1.14 and has been removed in v1.15. For details please refer to \
                      https://docs.cilium.io/en/v1.15/operations/upgrade/#helm-options";

/// The values that matter to a BGP fabric and are not in every version from 1.12 on.
///
/// `tunnel`: be04d3b458, 39324b279c; charts before 1.15.8 took it in silence and made tunnels. `routingMode` and
/// `tunnelProtocol`: be04d3b458. `nativeRoutingCIDR`: pull request 18095 (1.11), gone with 1.12. MetalLB's `bgp`: notes of
/// 1.14, e645d1fdfb, 5a122c2bf7. `bgpControlPlane`: secretsNamespace f50d292dcd, statusReport 88c5cb2800,
/// routerIDAllocation 0c51baecc0, enableNoServiceEndpointsRoutable 77737c18d1, legacyOriginAttribute 348bee444f (in 1.18 from 1.18.2 on, pull request 41479).
pub static CHART_VALUES: [ChartValue; 11] = [
    ChartValue {
        key: "tunnel",
        since: ALWAYS,
        deprecated: Some((1, 14)),
        removed: Some(((1, 15), End::Refused(TUNNEL))),
        instead: "write `routingMode: native` for `tunnel: disabled`, else `routingMode: tunnel` and `tunnelProtocol: vxlan` \
                  (or geneve)",
    },
    came(
        "routingMode",
        (1, 14),
        "write `tunnel: disabled` for `routingMode: native`, else `tunnel: vxlan` (or geneve)",
    ),
    came("tunnelProtocol", (1, 14), "write `tunnel: vxlan` (or geneve)"),
    ChartValue {
        key: "nativeRoutingCIDR",
        since: ALWAYS,
        deprecated: Some((1, 11)),
        removed: Some(((1, 12), End::Ignored)),
        instead: "write `ipv4NativeRoutingCIDR`",
    },
    ChartValue {
        key: "bgp.enabled",
        since: ALWAYS,
        deprecated: Some((1, 14)),
        removed: Some(((1, 17), End::Ignored)),
        instead: "write `bgpControlPlane: { enabled: true }` and BGP resources: MetalLB's speaker is no part of Cilium any \
                  more",
    },
    ChartValue {
        key: "bgp.announce",
        since: ALWAYS,
        deprecated: Some((1, 14)),
        removed: Some(((1, 17), End::Ignored)),
        instead: "say what to advertise in the BGP resources (CiliumBGPAdvertisement)",
    },
    came("bgpControlPlane.secretsNamespace", (1, 15), "leave it out: passwords of neighbors came with it"),
    came("bgpControlPlane.statusReport", (1, 17), "leave it out: there are no status reports before"),
    came(
        "enableNoServiceEndpointsRoutable",
        (1, 19),
        "leave it out: a service without endpoints stays advertised",
    ),
    came("bgpControlPlane.routerIDAllocation", (1, 18), "leave it out, or annotate nodes with a router id"),
    came("bgpControlPlane.legacyOriginAttribute", (1, 18), "leave it out: ORIGIN is IGP"),
];

/// What an agent that is given both `tunnel` and `routingMode` ends with (1.14; issue 27213).
pub const BOTH_ROUTING_VALUES: &str = "Option --routing-mode cannot be used in combination with --tunnel";

/// Whether `line` takes a word for `kubeProxyReplacement`; else what the chart or the agent ends with.
///
/// `probe` went with 1.13 (pull request 22083). `true` and `false` came with 1.14, which still takes the older words; 1.16
/// takes nothing else (issue 36131).
pub fn kube_proxy_replacement(line: Line, word: &str) -> Result<(), String> {
    let taken: &[&str] = match line {
        (1, ..=12) => &["disabled", "partial", "strict", "probe"],
        (1, 13) => &["disabled", "partial", "strict"],
        (1, 14..=15) => &["true", "false", "disabled", "partial", "strict"],
        _ => &["true", "false"],
    };
    if taken.contains(&word) {
        return Ok(());
    }
    Err(match line {
        (1, ..=15) => format!("Invalid value for --kube-proxy-replacement: {word}"),
        _ => "kubeProxyReplacement must be explicitly set to a valid value (true or false) to continue."
            .to_owned(),
    })
}

/// The words that `kubeProxyReplacement` takes in `line`, for people.
pub fn kube_proxy_words(line: Line) -> &'static str {
    match line {
        (1, ..=13) => "`strict`, `partial` or `disabled`",
        _ => "`true` or `false`",
    }
}

/// Whether `line` knows an `ipam.mode`; else what the agent ends with.
///
/// `cluster-pool-v2beta` came with 1.12 and was deprecated for `multi-pool`, which came with 1.14 (pull request 25767).
pub fn ipam_mode(line: Line, mode: &str) -> Result<(), String> {
    let known = match mode {
        "kubernetes" | "cluster-pool" | "crd" | "eni" | "azure" | "alibabacloud" | "delegated-plugin" => true,
        "cluster-pool-v2beta" => line < (1, 15),
        "multi-pool" => line >= (1, 14),
        _ => false,
    };
    if known { Ok(()) } else { Err(format!("Unknown IPAM backend {mode}")) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn standing(key: &str, line: Line) -> Standing {
        CHART_VALUES.iter().find(|value| value.key == key).unwrap().standing(line)
    }

    #[rstest]
    #[case("tunnel", (1, 13), Standing::There)]
    #[case("tunnel", (1, 14), Standing::Deprecated((1, 14)))]
    #[case("tunnel", (1, 15), Standing::Refused(TUNNEL))]
    #[case("tunnel", (1, 20), Standing::Refused(TUNNEL))]
    #[case("routingMode", (1, 13), Standing::NotYet((1, 14)))]
    #[case("routingMode", (1, 14), Standing::There)]
    #[case("nativeRoutingCIDR", (1, 12), Standing::Gone((1, 12)))]
    #[case("bgp.enabled", (1, 13), Standing::There)]
    #[case("bgp.enabled", (1, 16), Standing::Deprecated((1, 14)))]
    #[case("bgp.enabled", (1, 17), Standing::Gone((1, 17)))]
    #[case("bgpControlPlane.statusReport", (1, 16), Standing::NotYet((1, 17)))]
    fn values_come_and_go(#[case] key: &str, #[case] line: Line, #[case] expected: Standing) {
        assert_eq!(standing(key, line), expected);
    }

    #[rstest]
    #[case((1, 12), "probe", true)]
    #[case((1, 13), "probe", false)]
    #[case((1, 13), "true", false)]
    #[case((1, 14), "true", true)]
    #[case((1, 15), "strict", true)]
    #[case((1, 16), "strict", false)]
    #[case((1, 20), "false", true)]
    fn kube_proxy_words_go_with_1_16(#[case] line: Line, #[case] word: &str, #[case] taken: bool) {
        assert_eq!(kube_proxy_replacement(line, word).is_ok(), taken);
    }

    #[rstest]
    #[case((1, 12), "multi-pool", false)]
    #[case((1, 14), "multi-pool", true)]
    #[case((1, 15), "cluster-pool-v2beta", false)]
    #[case((1, 20), "kubernetes", true)]
    #[case((1, 20), "kubernets", false)]
    fn ipam_modes(#[case] line: Line, #[case] mode: &str, #[case] known: bool) {
        assert_eq!(ipam_mode(line, mode).is_ok(), known);
    }
}
