//! Asking a running gobgpd, and giving it routes, with the `gobgp` command.
//!
//! What lives here: one speaker's command line. What the answers look like is in `gobgp::answers`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::SpeakerError;
use crate::node::{Command, NodeRef};
use crate::twin::agent::gobgp::{self, NeighborState, Rib, Standing};

/// An address family of unicast routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 unicast.
    Ipv4,
    /// IPv6 unicast.
    Ipv6,
}

impl Family {
    /// The family of a prefix.
    pub fn of(prefix: IpNet) -> Self {
        match prefix {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// Asks a running gobgpd through the `gobgp` command in the node (about 7 ms each).
///
/// It outlives the speaker, and then fails.
#[derive(Debug, Clone)]
pub struct Client {
    node: NodeRef,
    asn: u32,
    socket: PathBuf,
    limit: Duration,
}

impl Client {
    /// Asks the gobgpd that listens at `socket` in `node`, and waits `limit` at most for each answer.
    pub fn new(node: NodeRef, asn: u32, socket: PathBuf, limit: Duration) -> Self {
        Self { node, asn, socket, limit }
    }

    /// The neighbors.
    ///
    /// # Errors
    /// [`SpeakerError`] when `gobgp` fails or cannot be read.
    pub async fn neighbors(&self) -> Result<Vec<NeighborState>, SpeakerError> {
        self.read(&["neighbor"], gobgp::neighbors).await
    }

    /// The routing table of one address family.
    ///
    /// # Errors
    /// [`SpeakerError`] when `gobgp` fails or cannot be read.
    pub async fn rib(&self, family: Family) -> Result<Rib, SpeakerError> {
        self.read(&["global", "rib", "-a", family.word()], gobgp::rib).await
    }

    /// One neighbor: its timers, since when it is up, and how many routes came from it.
    ///
    /// # Errors
    /// [`SpeakerError`] when `gobgp` fails or cannot be read.
    pub async fn standing(&self, neighbor: IpAddr) -> Result<Standing, SpeakerError> {
        self.read(&["neighbor", &neighbor.to_string()], gobgp::standing).await
    }

    /// The routes that go out to a neighbor, with the attributes they have on the way.
    ///
    /// # Errors
    /// [`SpeakerError`] when `gobgp` fails or cannot be read.
    pub async fn advertised_to(&self, neighbor: IpAddr, family: Family) -> Result<Rib, SpeakerError> {
        self.read(&["neighbor", &neighbor.to_string(), "adj-out", "-a", family.word()], gobgp::rib).await
    }

    /// The routes that came from a neighbor, accepted or not.
    ///
    /// # Errors
    /// [`SpeakerError`] when `gobgp` fails or cannot be read.
    pub async fn received_from(&self, neighbor: IpAddr, family: Family) -> Result<Rib, SpeakerError> {
        self.read(&["neighbor", &neighbor.to_string(), "adj-in", "-a", family.word()], gobgp::rib).await
    }

    /// Whether this GoBGP withdraws by a soft reset what its policies keep back now: osrg/gobgp pull request 3434, in 4.7.
    pub(super) async fn withdraws_filtered(&self) -> Result<bool, SpeakerError> {
        let command = Command::new(["gobgpd", "--version"]).timeout(self.limit);
        let asn = self.asn;
        let output = self.node.exec(&command).await.map_err(|source| SpeakerError::Node { asn, source })?;
        Ok(output.text().split_whitespace().last().is_some_and(at_least_4_7))
    }

    /// Has what went out to a neighbor looked at again, under the policies as they are now.
    pub(super) async fn send_again(&self, neighbor: IpAddr) -> Result<(), SpeakerError> {
        self.run(&["neighbor", &neighbor.to_string(), "softresetout"]).await.map(drop)
    }

    /// Advertises a prefix as Cilium does: ORIGIN IGP, and the unspecified next hop, for which GoBGP puts the address
    /// that each session uses.
    pub(super) async fn advertise(&self, prefix: IpNet) -> Result<(), SpeakerError> {
        let next_hop = match Family::of(prefix) {
            Family::Ipv4 => "0.0.0.0",
            Family::Ipv6 => "::",
        };
        let (family, prefix) = (Family::of(prefix).word(), prefix.to_string());
        let add = ["global", "rib", "add", "-a", family, &prefix, "origin", "igp", "nexthop", next_hop];
        self.run(&add).await.map(drop)
    }

    pub(super) async fn withdraw(&self, prefix: IpNet) -> Result<(), SpeakerError> {
        let (family, prefix) = (Family::of(prefix).word(), prefix.to_string());
        self.run(&["global", "rib", "del", "-a", family, &prefix]).await.map(drop)
    }

    async fn read<T>(
        &self,
        words: &[&str],
        reader: fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<T, SpeakerError> {
        let words: Vec<&str> = ["-j"].iter().chain(words).copied().collect();
        let (command, stdout) = self.run(&words).await?;
        let (asn, node) = (self.asn, self.node.name().to_owned());
        reader(&stdout).map_err(|source| SpeakerError::Answer {
            asn,
            node,
            command: command.to_string(),
            source,
        })
    }

    async fn run(&self, words: &[&str]) -> Result<(Command, Vec<u8>), SpeakerError> {
        let target = format!("unix://{}", self.socket.display());
        let words = ["gobgp", "--target", &target].iter().chain(words).copied().collect::<Vec<_>>();
        let command = Command::new(words).timeout(self.limit);
        let asn = self.asn;
        let output = self.node.exec(&command).await.map_err(|source| SpeakerError::Node { asn, source })?;
        if output.success() {
            return Ok((command, output.stdout));
        }
        let said = format!("{}{}", output.text(), output.error_text()).trim().to_owned();
        Err(SpeakerError::Command {
            asn,
            node: self.node.name().to_owned(),
            command: command.to_string(),
            said,
        })
    }
}

fn at_least_4_7(version: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    (numbers.next(), numbers.next()) >= (Some(4), Some(7))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::at_least_4_7;

    #[rstest]
    #[case("3.10.0", false)]
    #[case("3.36.0", false)]
    #[case("4.6.0", false)]
    #[case("4.7.0", true)]
    #[case("4.11.0", true)]
    #[case("5.0.0", true)]
    #[case("unknown", false)]
    fn withdrawing_came_with_4_7(#[case] version: &str, #[case] does: bool) {
        assert_eq!(at_least_4_7(version), does);
    }
}
