//! Following a packet from box to box by what each kernel says it would do with it. Nothing is sent.
//!
//! What lives here: the way, and why it ends where it does. What does not: what packets do that filters drop or that are
//! too large (`trial`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_harness::router::{Packet, Way};
use fabric_reports::record::RungName;

use super::is_real_node;
use crate::ladder::packets::{Refusal, counter, refused, settings, text_proof};
use crate::ladder::{Blame, Finding};
use crate::run::ladder::facts::{now_said, shown};
use crate::run::ladder::routes::{kernel_lacks, snapshot};
use crate::run::ladder::{map, session};
use crate::run::observe::Context;

/// No way in a lab is longer; a packet's TTL is 64.
const MOST: usize = 64;

/// A box on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub(super) node: String,
    /// By which interface the packet comes in; none at its source.
    arrives: Option<String>,
    /// By which it goes on.
    leaves: Option<String>,
}

/// A way and its end.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run::ladder) struct Walk {
    pub(super) stages: Vec<Stage>,
    /// The source of the packet: as given, or as the first kernel chose it.
    pub(super) source: Option<IpAddr>,
    to: IpAddr,
    end: End,
}

#[derive(Debug, Clone, PartialEq)]
enum End {
    Arrives,
    /// It dies, and what did it; with what was found out on the way to that.
    Dies(Box<Finding>),
    /// It goes where nobody can look.
    Unseen(String),
}

impl Walk {
    /// The walk as a rung; as an error where it is broken.
    pub(super) fn told(&self, finding: Finding, rung: RungName) -> Result<Finding, Box<Finding>> {
        let by: Vec<&str> = self.stages.iter().map(|stage| stage.node.as_str()).collect();
        let by = by.join(", ");
        match &self.end {
            End::Arrives => Ok(finding.holds(rung, format!("packets to {} go by {by}", self.to))),
            End::Unseen(why) => {
                Ok(finding.unknown(rung, format!("packets to {} go by {by}: {why}", self.to)))
            }
            End::Dies(found) => {
                let mut rungs = finding.rungs;
                let at = self.stages.last().map_or("", |stage| stage.node.as_str());
                rungs.push(fabric_reports::record::Rung {
                    name: rung,
                    standing: fabric_reports::record::Standing::Broken,
                    seen: format!("packets to {} go by {by}, and no further than {at}", self.to),
                });
                Err(Box::new(Finding { rungs, blame: found.blame.clone() }))
            }
        }
    }

    /// The box that the packet is for, where it arrives.
    pub(super) fn end_node(&self) -> Option<&str> {
        match self.end {
            End::Arrives => self.stages.last().map(|stage| stage.node.as_str()),
            _ => None,
        }
    }

    /// The box that takes the TTL of a packet down to 0.
    pub(super) fn node(&self, ttl: usize) -> Option<&str> {
        self.stages.get(ttl).map(|stage| stage.node.as_str())
    }

    /// The interfaces by which the packet leaves, with their boxes.
    pub(super) fn leaves(&self) -> impl Iterator<Item = (&str, &str)> {
        self.stages.iter().filter_map(|stage| Some((stage.node.as_str(), stage.leaves.as_deref()?)))
    }

    /// Every box on this way and on the one back, each once.
    pub(super) fn boxes(&self, back: Option<&Self>) -> Vec<String> {
        let both = self.stages.iter().chain(back.into_iter().flat_map(|back| &back.stages));
        let mut all: Vec<String> = Vec::new();
        for stage in both {
            if !all.contains(&stage.node) {
                all.push(stage.node.clone());
            }
        }
        all
    }
}

/// Follows a packet from a box to a target.
pub(super) async fn follow(context: &Context, start: &str, from: Option<IpAddr>, to: IpAddr) -> Walk {
    let key = (start.to_owned(), from, to);
    context.facts.walks.or_look(key, || Box::pin(walk(context, start, from, to))).await
}

async fn walk(context: &Context, start: &str, from: Option<IpAddr>, to: IpAddr) -> Walk {
    let mut walk = Walk { stages: Vec::new(), source: from, to, end: End::Arrives };
    let mut at = (start.to_owned(), None::<String>);
    while walk.stages.len() < MOST {
        let (node, arrives) = at;
        let again = walk.stages.iter().any(|stage| stage.node == node && stage.arrives == arrives);
        walk.stages.push(Stage { node, arrives, leaves: None });
        if again {
            walk.end = astray(context, &walk, "the packet goes in a circle").await;
            return walk;
        }
        match step(context, &mut walk).await {
            Ok(next) => at = next,
            Err(end) => {
                walk.end = end;
                return walk;
            }
        }
    }
    walk.end = End::Unseen("it never ends".to_owned());
    walk
}

