//! Sending a few packets and looking who drops them: the counters of packet filters before and after, and what fits.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fabric_harness::probe::{Connect, Ping, Trace, connect, ping, traceroute};
use fabric_reports::record::RungName;

use super::each_says;
use super::walk::Walk;
use crate::ladder::packets::{Rule, dropping, filtered, grown, text_proof, too_big};
use crate::ladder::{Blame, Finding};
use crate::run::ladder::facts::now_said;
use crate::run::observe::Context;
use crate::run::probes::uncut;

/// How long one answer may take: longer than any round trip in a lab, and short enough to be waited for in vain.
const PATIENCE: Duration = Duration::from_millis(400);

/// How many packets are sent.
const SENT: u16 = 3;

/// What became of what was sent.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run::ladder) struct Trial {
    /// Whether it was answered.
    pub(super) answered: bool,
    /// Who dropped it.
    pub(super) blame: Option<Blame>,
    /// The boxes whose filters could not be looked at.
    pub(super) unseen: Vec<String>,
}

/// Sends what the check sends, and looks at the packet filters of these boxes.
pub(super) async fn send(
    context: &Context,
    start: &str,
    target: IpAddr,
    port: Option<u16>,
    traces: bool,
    boxes: &[String],
) -> Trial {
    // A trace is told apart from a ping by a port that nobody connects to.
    let key = (start.to_owned(), target, if traces { Some(0) } else { port });
    context.facts.trials.or_look(key, || Box::pin(tried(context, start, target, port, traces, boxes))).await
}

async fn tried(
    context: &Context,
    start: &str,
    target: IpAddr,
    port: Option<u16>,
    traces: bool,
    boxes: &[String],
) -> Trial {
    let six = target.is_ipv6();
    let line = if six { "ip6tables-save -c" } else { "iptables-save -c" };
    let before = each_says(context, boxes, line).await;
    let (answered, sent) = sent(context, start, target, port, traces).await;
    if answered {
        return Trial { answered, blame: None, unseen: Vec::new() };
    }
    let after = each_says(context, boxes, line).await;
    let mut unseen = Vec::new();
    for ((node, before), (_, after)) in before.iter().zip(&after) {
        let (Ok(before), Ok(after)) = (before, after) else {
            unseen.push(node.clone());
            continue;
        };
        let more: Vec<(Rule, u64)> = grown(&dropping(before), &dropping(after));
        if let Some((rule, by)) = more.first() {
            return Trial { answered, blame: Some(filtered(node, six, rule, *by, &sent)), unseen };
        }
    }
    Trial { answered, blame: None, unseen }
}

/// Whether it was answered, and what it was.
async fn sent(
    context: &Context,
    start: &str,
    target: IpAddr,
    port: Option<u16>,
    traces: bool,
) -> (bool, String) {
    let what = match port {
        Some(port) => format!("{SENT} connections from {start} to port {port} of {target}"),
        None if traces => format!("a trace from {start} to {target}"),
        None => format!("{SENT} requests from {start} to {target}"),
    };
    let Ok(node) = context.fabric.node(start).await else { return (false, what) };
    let answered = if let Some(port) = port {
        let probe = Connect { to: SocketAddr::new(target, port), count: SENT, timeout: PATIENCE };
        connect(node.as_ref(), &probe).await.is_ok_and(|report| report.connected == report.tried)
    } else if traces {
        let probe = Trace { max_hops: 16, timeout: PATIENCE, ..Trace::new(target) };
        traceroute(node.as_ref(), &probe).await.is_ok_and(|report| report.reached)
    } else {
        let probe = Ping { count: SENT, timeout: PATIENCE, ..Ping::new(target) };
        ping(node.as_ref(), &probe).await.is_ok_and(|report| report.all_answered())
    };
    (answered, what)
}

/// Sends one packet of a size that may not be cut, where small ones were answered.
pub(super) async fn fits(
    context: &Context,
    start: &str,
    target: IpAddr,
    size: u16,
    there: &Walk,
    finding: Finding,
) -> Finding {
    let line = uncut(target, size, 1);
    let said = now_said(context, start, &line).await;
    let (text, answered) = match &said {
        Ok(text) => (text.clone(), text.contains(" 0% packet loss")),
        Err(why) => (why.clone(), false),
    };
    if answered {
        return finding.holds(RungName::Mtu, format!("{size} bytes in one packet arrive"));
    }
    let atlas = context.view.now();
    let narrow = there.leaves().find_map(|(node, dev)| {
        let link = atlas.interfaces.get(node)?.links.iter().find(|link| link.name == dev)?;
        (link.mtu < u32::from(size)).then(|| (node.to_owned(), dev.to_owned(), link.mtu))
    });
    match narrow {
        Some((node, dev, mtu)) => {
            let sent = text_proof(&format!("{size} bytes in one packet"), start, line, text);
            finding.broken(too_big(&node, &dev, mtu, u32::from(size), sent))
        }
        None => finding.unknown(RungName::Mtu, format!("{size} bytes in one packet get no answer")),
    }
}
