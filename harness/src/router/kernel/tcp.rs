//! The TCP sockets of a node and what its kernel counts about them, as `/proc/net` shows them.
//!
//! What lives here: reading `/proc/net/tcp`, `tcp6` and `netstat` (Linux `Documentation/networking/proc_net_tcp.rst`,
//! `snmp_counter.rst`). What does not: what a socket or a count means.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Kernel;
use crate::node::{Command, NodeError};
use crate::router::error::RouterError;

/// A TCP socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpSocket {
    /// Its own end. A socket that takes both families shows as IPv6.
    pub local: SocketAddr,
    /// The other end; unspecified for one that listens.
    pub remote: SocketAddr,
    /// Where it stands.
    pub state: TcpState,
    /// How often the kernel has sent the same again without an answer.
    pub retransmits: u32,
}

/// Where a TCP socket stands, as far as anybody here asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpState {
    /// It waits for connections.
    Listen,
    /// It has asked for a connection and heard nothing.
    SynSent,
    /// It was asked for a connection and has not heard the last word.
    SynReceived,
    /// It is connected.
    Established,
    /// Any of the states on the way out.
    Closing,
}

/// Where the namespace of the node's first process shows its sockets: `/proc/net` itself is that of whoever reads.
const FOLDER: &str = "/proc/1/net";

impl Kernel {
    /// All TCP sockets, of both families.
    ///
    /// # Errors
    /// When the node's `/proc` cannot be read.
    pub async fn tcp_sockets(&self) -> Result<Vec<TcpSocket>, RouterError> {
        let mut sockets = read_sockets(&self.proc("tcp").await?);
        // A kernel without IPv6 has no such file.
        if let Ok(text) = self.proc("tcp6").await {
            sockets.extend(read_sockets(&text));
        }
        Ok(sockets)
    }

    /// What the kernel has counted about TCP, by its own names (`TCPMD5NotFound`).
    ///
    /// # Errors
    /// When the node's `/proc` cannot be read.
    pub async fn tcp_counters(&self) -> Result<BTreeMap<String, u64>, RouterError> {
        Ok(read_counters(&self.proc("netstat").await?))
    }

    async fn proc(&self, file: &str) -> Result<String, RouterError> {
        let path = format!("{FOLDER}/{file}");
        match self.node().read_file(Path::new(&path)).await {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(NodeError::Unsupported { .. }) => {
                let output = self.node().exec(&Command::new(["cat", path.as_str()])).await?;
                Ok(output.text())
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// Reads the lines of `tcp` or `tcp6`; what is no such line is passed over.
fn read_sockets(text: &str) -> Vec<TcpSocket> {
    text.lines().skip(1).filter_map(socket).collect()
}

/// `0: 00000000:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 ...`
fn socket(line: &str) -> Option<TcpSocket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, state, _, _, retransmits, ..] = fields.as_slice() else { return None };
    let state = match u8::from_str_radix(state, 16).ok()? {
        0x01 => TcpState::Established,
        0x02 => TcpState::SynSent,
        0x03 | 0x0C => TcpState::SynReceived,
        0x0A => TcpState::Listen,
        _ => TcpState::Closing,
    };
    let retransmits = u32::from_str_radix(retransmits, 16).ok()?;
    Some(TcpSocket { local: end(local)?, remote: end(remote)?, state, retransmits })
}

/// Each 32 bits of an address are printed as a number in the machine's own byte order.
fn end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let digits = address.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let bytes: Vec<u8> = (0..4).filter_map(word).flatten().collect();
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(address.to_canonical(), port))
}

/// Pairs of lines: `TcpExt: Name ...` and `TcpExt: 1 ...`.
fn read_counters(text: &str) -> BTreeMap<String, u64> {
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("TcpExt:")).collect();
    let [names, values, ..] = lines.as_slice() else { return BTreeMap::new() };
    let pairs = names.split_whitespace().zip(values.split_whitespace()).skip(1);
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    // As a little-endian machine prints them.
    #[cfg(target_endian = "little")]
    #[rstest]
    #[case::listens(
        "   0: 00000000:00B3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 48862 1 0000000000000000 100 0 0 10 0",
        "0.0.0.0:179",
        "0.0.0.0:0",
        TcpState::Listen,
        0
    )]
    #[case::dials(
        "   3: 0201000A:9D0C 0100000A:00B3 02 00000001:00000000 01:00000190 00000003     0        0 52101 2 0000000000000000 800 0 0 1 7",
        "10.0.1.2:40204",
        "10.0.0.1:179",
        TcpState::SynSent,
        3
    )]
    #[case::six(
        "   1: 000080FE00000000FF0015020300FEFF:00B3 000080FE00000000FF0015020400FEFF:C350 01 00000000:00000000 00:00000000 00000000 0 0 1 1 0 20 4 30 10 -1",
        "[fe80::215:ff:fffe:3]:179",
        "[fe80::215:ff:fffe:4]:50000",
        TcpState::Established,
        0
    )]
    #[case::mapped(
        "   2: 0000000000000000FFFF00000201000A:00B3 0000000000000000FFFF00000101000A:C350 01 00000000:00000000 00:00000000 00000000 0 0 1 1 0 20 4 30 10 -1",
        "10.0.1.2:179",
        "10.0.1.1:50000",
        TcpState::Established,
        0
    )]
    fn a_line_is_a_socket(
        #[case] line: &str,
        #[case] local: &str,
        #[case] remote: &str,
        #[case] state: TcpState,
        #[case] retransmits: u32,
    ) {
        let seen = socket(line).unwrap();
        assert_eq!((seen.local.to_string().as_str(), seen.remote.to_string().as_str()), (local, remote));
        assert_eq!((seen.state, seen.retransmits), (state, retransmits));
    }

    #[test]
    fn counters_have_their_names() {
        let text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure\nTcpExt: 0 3 0 7\nIpExt: InNoRoutes\nIpExt: 9\n";
        let counters = read_counters(text);
        assert_eq!((counters["TCPMD5NotFound"], counters["TCPMD5Failure"], counters.len()), (3, 7, 4));
    }

    proptest! {
        #[test]
        fn nothing_read_is_a_panic(text in ".{0,200}") {
            let _ = (read_sockets(&text), read_counters(&text), end(&text));
        }
    }
}