/// Where the packet goes from the last box; as an error, that it goes no further.
async fn step(context: &Context, walk: &mut Walk) -> Result<(String, Option<String>), End> {
    let atlas = context.view.now();
    let to = walk.to;
    let Some(Stage { node, arrives, .. }) = walk.stages.last().cloned() else {
        return Err(End::Unseen("it begins nowhere".to_owned()));
    };
    let pod = map::pod_at(&atlas, to);
    if pod.as_ref().is_some_and(|(name, _)| *name == node) {
        return Err(End::Arrives);
    }
    let real = is_real_node(&atlas, &node);
    let unseen = |why: String| End::Unseen(why);
    let kernel = context.fabric.kernel(&node).await.map_err(|error| unseen(error.to_string()))?;
    // Where Cilium's programs take packets off an interface the kernel is not asked: only what it would do itself is known.
    let (from, comes) = if real { (None, None) } else { (walk.source, arrives.clone()) };
    let packet = Packet { to, from, arrives: comes };
    let way = kernel.way(&packet).await.map_err(|error| unseen(error.to_string()))?;
    let (next, source) = match way {
        Way::Local { source } => {
            walk.source = walk.source.or(source);
            return Err(End::Arrives);
        }
        Way::On { next, source } => (next, source),
        Way::Refused { why, .. } => {
            if let Some(found) = lacking(context, &node, to).await {
                return Err(End::Dies(Box::new(found)));
            }
            if real {
                return Err(unseen(format!("{node}'s kernel would drop it, and Cilium's programs may not")));
            }
            let refusal = asked(context, &node, packet, why).await;
            return Err(End::Dies(Box::new(Finding::default().broken(refused(&refusal)))));
        }
    };
    walk.source = walk.source.or(source);
    let dev = next.dev.clone().ok_or_else(|| unseen(format!("{node} sends it by no interface")))?;
    if let Some(stage) = walk.stages.last_mut() {
        stage.leaves = Some(dev.clone());
    }
    // On its own node, what leaves for a pod has arrived: by the pod's interface, or by Cilium's.
    if let Some((pod, on)) = pod.filter(|(_, on)| *on == node) {
        if real {
            return Err(unseen(format!("{on} hands it to Cilium")));
        }
        if dev.starts_with("cilium_") {
            return Err(unseen(format!("{on} hands it to Cilium, and has no route to {pod}")));
        }
        return Ok((pod, Some("eth0".to_owned())));
    }
    let hop = next.via.unwrap_or(to);
    if let Some(dead) = link(context, &node, &dev).await {
        return Err(End::Dies(Box::new(dead)));
    }
    if let Some(blame) = unresolved(context, &node, &dev, hop).await {
        return Err(End::Dies(Box::new(Finding::default().broken(blame))));
    }
    // Out of a pod: its node, by the interface that is the pod's other end.
    let own = walk.source.and_then(|source| map::pod_at(&atlas, source)).filter(|(name, _)| *name == node);
    if let Some((_, on)) = own
        && let Some(source) = walk.source
    {
        let kernel = context.fabric.kernel(&on).await.map_err(|error| unseen(error.to_string()))?;
        let back = kernel.way(&Packet::to(source)).await.map_err(|error| unseen(error.to_string()))?;
        let Way::On { next, .. } = back else { return Err(unseen(format!("{on} has no route to the pod"))) };
        return Ok((on, next.dev));
    }
    match map::beyond(&atlas, &node, &dev, hop) {
        Some((far, far_dev)) => Ok((far, Some(far_dev))),
        None => Err(astray(context, walk, &format!("{node} sends it {next}, out of the fabric")).await),
    }
}

/// That a box is a router that should know the way and does not, and why.
async fn lacking(context: &Context, node: &str, to: IpAddr) -> Option<Finding> {
    let atlas = context.view.now();
    let home = map::home(&atlas, to)?;
    if !map::is_router(&atlas, node) {
        return None;
    }
    let snapshot = snapshot(context, node).await?;
    let has = snapshot
        .fib
        .as_ref()
        .is_ok_and(|fib| fib.lookup(to).is_some_and(|(prefix, _)| prefix.prefix_len() >= home.prefix_len()));
    // A route as specific as that decides: what it does is the answer, not what is missing.
    if has {
        return None;
    }
    let finding = kernel_lacks(context, node, home).await;
    finding.blame.is_some().then_some(finding)
}

