//! What each version of Cilium does, in one table.
//!
//! What lives here: the shape of a row, and finding one. The rows, each fact with its source, are in `table`. What does
//! not: what follows from them (`wait` makes deadlines of them, `twin::agent` behaves by them).

mod fields;
mod gobgp;
mod table;

use std::time::Duration;

use serde::Serialize;

use super::version::{CiliumVersion, PreRelease};

pub use fields::{BgpV2, PolicyFields, ServiceAddresses, V2Fields, Winner};
pub use gobgp::{ConnectRange, Generation, RetryRule};
use table::ROWS;

/// What a neighbor sees when cilium-agent is asked to stop (SIGTERM).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentStop {
    /// NOTIFICATION Cease / Peer De-configured (RFC 4486 section 4).
    Cease,
    /// The TCP connection ends without a word.
    Close,
}

/// What one line (minor version) of Cilium does in BGP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Promises {
    /// The line, such as (1, 12).
    pub line: (u32, u32),
    /// The GoBGP it embeds, as text.
    pub gobgp: &'static str,
    /// The generation of that GoBGP; the three fields below follow from it, see [`Promises::with_speaker`].
    pub generation: Generation,
    /// From the start of a speaker (or the adding of a neighbor) to the first connection attempt.
    pub first_connect: ConnectRange,
    /// The least ConnectRetry GoBGP accepts; less counts as this.
    pub least_connect_retry: Duration,
    /// From a failed attempt to the next.
    pub retry: RetryRule,
    /// Whether CiliumBGPPeeringPolicy (v2alpha1) is served and acted upon.
    pub peering_policy: bool,
    /// Whether timers can be set in the policy; where not, the defaults always hold.
    pub timers_configurable: bool,
    /// The fields of CiliumBGPPeeringPolicy; those of 1.12 where it is not served.
    pub policy: PolicyFields,
    /// The BGPv2 resources.
    pub bgp_v2: BgpV2,
    /// The fields of the BGPv2 resources; those of 1.16 before they are there.
    pub v2: V2Fields,
    /// Which of the two APIs a node follows.
    pub winner: Winner,
    /// What an agent that is asked to stop says to its neighbors.
    pub stop: AgentStop,
    /// Whether routes that neighbors send are refused, so that none is accepted.
    pub rejects_inbound: bool,
    /// Whether a route that went out is withdrawn from a neighbor that is not to have it any more while another still is.
    /// Where not, it stays until the session ends.
    pub withdraws_filtered: bool,
    /// Whether the chart can have services without endpoints withdrawn (`enableNoServiceEndpointsRoutable: false`).
    pub endpoints_switch: bool,
    /// Whether `cilium bgp peers` is there.
    pub peers_command: bool,
    /// Whether `cilium bgp routes` is there.
    pub routes_command: bool,
    /// Whether the chart can switch the agent's status reports off (`bgpControlPlane.statusReport.enabled`).
    pub status_report_switch: bool,
    /// Whether the chart still takes `tunnel:` (else `routingMode:` and `tunnelProtocol:`).
    pub helm_tunnel: bool,
}

impl Promises {
    /// ConnectRetry time (RFC 4271 section 8.2.1.3) unless set: 120 s.
    pub const CONNECT_RETRY: Duration = Duration::from_secs(120);
    /// Hold time offered in the OPEN unless set: 90 s.
    pub const HOLD: Duration = Duration::from_secs(90);
    /// Keepalive interval unless set: 30 s.
    pub const KEEPALIVE: Duration = Duration::from_secs(30);
    /// The least hold time a resource may ask for: 3 s (RFC 4271 section 4.2).
    pub const LEAST_HOLD: Duration = Duration::from_secs(3);
    /// Restart time offered with graceful restart (RFC 4724) unless set: 120 s. Off unless enabled.
    pub const RESTART: Duration = Duration::from_secs(120);
    /// The port of a neighbor unless set.
    pub const PEER_PORT: u16 = 179;
    /// TTL towards an eBGP neighbor unless set; iBGP neighbors may be any number of hops away.
    pub const EBGP_TTL: u8 = 1;
    /// The address families of a neighbor unless set, by GoBGP's names. With BGPv2, nothing is advertised in a family
    /// that no advertisement was selected for.
    pub const FAMILIES: [&str; 2] = ["ipv4-unicast", "ipv6-unicast"];
    /// How long GoBGP stays Idle after a session of it went down, before it tries again: 5 s (3.x and 4.x).
    pub const IDLE_AFTER_DOWN: Duration = Duration::from_secs(5);

