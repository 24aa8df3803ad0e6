//! What a routing daemon is told to do with its neighbors, as far as it bears on whether sessions come up.
//!
//! What lives here: the shapes. What does not: reading a daemon's own words (its folder).

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;

/// What a routing daemon is configured with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Its neighbors by key, each with what its peer groups give it.
    pub neighbors: BTreeMap<String, NeighborConfig>,
    /// The addresses it is told to give to interfaces.
    pub addresses: Vec<(String, IpNet)>,
}

/// What is configured for one neighbor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeighborConfig {
    /// Whose AS is expected.
    pub remote_as: Option<RemoteAs>,
    /// The TCP MD5 password (RFC 2385).
    pub password: Option<Secret>,
    /// The address or interface that connections come from.
    pub update_source: Option<String>,
    /// Whether it is waited for and never dialed.
    pub passive: bool,
}

/// The AS a neighbor must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoteAs {
    /// This one.
    Number(u32),
    /// The router's own.
    Internal,
    /// Any but the router's own.
    External,
}

impl fmt::Display for RemoteAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "AS {number}"),
            Self::Internal => f.write_str("its own AS"),
            Self::External => f.write_str("another AS than its own"),
        }
    }
}

/// A password: it can be compared, and does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a password)")
    }
}
