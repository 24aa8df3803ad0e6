//! What each version of Cilium does, in one table.
//!
//! What lives here: facts by version, each with its source. What does not: what follows from them (`wait` makes
//! deadlines of them, `twin::agent` behaves by them).

use std::time::Duration;

use serde::Serialize;

use super::version::CiliumVersion;

/// A span of time out of which a daemon draws one at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConnectRange {
    /// The shortest wait.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl ConnectRange {
    const fn millis(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }
}

/// How long GoBGP waits after a connection attempt that failed, as a function of the ConnectRetry time T.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryRule {
    /// From T to 2T; a T under 5 s counts as 5 s (GoBGP 3.3 to 3.32) or under 1 s as 1 s (3.37).
    OneToTwo,
    /// From 0.75 T to T (GoBGP 4).
    ThreeQuartersToOne,
}

/// Whether and how the BGPv2 resources (CiliumBGPClusterConfig and its kin) are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BgpV2 {
    /// Not there, or not documented.
    Absent,
    /// `cilium.io/v2alpha1`.
    V2alpha1,
    /// `cilium.io/v2`, with v2alpha1 deprecated.
    V2,
}

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
    /// The BGPv2 resources.
    pub bgp_v2: BgpV2,
    /// What an agent that is asked to stop says to its neighbors.
    pub stop: AgentStop,
    /// Whether routes that neighbors send are refused, so that none is accepted.
    pub rejects_inbound: bool,
    /// Whether `cilium bgp peers` is there.
    pub peers_command: bool,
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
    /// How long GoBGP stays Idle after a session of it went down, before it tries again: 5 s (3.x and 4.x).
    pub const IDLE_AFTER_DOWN: Duration = Duration::from_secs(5);

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

const SLOW: ConnectRange = ConnectRange::millis(5_000, 10_000);
const FIVE: Duration = Duration::from_secs(5);
const ONE: Duration = Duration::from_secs(1);

/// The table. Each row changes the one above it, so that a difference stands where it begins.
///
/// Sources. First connect and retry: GoBGP's pkg/server/fsm.go (whole seconds from 5 to 10; least interval 5 s to
/// 1 s in osrg/gobgp 3a8f4fb0; less randomness in 140fe728). GoBGP line: Cilium's go.mod. CiliumBGPPeeringPolicy:
/// added in 62f4ea507f (1.12), removed in b74e51b715 (1.19). Timers: 3c44393bf5 (1.14). Stop without Cease:
/// cilium/cilium#25660 (1.14), and measured on 1.12.1 and 1.20-dev. Inbound routes: f7dc70f783 (1.16). BGPv2:
/// documented in 1.16, `cilium.io/v2` in f07d111b69 (1.18). `tunnel` removed from the chart in 39324b279c (1.15).
const TABLE: [Promises; 9] = {
    let v1_12 = Promises {
        line: (1, 12),
        gobgp: "3.3 to 3.4",
        first_connect: SLOW,
        least_connect_retry: FIVE,
        retry: RetryRule::OneToTwo,
        peering_policy: true,
        timers_configurable: false,
        bgp_v2: BgpV2::Absent,
        stop: AgentStop::Cease,
        rejects_inbound: false,
        peers_command: false,
        helm_tunnel: true,
    };
    let v1_13 = Promises { line: (1, 13), gobgp: "3.5", ..v1_12 };
    let v1_14 = Promises {
        line: (1, 14),
        gobgp: "3.15",
        timers_configurable: true,
        stop: AgentStop::Close,
        peers_command: true,
        ..v1_12
    };
    let v1_15 = Promises { line: (1, 15), gobgp: "3.21", helm_tunnel: false, ..v1_14 };
    let v1_16 =
        Promises { line: (1, 16), gobgp: "3.27", bgp_v2: BgpV2::V2alpha1, rejects_inbound: true, ..v1_15 };
    let v1_17 = Promises { line: (1, 17), gobgp: "3.32", ..v1_16 };
    let v1_18 = Promises {
        line: (1, 18),
        gobgp: "3.37",
        first_connect: ConnectRange::millis(1_000, 2_000),
        least_connect_retry: ONE,
        bgp_v2: BgpV2::V2,
        ..v1_17
    };
    let v1_19 = Promises { line: (1, 19), gobgp: "3.37 (Cilium's fork)", peering_policy: false, ..v1_18 };
    let v1_20 = Promises {
        line: (1, 20),
        gobgp: "4.7",
        first_connect: ConnectRange::millis(1_500, 2_000),
        retry: RetryRule::ThreeQuartersToOne,
        ..v1_19
    };
    [v1_12, v1_13, v1_14, v1_15, v1_16, v1_17, v1_18, v1_19, v1_20]
};

static ROWS: [Promises; 9] = TABLE;

/// What `version` does. A version later than the table gets its last row: what is known is the best guess.
///
/// # Errors
/// [`Unsupported`] before 1.12.
pub fn promises(version: &CiliumVersion) -> Result<&'static Promises, Unsupported> {
    ROWS.iter().rev().find(|row| row.line <= version.line()).ok_or(Unsupported { version: *version })
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
