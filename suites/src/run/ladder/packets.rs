//! Why packets do not arrive, or hops do not answer.
//!
//! What lives here: the order in which the rungs are climbed: the pods, the way there, the way back, filters and settings,
//! sizes, hops. What does not: following a packet (`packets/walk`), sending some to see who drops them
//! (`packets/trial`).

use std::net::IpAddr;

use fabric_harness::probe::TraceReport;
use fabric_reports::record::RungName;
use futures::future::join_all;

use super::facts::{now_said, said};
use super::map;
use crate::checks::{AgreeOn, ReachFact, Verdict};
use crate::expect::{PodName, Symbol, WantedFamily};
use crate::ladder::packets::{echo_ignored, limited, settings};
use crate::ladder::{Finding, pods};
use crate::plan::{CheckSpec, PlannedCheck};
use crate::run::atlas::Atlas;
use crate::run::observe::Context;
use crate::run::probes::{sender_of, target_of};

mod trial;
mod walk;

pub(super) use trial::Trial;
pub(super) use walk::Walk;

/// What a check sends.
struct Sends<'a> {
    from: &'a Symbol,
    to: &'a Symbol,
    family: Option<WantedFamily>,
    /// The TCP port, where it connects.
    port: Option<u16>,
    /// Whether hops are to answer, too.
    traces: bool,
    /// The size of a packet that must fit as a whole, headers included.
    size: Option<u16>,
}

/// The ladder of a check that sends packets.
pub(super) async fn climb(context: &Context, check: &PlannedCheck, verdict: &Verdict) -> Finding {
    let sends = match &check.spec {
        // That something arrives which should not is no failure of a rung.
        CheckSpec::Reach(spec) if spec.fact == ReachFact::Silence => return Finding::default(),
        CheckSpec::Reach(spec) => Sends {
            from: &spec.from,
            to: &spec.to,
            family: spec.family,
            port: spec.port,
            traces: false,
            size: spec.size,
        },
        CheckSpec::Path(spec) => Sends {
            from: &spec.from,
            to: &spec.to,
            family: spec.family,
            port: None,
            traces: true,
            size: None,
        },
        CheckSpec::Agree(spec) => {
            let traces = matches!(spec.on, AgreeOn::Trace { .. });
            Sends { from: &spec.from, to: &spec.to, family: spec.family, port: None, traces, size: None }
        }
        _ => return Finding::default(),
    };
    let atlas = context.view.now();
    let mut finding = Finding::default();
    for symbol in [sends.from, sends.to] {
        let Symbol::Pod(pod) = symbol else { continue };
        let of_pod = self::pod(&atlas, pod);
        finding.rungs.extend(of_pod.rungs.clone());
        if of_pod.blame.is_some() {
            return Finding { rungs: finding.rungs, ..of_pod };
        }
    }
    let (Ok(start), Ok(target)) = (sender_of(&atlas, sends.from), target_of(&atlas, sends.to, sends.family))
    else {
        return finding;
    };
    let there = walk::follow(context, &start, None, target).await;
    let (finding, source) = match there.told(finding, RungName::Forwarding) {
        Ok(finding) => (finding, there.source),
        Err(finding) => return *finding,
    };
    let Some(source) = source else { return finding };
    let back = match there.end_node() {
        Some(end) => Some(walk::follow(context, end, Some(target), source).await),
        None => None,
    };
    let finding = match &back {
        Some(back) => match back.told(finding, RungName::Return) {
            Ok(finding) => finding,
            Err(finding) => return *finding,
        },
        None => finding.unknown(RungName::Return, format!("the end at {target} cannot be looked into")),
    };
    let boxes = there.boxes(back.as_ref());
    let finding = dropped(context, &sends, &start, target, &there, &boxes, finding).await;
    if finding.blame.is_some() || !sends.traces {
        return finding;
    }
    silent(context, verdict, &there, finding).await
}

/// The ladder of a check of a pod.
pub(super) fn pod(atlas: &Atlas, pod: &PodName) -> Finding {
    if atlas.pods.is_none() {
        return Finding::default().unknown(RungName::Pod, "the cluster's API has not answered");
    }
    pods::climb(&format!("{}/{}", pod.namespace, pod.name), atlas.pod(pod))
}

