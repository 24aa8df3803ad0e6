//! A vigil by the node's own `ping`, where the node gives no sockets.
//!
//! What lives here: running it without end, and reading which of its requests were answered. Its requests are not seen, only their
//! answers: when each was sent follows from its number and the time between two.

use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Vigil, VigilReport, Watch};
use crate::node::{Command, Node};
use crate::probe::error::ProbeError;

/// What `ping` lets everybody send at most.
const EVERY: Duration = Duration::from_millis(200);
/// An answer comes by way of other programs: it may be heard late.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn keep(
    node: &dyn Node,
    vigil: &Vigil,
    answering: &watch::Sender<bool>,
    stop: CancellationToken,
) -> Result<VigilReport, ProbeError> {
    let every = vigil.every.max(EVERY);
    let timeout = vigil.timeout.max(TIMEOUT);
    let family = if vigil.to.is_ipv6() { "-6" } else { "-4" };
    let interval = format!("{:.1}", every.as_secs_f64());
    let to = vigil.to.to_string();
    let command = Command::new(["ping", family, "-n", "-i", interval.as_str(), to.as_str()]);
    let mut ping = node.spawn(&command).await?;
    let said = ping.stdout();
    let mut lines = BufReader::new(said.ok_or_else(|| silent(vigil, "it gives no output"))?).lines();
    // Its heading: the first request goes out now.
    if !matches!(lines.next_line().await, Ok(Some(_))) {
        return Err(silent(vigil, "it said nothing; is there a `ping`, and may it send?"));
    }
    let mut watch = Watch::new(vigil.to, every);
    let begun = Instant::now();
    let mut sent: u32 = 0;
    let mut ticks = tokio::time::interval(every);
    let mut over = false;
    while !stop.is_cancelled() && !over {
        tokio::select! {
            biased;
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    if let Some(seq) = answered(&line) {
                        while sent < seq {
                            sent = send(&mut watch, begun, every, sent);
                        }
                        watch.answered(low(seq));
                    }
                }
                _ => over = true,
            },
            () = stop.cancelled() => {}
            _ = ticks.tick() => {
                let due = begun.elapsed().as_millis() / every.as_millis().max(1);
                // The newest may be under way, and its clock is not ours.
                while u128::from(sent) + 1 < due {
                    sent = send(&mut watch, begun, every, sent);
                }
            }
        }
        watch.settle(Instant::now(), timeout);
        watch.tell(answering);
    }
    drop(ping);
    // What was sent last and is not heard of is not known to be lost.
    watch.open.retain(|open| open.answered || open.at + timeout <= Instant::now());
    watch.settle(Instant::now() + timeout, timeout);
    if over && !stop.is_cancelled() {
        return Err(silent(vigil, "it ended by itself"));
    }
    Ok(watch.report)
}

fn send(watch: &mut Watch, begun: Instant, every: Duration, sent: u32) -> u32 {
    watch.sent(low(sent + 1), begun + every * sent, None);
    sent + 1
}

/// The number of a request as it is on the wire.
fn low(seq: u32) -> u16 {
    (seq & u32::from(u16::MAX)) as u16
}

/// The number of the request that a line says was answered.
fn answered(line: &str) -> Option<u32> {
    let rest = line.split("bytes from").nth(1)?;
    let at = rest.split("seq=").nth(1)?;
    at.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn silent(vigil: &Vigil, what: &str) -> ProbeError {
    ProbeError::Question { to: vigil.to, what: format!("the node's own ping cannot keep watch: {what}") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("64 bytes from 10.1.2.3: icmp_seq=17 ttl=60 time=0.05 ms", Some(17))]
    #[case("64 bytes from 10.1.2.3: seq=17 ttl=60 time=0.05 ms", Some(17))]
    #[case("From 10.0.0.1 icmp_seq=18 Destination Net Unreachable", None)]
    #[case("PING 10.1.2.3 (10.1.2.3) 56(84) bytes of data.", None)]
    #[case("", None)]
    fn which_request_was_answered(#[case] line: &str, #[case] expected: Option<u32>) {
        assert_eq!(answered(line), expected);
    }
}