/// A packet that does not come nearer: the first router on its way that lacks the route is asked why.
async fn astray(context: &Context, walk: &Walk, how: &str) -> End {
    for stage in &walk.stages {
        if let Some(found) = lacking(context, &stage.node, walk.to).await {
            return End::Dies(Box::new(found));
        }
    }
    End::Unseen(how.to_owned())
}

/// All that tells why a kernel drops a packet.
async fn asked(context: &Context, node: &str, packet: Packet, why: String) -> Refusal {
    let family = if packet.to.is_ipv6() { "ipv6" } else { "ipv4" };
    let interfaces = ["all"].into_iter().chain(packet.arrives.as_deref());
    let paths: Vec<String> = interfaces
        .flat_map(|dev| {
            ["rp_filter", "forwarding"].map(|name| format!("/proc/sys/net/{family}/conf/{dev}/{name}"))
        })
        .collect();
    let said = now_said(context, node, &format!("grep -H . {}", paths.join(" "))).await;
    let netstat = now_said(context, node, "cat /proc/net/netstat").await;
    let mut refusal = Refusal {
        node: node.to_owned(),
        why,
        matched: None,
        own: Way::Refused { code: 0, why: String::new() },
        back: None,
        settings: said.map_or_else(|_| BTreeMap::new(), |said| settings(&said)),
        reverse_path_drops: netstat.ok().and_then(|said| counter(&said, "IPReversePathFilter")),
        packet,
    };
    let Ok(kernel) = context.fabric.kernel(node).await else { return refusal };
    if let Ok(fib) = kernel.fib().await {
        refusal.matched = fib.lookup(refusal.packet.to).map(|(prefix, route)| (*prefix, route.clone()));
    }
    if let Ok(own) = kernel.way(&Packet::to(refusal.packet.to)).await {
        refusal.own = own;
    }
    if let Some(from) = refusal.packet.from {
        refusal.back = kernel.way(&Packet::to(from)).await.ok();
    }
    refusal
}

/// An interface by which nothing goes: what the ladder of the session over it says, or that it is down.
async fn link(context: &Context, node: &str, dev: &str) -> Option<Finding> {
    let atlas = context.view.now();
    let link = atlas.interfaces.get(node)?.links.iter().find(|link| link.name == dev)?;
    if link.up && link.carrier {
        return None;
    }
    if let Some(sessions) = snapshot(context, node).await.and_then(|snapshot| snapshot.sessions.clone().ok())
    {
        let far = map::far_end(&atlas, node, dev).map(|(far, _)| far);
        for (key, session) in sessions.iter() {
            if far.is_some() && map::speaker(&atlas, node, session) == far {
                let finding = session::of(context, node, key).await;
                if finding.blame.is_some() {
                    return Some(finding);
                }
            }
        }
    }
    let show = format!("ip link show dev {dev}");
    let proof = text_proof(&format!("{node}'s {dev}"), node, show.clone(), shown(context, node, &show).await);
    let what = if link.up { "has no carrier" } else { "is down" };
    Some(Finding::default().broken(Blame {
        kind: "link-down",
        rung: RungName::Link,
        title: format!("{node}'s {dev} {what}"),
        text: "Packets should leave by it.".to_owned(),
        node: Some(node.to_owned()),
        about: Some(dev.to_owned()),
        proofs: vec![proof],
        next: Some(show),
    }))
}

/// A next hop that nobody answers for on the link.
async fn unresolved(context: &Context, node: &str, dev: &str, hop: IpAddr) -> Option<Blame> {
    let kernel = context.fabric.kernel(node).await.ok()?;
    let all = kernel.neighbours().await.ok()?;
    let entry = all.iter().find(|entry| entry.address == hop && entry.dev == dev)?;
    if entry.state != "failed" {
        return None;
    }
    let line = format!("ip neigh show {hop} dev {dev}");
    let said = shown(context, node, &line).await;
    Some(Blame {
        kind: "neighbor-unresolved",
        rung: RungName::Neighbor,
        title: format!("nobody answers {node} for {hop} on {dev}"),
        text: "Packets that should go by it are dropped.".to_owned(),
        node: Some(node.to_owned()),
        about: Some(format!("{dev} {hop}")),
        proofs: vec![text_proof(&format!("{node}'s neighbors"), node, line.clone(), said)],
        next: Some(line),
    })
}