/// Sends a few packets, and looks who drops them; what is told not to answer is asked for that.
async fn dropped(
    context: &Context,
    sends: &Sends<'_>,
    start: &str,
    target: IpAddr,
    there: &Walk,
    boxes: &[String],
    finding: Finding,
) -> Finding {
    let trial = trial::send(context, start, target, sends.port, sends.traces, boxes).await;
    if let Some(blame) = trial.blame {
        return finding.broken(blame);
    }
    let finding = match trial.unseen.as_slice() {
        [] => finding.holds(RungName::Forwarding, "no packet filter on the way dropped any"),
        unseen => finding.unknown(
            RungName::Forwarding,
            format!("the packet filters of {} could not be looked at", unseen.join(", ")),
        ),
    };
    if trial.answered {
        return match sends.size {
            Some(size) => trial::fits(context, start, target, size, there, finding).await,
            None => finding,
        };
    }
    if sends.port.is_none()
        && target.is_ipv4()
        && let Some(end) = there.end_node()
    {
        let line = "sysctl -n net.ipv4.icmp_echo_ignore_all";
        let ignores = said(context, end, "cat /proc/sys/net/ipv4/icmp_echo_ignore_all").await;
        if ignores.is_ok_and(|text| text.trim() == "1") {
            return finding.broken(echo_ignored(end, target, line.to_owned()));
        }
    }
    finding
}

/// Hops that were silent though others behind them answered: boxes that limit their answers.
async fn silent(context: &Context, verdict: &Verdict, there: &Walk, finding: Finding) -> Finding {
    let traces = traces_of(verdict);
    for trace in &traces {
        let heard = trace.hops.iter().rposition(|hop| hop.responder.is_some());
        for hop in trace.hops.iter().take(heard.unwrap_or(0)).filter(|hop| hop.responder.is_none()) {
            // The first box is the sender itself, and takes nothing off.
            let Some(node) = there.node(usize::from(hop.ttl)) else { continue };
            let names = ["icmp_ratelimit", "icmp_ratemask", "icmp_msgs_per_sec", "icmp_msgs_burst"];
            let paths = names.map(|name| format!("/proc/sys/net/ipv4/{name}"));
            // One that an older kernel does not have is left out.
            let said = now_said(context, node, &format!("grep -H . {}", paths.join(" "))).await;
            let seen = settings(&said.unwrap_or_default());
            let short = |(path, value): (String, i64)| Some((path.strip_prefix("ipv4/")?.to_owned(), value));
            let seen = seen.into_iter().filter_map(short).collect();
            if let Some(blame) = limited(node, hop.ttl, &seen) {
                return finding.broken(blame);
            }
        }
    }
    finding
}

/// The traces a verdict rests on.
fn traces_of(verdict: &Verdict) -> Vec<TraceReport> {
    let detail = &verdict.detail;
    let one = |value: &serde_json::Value| serde_json::from_value::<TraceReport>(value.clone()).ok();
    match detail {
        serde_json::Value::Array(all) => all.iter().filter_map(one).collect(),
        serde_json::Value::Object(fields) if !fields.contains_key("hops") => {
            let each = fields.values().flat_map(|value| match value {
                serde_json::Value::Array(all) => all.iter().filter_map(one).collect::<Vec<_>>(),
                other => one(other).into_iter().collect(),
            });
            each.collect()
        }
        other => one(other).into_iter().collect(),
    }
}

/// Asks several boxes the same, side by side.
async fn each_says(context: &Context, boxes: &[String], line: &str) -> Vec<(String, Result<String, String>)> {
    join_all(boxes.iter().map(|node| async move { (node.clone(), now_said(context, node, line).await) }))
        .await
}

/// Whether a box is a node of a real cluster, where Cilium's programs forward, and not the kernel's tables.
fn is_real_node(atlas: &Atlas, node: &str) -> bool {
    // Only the twin's agents tell of themselves.
    map::is_cluster_node(atlas, node) && atlas.agents.is_none() && atlas.nodes.is_some()
}
