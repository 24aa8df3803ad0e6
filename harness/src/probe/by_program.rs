//! TCP connections by the programs a node has, where it gives no sockets. The report is that of `connect`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::connect::ConnectReport;
use super::error::ProbeError;
use crate::node::{Command, Node, NodeError};

/// Connects by bash, else by nc: whichever the node has. The times have the start of the program in them.
///
/// # Errors
/// When the node has neither, or is gone.
pub async fn connect_by_program(
    node: &dyn Node,
    to: SocketAddr,
    count: u16,
    timeout: Duration,
) -> Result<ConnectReport, ProbeError> {
    let mut report = ConnectReport { to, tried: 0, connected: 0, slowest: None, errors: Vec::new() };
    let (address, port) = (to.ip().to_string(), to.port().to_string());
    let redirect = format!("exec 3<>/dev/tcp/{address}/{port}");
    let seconds = timeout.as_secs().max(1).to_string();
    let bash = Command::new(["bash", "-c", redirect.as_str()]);
    let nc = Command::new(["nc", "-n", "-z", "-v", "-w", seconds.as_str(), address.as_str(), port.as_str()]);
    let mut ways = vec![nc, bash];
    while report.tried < count {
        let Some(way) = ways.last() else {
            return Err(
                NodeError::NotFound { node: node.name().to_owned(), program: "bash or nc".into() }.into()
            );
        };
        let began = Instant::now();
        // The program must start and say how it went, too.
        match node.exec(&way.clone().timeout(timeout + Duration::from_secs(2))).await {
            Ok(output) if output.success() => {
                report.tried += 1;
                report.connected += 1;
                report.slowest = report.slowest.max(Some(began.elapsed()));
            }
            Ok(output) => {
                report.tried += 1;
                report.errors.push(worded(&output.error_text()));
            }
            Err(NodeError::NotFound { .. }) => {
                ways.pop();
            }
            Err(NodeError::TimedOut { .. }) => {
                report.tried += 1;
                report.errors.push(format!("no answer within {timeout:?}"));
            }
            Err(other) => return Err(other.into()),
        }
    }
    Ok(report)
}

/// The program's words in ours.
fn worded(said: &str) -> String {
    let known = [
        ("refused", "refused: nobody listens on the port"),
        ("No route to host", "no route to host"),
        ("unreachable", "network unreachable"),
        ("timed out", "no answer in time"),
    ];
    let known = known.into_iter().find(|(needle, _)| said.contains(needle)).map(|(_, word)| word.to_owned());
    known.unwrap_or_else(|| said.trim().lines().last().unwrap_or("it said nothing").to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::runtime::prefix::{ExecNode, Prefix};

    #[tokio::test]
    async fn a_listener_is_reached_and_a_closed_port_refuses() {
        let node = ExecNode::by("here", Prefix::parse("env").unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let report = connect_by_program(&node, to, 2, Duration::from_secs(5)).await.unwrap();
        assert_eq!((report.tried, report.connected, report.errors.len()), (2, 2, 0), "{report:?}");
        drop(listener);
        let report = connect_by_program(&node, to, 1, Duration::from_secs(5)).await.unwrap();
        assert_eq!((report.tried, report.connected), (1, 0));
        assert_eq!(report.errors, ["refused: nobody listens on the port"]);
    }
}
