//! GoBGP by generation: how soon and how often each dials.
//!
//! What lives here: what is true of the speaker whatever Cilium embeds it. What does not: which Cilium embeds which
//! (`table`), and where a package of each is to be had (`tools`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time out of which a daemon draws one at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConnectRange {
    /// The shortest wait.
    pub min: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl ConnectRange {
    pub(super) const fn millis(min: u64, max: u64) -> Self {
        Self { min: Duration::from_millis(min), max: Duration::from_millis(max) }
    }
}

/// How long GoBGP waits after a connection attempt that failed, as a function of the ConnectRetry time T.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryRule {
    /// From T to 2T; a T under 5 s counts as 5 s (GoBGP 3.0 to 3.34) or under 1 s as 1 s (3.35 and later).
    OneToTwo,
    /// From 0.75 T to T (GoBGP 4).
    ThreeQuartersToOne,
}

/// GoBGP's versions that keep time alike; ordered as they came.
///
/// Source: pkg/server/fsm.go. The least interval went from 5 s to 1 s in osrg/gobgp 3a8f4fb0 (2025-02-28, first in
/// 3.35.0); the randomness became less in 140fe728 (2025-07-25, first in 4.0.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Generation {
    /// 3.0 to 3.34 (and what came before): a first connect after whole seconds from 5 to 10.
    #[serde(rename = "3.0")]
    V3,
    /// 3.35 to 3.37, the last of the third: after 1 to 2 s.
    #[serde(rename = "3.35")]
    V3_35,
    /// 4.0 and later: after 1.5 to 2 s.
    #[serde(rename = "4.0")]
    V4,
}

impl Generation {
    /// All, oldest first.
    pub const ALL: [Self; 3] = [Self::V3, Self::V3_35, Self::V4];

    /// The generation of a version of GoBGP (`3.10.0`, `3.36`, `4.8.0`); none for text that is no version.
    pub fn of(version: &str) -> Option<Self> {
        let mut numbers = version.trim().trim_start_matches('v').split(['.', '-', '+', '~']);
        let major: u32 = numbers.next()?.parse().ok()?;
        let minor: u32 = numbers.next()?.parse().ok()?;
        Some(match (major, minor) {
            (0..=2, _) | (3, 0..=34) => Self::V3,
            (3, _) => Self::V3_35,
            _ => Self::V4,
        })
    }

    /// From the start of a speaker (or the adding of a neighbor) to the first connection attempt.
    pub const fn first_connect(self) -> ConnectRange {
        match self {
            Self::V3 => ConnectRange::millis(5_000, 10_000),
            Self::V3_35 => ConnectRange::millis(1_000, 2_000),
            Self::V4 => ConnectRange::millis(1_500, 2_000),
        }
    }

    /// The least ConnectRetry it accepts; less counts as this.
    pub const fn least_connect_retry(self) -> Duration {
        match self {
            Self::V3 => Duration::from_secs(5),
            Self::V3_35 | Self::V4 => Duration::from_secs(1),
        }
    }

    /// From a failed attempt to the next.
    pub const fn retry(self) -> RetryRule {
        match self {
            Self::V3 | Self::V3_35 => RetryRule::OneToTwo,
            Self::V4 => RetryRule::ThreeQuartersToOne,
        }
    }

    /// How far two are apart, for choosing the nearest.
    pub fn distance(self, other: Self) -> usize {
        (self as usize).abs_diff(other as usize)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V3 => "GoBGP 3.0 to 3.34",
            Self::V3_35 => "GoBGP 3.35 to 3.37",
            Self::V4 => "GoBGP 4",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("3.10.0", Some(Generation::V3))]
    #[case("2.25.0", Some(Generation::V3))]
    #[case("3.34.0", Some(Generation::V3))]
    #[case("3.35.0", Some(Generation::V3_35))]
    #[case("v3.36.0-2+b3", Some(Generation::V3_35))]
    #[case("4.8.0-1~bpo13+1", Some(Generation::V4))]
    #[case("5.0", Some(Generation::V4))]
    #[case("4", None)]
    #[case("devel", None)]
    fn a_version_has_its_generation(#[case] version: &str, #[case] generation: Option<Generation>) {
        assert_eq!(Generation::of(version), generation);
    }

    #[test]
    fn they_are_in_order_and_travel_by_their_first_version() {
        assert!(Generation::ALL.is_sorted());
        for generation in Generation::ALL {
            let text = serde_json::to_string(&generation).unwrap();
            assert_eq!(Generation::of(text.trim_matches('"')), Some(generation));
            assert_eq!(serde_json::from_str::<Generation>(&text).unwrap(), generation);
        }
        assert_eq!(Generation::V3.distance(Generation::V4), 2);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,16}") {
            let _ = Generation::of(&text);
        }
    }
}