    /// A row of which only the speaker is decided.
    const fn speaking(generation: Generation) -> Self {
        Self {
            line: (0, 0),
            gobgp: "",
            generation,
            first_connect: generation.first_connect(),
            least_connect_retry: generation.least_connect_retry(),
            retry: generation.retry(),
            peering_policy: false,
            timers_configurable: false,
            policy: PolicyFields::FIRST,
            bgp_v2: BgpV2::Absent,
            v2: V2Fields::FIRST,
            winner: Winner::OnlyPolicy,
            stop: AgentStop::Cease,
            rejects_inbound: false,
            withdraws_filtered: false,
            endpoints_switch: false,
            peers_command: false,
            routes_command: false,
            status_report_switch: false,
            helm_tunnel: true,
        }
    }

    /// The same Cilium with another GoBGP in it: for a twin whose nodes run a speaker of another generation, so that
    /// deadlines are those of the speaker that runs.
    #[must_use]
    pub const fn with_speaker(&self, generation: Generation) -> Self {
        Self {
            generation,
            first_connect: generation.first_connect(),
            least_connect_retry: generation.least_connect_retry(),
            retry: generation.retry(),
            ..*self
        }
    }

    /// The wait between a failed attempt and the next for a ConnectRetry of `t`.
    pub fn retry_range(&self, t: Duration) -> ConnectRange {
        let t = t.max(self.least_connect_retry);
        match self.retry {
            RetryRule::OneToTwo => ConnectRange { min: t, max: t * 2 },
            RetryRule::ThreeQuartersToOne => ConnectRange { min: t * 3 / 4, max: t },
        }
    }
}

/// A version without a BGP control plane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Cilium {version} has no BGP control plane (it came with 1.12); use 1.12 or later")]
pub struct Unsupported {
    /// The version.
    pub version: CiliumVersion,
}

/// What `version` does. A version later than the table gets its last row: what is known is the best guess.
///
/// # Errors
/// [`Unsupported`] before 1.12.
pub fn promises(version: &CiliumVersion) -> Result<&'static Promises, Unsupported> {
    ROWS.iter().rev().find(|row| row.line <= version.line()).ok_or(Unsupported { version: *version })
}

/// The last 1.19 whose chart is known to take the right to read policies from agents that still need it (reported with 1.18.9 to
/// 1.19.3; given back by pull request 45829).
const LAST_TO_TAKE_RIGHTS: u32 = 3;

/// Whether the roles of `to`'s chart leave out what agents of `from` still watch: while these are replaced they run no BGP at all.
pub fn takes_rights(from: &CiliumVersion, to: &CiliumVersion) -> bool {
    let still = |version: &CiliumVersion| {
        promises(version).is_ok_and(|row| row.peering_policy && row.bgp_v2 != BgpV2::Absent)
    };
    let given_back = to.patch > LAST_TO_TAKE_RIGHTS && to.pre == PreRelease::Release;
    still(from) && to.line() == (1, 19) && !given_back
}

/// The rows, oldest first.
pub fn known_lines() -> impl Iterator<Item = &'static Promises> {
    ROWS.iter()
}

