//! TCP connections from a node's namespace: whether somebody listens there, and how the others are refused.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use socket2::SockRef;

use super::error::ProbeError;
use super::socket::{refusal, watched};
use crate::node::{Node, SocketKind};

/// What to connect to, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    /// The target.
    pub to: SocketAddr,
    /// How many connections, one after the other, each from a port of its own.
    pub count: u16,
    /// How long one may take.
    pub timeout: Duration,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectReport {
    /// The target.
    pub to: SocketAddr,
    /// Connections tried.
    pub tried: u16,
    /// Connections made. They are closed at once: nothing is said over them.
    pub connected: u16,
    /// The longest time a connection took that was made.
    pub slowest: Option<Duration>,
    /// Why the others were not, in the order they were tried.
    pub errors: Vec<String>,
}

/// Connects. One that is not made is not an error but part of the report.
pub async fn connect(node: &dyn Node, connect: &Connect) -> Result<ConnectReport, ProbeError> {
    let mut report =
        ConnectReport { to: connect.to, tried: 0, connected: 0, slowest: None, errors: Vec::new() };
    for _ in 0..connect.count {
        report.tried += 1;
        let began = Instant::now();
        match tokio::time::timeout(connect.timeout, reach(node, connect.to)).await {
            Ok(Ok(Ok(_))) => {
                report.connected += 1;
                report.slowest = report.slowest.max(Some(began.elapsed()));
            }
            Ok(Ok(Err(refused))) => report.errors.push(why(&refused)),
            Ok(Err(error)) => return Err(error),
            Err(_) => report.errors.push(format!("no answer within {:?}", connect.timeout)),
        }
    }
    Ok(report)
}

/// One connection from a node's namespace; it does not block. The outer error is about the node, the inner one about the target.
pub(crate) async fn reach(node: &dyn Node, to: SocketAddr) -> Result<std::io::Result<OwnedFd>, ProbeError> {
    let kind = if to.is_ipv4() { SocketKind::Tcp4 } else { SocketKind::Tcp6 };
    let socket = node.socket(kind).await?;
    match SockRef::from(&socket).connect(&to.into()) {
        Ok(()) => return Ok(Ok(socket)),
        Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => {}
        Err(refused) => return Ok(Err(refused)),
    }
    let broken =
        |source| ProbeError::Io { node: node.name().to_owned(), what: "a TCP socket".to_owned(), source };
    let socket = watched(socket).map_err(broken)?;
    // Writable is what a connection becomes when it is decided, either way.
    drop(socket.writable().await.map_err(broken)?);
    match SockRef::from(socket.get_ref()).take_error() {
        Ok(None) => Ok(Ok(socket.into_inner())),
        Ok(Some(refused)) => Ok(Err(refused)),
        Err(error) => Err(broken(error)),
    }
}

fn why(error: &std::io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNREFUSED) => "refused: nobody listens on the port".to_owned(),
        _ => refusal(error),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::router::testing::Here;

    #[tokio::test]
    async fn a_listener_is_reached_and_a_closed_port_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let wanted = Connect { to, count: 2, timeout: Duration::from_secs(5) };
        let node = Here::node();
        let report = connect(node.as_ref(), &wanted).await.unwrap();
        assert_eq!((report.tried, report.connected, report.errors.len()), (2, 2, 0));
        drop(listener);
        let report = connect(node.as_ref(), &wanted).await.unwrap();
        assert_eq!((report.tried, report.connected), (2, 0));
        assert!(report.errors.iter().all(|error| error.contains("nobody listens")), "{report:?}");
    }
}