/// The newest line something is known of: later versions are guessed to do as it does.
pub fn newest_known() -> (u32, u32) {
    // The table is an array of a length that is not zero.
    ROWS[ROWS.len() - 1].line
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn of(text: &str) -> &'static Promises {
        promises(&text.parse().unwrap()).unwrap()
    }

    #[rstest]
    #[case("1.12.1", 5_000, 10_000, 120, 240)]
    #[case("1.17.9", 5_000, 10_000, 120, 240)]
    #[case("1.18.0", 1_000, 2_000, 120, 240)]
    #[case("1.19.3", 1_000, 2_000, 120, 240)]
    #[case("1.20.0-pre.4", 1_500, 2_000, 90, 120)]
    #[case("1.20-dev", 1_500, 2_000, 90, 120)]
    #[case("1.27.0", 1_500, 2_000, 90, 120)]
    fn connects_when_its_gobgp_does(
        #[case] version: &str,
        #[case] first_min: u64,
        #[case] first_max: u64,
        #[case] retry_min: u64,
        #[case] retry_max: u64,
    ) {
        let row = of(version);
        assert_eq!(row.first_connect, ConnectRange::millis(first_min, first_max));
        let retry = row.retry_range(Promises::CONNECT_RETRY);
        assert_eq!(retry, ConnectRange::millis(retry_min * 1_000, retry_max * 1_000));
    }

    #[rstest]
    #[case("1.12.1", 1, 10)]
    #[case("1.12.1", 7, 14)]
    #[case("1.18.0", 1, 2)]
    #[case("1.20.0", 4, 4)]
    fn a_small_connect_retry_is_raised(#[case] version: &str, #[case] t: u64, #[case] longest: u64) {
        assert_eq!(of(version).retry_range(Duration::from_secs(t)).max, Duration::from_secs(longest));
    }

    #[rstest]
    #[case("1.12.0", true)]
    #[case("1.18.99", true)]
    #[case("1.19-dev", false)]
    #[case("1.20.0", false)]
    fn serves_the_peering_policy(#[case] version: &str, #[case] served: bool) {
        assert_eq!(of(version).peering_policy, served);
    }

    #[rstest]
    #[case("1.13.4", AgentStop::Cease)]
    #[case("1.14.0", AgentStop::Close)]
    fn says_goodbye(#[case] version: &str, #[case] stop: AgentStop) {
        assert_eq!(of(version).stop, stop);
    }

    #[test]
    fn fields_come_when_they_came() {
        let policy = |version: &str| of(version).policy;
        assert!(!policy("1.12.9").service_selector && policy("1.13.0").service_selector);
        assert!(!policy("1.13.9").timers && policy("1.14.0").timers && policy("1.14.0").graceful_restart);
        assert!(policy("1.14.0").multihop && policy("1.14.0").peer_port && !policy("1.14.0").families);
        let row = policy("1.15.3");
        assert!(row.families && row.path_attributes && row.auth_secret && row.pod_ip_pool_selector);
        assert!(row.load_balancer_class && !row.well_known_communities);
        assert_eq!(row.service_addresses, ["LoadBalancerIP"]);
        assert_eq!(policy("1.16.0").service_addresses.len(), 3);
        let v2 = |version: &str| of(version).v2;
        assert!(v2("1.17.0").transport_local_port && !v2("1.18.0").transport_local_port);
        assert!(!v2("1.17.0").instance_local_port && v2("1.18.0").instance_local_port);
        assert!(
            v2("1.18.0").aggregation_length && v2("1.18.0").auto_discovery && v2("1.18.0").node_local_asn
        );
        assert!(!v2("1.18.0").source_interface && v2("1.19.0").source_interface);
        assert!(v2("1.20.0").interface_advertisement);
        assert_eq!(v2("1.16.0").cluster_conditions.len(), 0);
        assert_eq!(v2("1.17.0").cluster_conditions.len(), 3);
    }

    #[rstest]
    #[case("1.15.0", BgpV2::Absent, Winner::OnlyPolicy, false)]
    #[case("1.16.0", BgpV2::V2alpha1, Winner::Policy, true)]
    #[case("1.17.6", BgpV2::V2alpha1, Winner::Policy, true)]
    #[case("1.18.0", BgpV2::V2, Winner::Policy, true)]
    #[case("1.19.0", BgpV2::V2, Winner::OnlyV2, true)]
    fn one_api_wins(
        #[case] version: &str,
        #[case] v2: BgpV2,
        #[case] winner: Winner,
        #[case] rejects_inbound: bool,
    ) {
        let row = of(version);
        assert_eq!((row.bgp_v2, row.winner, row.rejects_inbound), (v2, winner, rejects_inbound));
        assert_eq!(row.peering_policy, winner != Winner::OnlyV2, "whoever can win is served");
    }

    #[test]
    fn another_speaker_changes_its_times_and_nothing_else() {
        let row = of("1.20.0");
        let slow = row.with_speaker(Generation::V3);
        assert_eq!(slow.first_connect, ConnectRange::millis(5_000, 10_000));
        assert_eq!(slow.with_speaker(Generation::V4), *row);
        assert_eq!(newest_known(), (1, 20));
    }

    #[test]
    fn is_silent_before_1_12() {
        let error = promises(&CiliumVersion::new(1, 11, 4)).unwrap_err().to_string();
        assert!(error.contains("1.11.4") && error.contains("use 1.12"), "{error}");
    }

    #[test]
    fn the_table_is_in_order_and_every_row_differs() {
        assert!(ROWS.windows(2).all(|pair| pair[0].line < pair[1].line));
        assert!(ROWS.windows(2).all(|pair| pair[0] != Promises { line: pair[0].line, ..pair[1].clone() }));
    }
}
