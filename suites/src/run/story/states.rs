//! What the fabric looks like at the end of a phase and when a check fails.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use fabric_harness::router::Snapshot;
use fabric_harness::runtime::keeper::AgentInfo;
use fabric_reports::record::shape;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::atlas::{Atlas, Interfaces, pod_name};
use super::super::observe::Context;
use super::super::probes::sender_of;
use super::{Story, cluster, names};
use crate::checks::{SessionSpec, ThroughoutFact};
use crate::expect::{Neighbor, Resolver, Symbol};
use crate::plan::{CheckSpec, PlannedCheck};

/// How long a router is waited for that does not answer; its last word is kept then.
const ANSWER: Duration = Duration::from_secs(2);

/// Whose state is to be kept.
#[derive(Debug, Default)]
struct Whose {
    routers: BTreeSet<String>,
    boxes: BTreeSet<String>,
    pods: BTreeSet<String>,
}

impl Story {
    /// Keeps the state of everything as it is since a moment; `when` names the occasion.
    pub(in crate::run) async fn keep(&self, context: &Context, when: &str, since: Instant) {
        let atlas = context.view.now();
        let own = |place: &&String| atlas.box_of(place) == place.as_str();
        let whose = Whose {
            routers: self.kept(context),
            boxes: atlas.interfaces.keys().filter(own).cloned().collect(),
            pods: atlas.pods.iter().flatten().map(pod_name).collect(),
        };
        self.keep_of(context, &atlas, &whose, (when, since), true).await;
        if atlas.nodes.is_some() || !atlas.interfaces.is_empty() {
            let names = value(&names::names(&atlas));
            self.state(when, ("fabric", "names"), names.clone(), names.to_string(), true);
        }
        self.draw(&atlas);
    }

    /// The routers whose state is kept: those that are watched, and of what others brought up every one, which is read for it.
    fn kept(&self, context: &Context) -> BTreeSet<String> {
        let mut all: BTreeSet<String> = self.watched().into_iter().collect();
        if context.fabric.found().is_some() {
            let routers = context.fabric.topology().nodes.iter().filter(|node| node.routing().is_some());
            all.extend(routers.map(|node| node.name.clone()));
        }
        all
    }

    /// Keeps the state of what a check that failed is about. What looks as it did when another check of the phase failed
    /// is not kept again.
    pub(in crate::run) async fn failed(&self, context: &Context, check: &PlannedCheck) {
        let atlas = context.view.now();
        let whose = concerned(&atlas, check, &self.watched());
        let when = format!("failure of {}", check.name);
        self.keep_of(context, &atlas, &whose, (&when, Instant::now()), false).await;
    }

    async fn keep_of(
        &self,
        context: &Context,
        atlas: &Atlas,
        whose: &Whose,
        (when, since): (&str, Instant),
        always: bool,
    ) {
        let readings = whose.routers.iter().map(|router| async move {
            let observer = context.fabric.observer(router).await.ok()?;
            // Only what is asked of a router takes time: all of them are asked at once.
            let now = tokio::time::timeout(ANSWER, observer.since(since)).await;
            Some((router, now.unwrap_or_else(|_| observer.latest())))
        });
        for (router, snapshot) in futures::future::join_all(readings).await.into_iter().flatten() {
            self.router_state(when, router, &snapshot, always);
        }
        for place in &whose.boxes {
            if let Some(seen) = atlas.interfaces.get(place) {
                let (links, addresses) = interfaces(seen);
                self.put(when, (place, "links"), &links, always);
                self.put(when, (place, "addresses"), &addresses, always);
            }
            if let Some(node) = node(atlas, place) {
                self.put(when, (place, "node"), &node_state(node), always);
            }
            if let Some(agent) = atlas.agents.iter().flatten().find(|agent| agent.info.node == *place) {
                let state = speaker(atlas, &agent.info);
                // Without its clocks it is compared.
                let look = format!("{:?}", agent.info);
                self.state(when, (place, "speaker"), value(&state), look, always);
            }
        }
        for pod in atlas.pods.iter().flatten() {
            let name = pod_name(pod);
            if whose.pods.contains(&name) {
                self.put(when, (&name, "pod"), &pod_state(pod), always);
            }
        }
    }

    fn put(&self, when: &str, of: (&str, &'static str), state: &impl Serialize, always: bool) {
        let json = value(state);
        let look = json.to_string();
        self.state(when, of, json, look, always);
    }

    fn router_state(&self, when: &str, router: &str, snapshot: &Snapshot, always: bool) {
        fn part<T: Serialize>(seen: &Result<std::sync::Arc<T>, String>) -> Value {
            match seen {
                Ok(seen) => value(seen.as_ref()),
                Err(why) => json!({"unreadable": why}),
            }
        }
        if let Ok(rib) = &snapshot.rib {
            self.is_in_as(router, rib.local_as);
        }
        let parts = [
            ("sessions", part(&snapshot.sessions)),
            ("rib", part(&snapshot.rib)),
            ("fib", part(&snapshot.fib)),
        ];
        for (kind, json) in parts {
            self.state(when, (router, kind), json, snapshot.version, always);
        }
    }
}

fn value(state: &impl Serialize) -> Value {
    serde_json::to_value(state).unwrap_or_else(|error| json!({"unreadable": error.to_string()}))
}

/// Whom a failed check is about.
fn concerned(atlas: &Atlas, check: &PlannedCheck, routers: &[String]) -> Whose {
    let mut whose = Whose::default();
    let routed = |whose: &mut Whose, router: &str| {
        whose.routers.insert(router.to_owned());
        whose.boxes.insert(router.to_owned());
    };
    match &check.spec {
        CheckSpec::Session(spec) => {
            routed(&mut whose, spec.router());
            if let SessionSpec::Of { router, neighbor, .. } = spec {
                let peer = match neighbor {
                    Neighbor::Interface(interface) => atlas.box_over(router, interface),
                    Neighbor::Address(symbol) => {
                        let all = atlas.addresses(symbol).unwrap_or_default();
                        all.first().and_then(|address| atlas.box_with(address.value))
                    }
                };
                if let Some(peer) = peer {
                    whose.boxes.insert(peer.to_owned());
                    whose.routers.extend(routers.iter().find(|router| *router == peer).cloned());
                }
            }
        }
        CheckSpec::Rib(spec) => routed(&mut whose, &spec.router),
        CheckSpec::Fib(spec) => routed(&mut whose, &spec.router),
        CheckSpec::Interface(spec) => drop(whose.boxes.insert(spec.place.clone())),
        CheckSpec::Lines(spec) => drop(whose.boxes.insert(spec.node.clone())),
        CheckSpec::Nodes(_) => {
            whose.boxes.extend(
                atlas.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.clone()),
            );
        }
        CheckSpec::Pod(spec) => of_end(atlas, &mut whose, &Symbol::Pod(spec.pod.clone())),
        // Any router may be the one that loses packets.
        CheckSpec::Throughout(spec) => match &spec.fact {
            ThroughoutFact::Loss { from, to, .. } => of_way(atlas, &mut whose, [from, to], routers),
            ThroughoutFact::Absent { router } | ThroughoutFact::Down { router } => {
                routed(&mut whose, router);
            }
        },
        CheckSpec::Reach(spec) => of_way(atlas, &mut whose, [&spec.from, &spec.to], routers),
        CheckSpec::Path(spec) => of_way(atlas, &mut whose, [&spec.from, &spec.to], routers),
        CheckSpec::Agree(spec) => of_way(atlas, &mut whose, [&spec.from, &spec.to], routers),
    }
    whose
}

fn of_way(atlas: &Atlas, whose: &mut Whose, ends: [&Symbol; 2], routers: &[String]) {
    ends.into_iter().for_each(|end| of_end(atlas, whose, end));
    whose.routers.extend(routers.iter().cloned());
    whose.boxes.extend(routers.iter().cloned());
}

/// A pod with its node, or a box.
fn of_end(atlas: &Atlas, whose: &mut Whose, end: &Symbol) {
    if let Symbol::Pod(wanted) = end {
        whose.pods.insert(format!("{}/{}", wanted.namespace, wanted.name));
        let node = atlas.pod(wanted).and_then(|pod| pod.spec.as_ref()?.node_name.clone());
        whose.boxes.extend(node);
    } else if let Ok(place) = sender_of(atlas, end) {
        whose.boxes.insert(atlas.box_of(&place).to_owned());
    }
}

fn interfaces(seen: &Interfaces) -> (shape::Links, shape::Addresses) {
    let link = |link: &fabric_harness::router::Link| shape::Link {
        name: link.name.clone(),
        up: link.up,
        carrier: link.carrier,
        mtu: link.mtu,
    };
    let address = |own: &fabric_harness::router::LinkAddress| shape::Address {
        interface: own.dev.clone(),
        address: own.address.to_string(),
        tentative: own.tentative,
    };
    let addresses = seen.addresses.iter().map(address).collect();
    (shape::Links(seen.links.iter().map(link).collect()), shape::Addresses(addresses))
}

fn node<'a>(atlas: &'a Atlas, name: &str) -> Option<&'a Node> {
    atlas.nodes.iter().flatten().find(|node| node.metadata.name.as_deref() == Some(name))
}

fn node_state(node: &Node) -> shape::ClusterNode {
    let (spec, status) = (node.spec.clone().unwrap_or_default(), node.status.clone().unwrap_or_default());
    let ready = cluster::is_ready(node);
    let condition = status.conditions.into_iter().flatten().find(|one| one.type_ == "Ready");
    let taint = |taint: k8s_openapi::api::core::v1::Taint| {
        let value = taint.value.map(|value| format!("={value}")).unwrap_or_default();
        format!("{}{value}:{}", taint.key, taint.effect)
    };
    shape::ClusterNode {
        ready,
        message: condition.filter(|_| !ready).and_then(|condition| condition.message),
        unschedulable: spec.unschedulable.unwrap_or(false),
        pod_cidrs: spec.pod_cidrs.unwrap_or_default(),
        addresses: status
            .addresses
            .into_iter()
            .flatten()
            .filter(|address| address.type_ == "InternalIP")
            .map(|address| address.address)
            .collect(),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        taints: spec.taints.into_iter().flatten().map(taint).collect(),
    }
}

fn pod_state(pod: &Pod) -> shape::Pod {
    let status = pod.status.clone().unwrap_or_default();
    let amiss = status.conditions.iter().flatten().find(|one| one.status != "True" && one.message.is_some());
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        waiting.message.clone().or_else(|| waiting.reason.clone())
    });
    let ready = cluster::pod_is_ready(pod);
    let message = waiting.or_else(|| amiss.and_then(|one| one.message.clone())).or(status.message);
    shape::Pod {
        phase: status.phase.unwrap_or_else(|| "Unknown".to_owned()),
        ready,
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        addresses: status.pod_ips.into_iter().flatten().map(|ip| ip.ip).collect(),
        message: message.filter(|_| !ready),
    }
}

fn speaker(atlas: &Atlas, info: &AgentInfo) -> shape::Speaker {
    let peers = |asn: u32| info.neighbors.iter().filter(move |neighbor| neighbor.local_asn == asn);
    let speakers = info.speakers.iter().map(|speaker| shape::Announcer {
        asn: Some(speaker.asn),
        instance: speaker.instance.clone(),
        router_id: Some(speaker.router_id.to_string()),
        local_port: speaker.local_port,
        running: speaker.started_at.is_some(),
        restarts: speaker.restarts,
        advertised: speaker.advertised.iter().map(ToString::to_string).collect(),
        peers: peers(speaker.asn)
            .map(|neighbor| {
                let session = neighbor.session.as_ref();
                let since = session.and_then(|session| session.up_since);
                let uptime = since.and_then(|since| SystemTime::now().duration_since(since).ok());
                shape::AnnouncerPeer {
                    address: neighbor.address.to_string(),
                    peer: atlas.box_with(neighbor.address).map(str::to_owned),
                    remote_as: neighbor.asn,
                    state: cluster::standing(neighbor).to_ascii_lowercase(),
                    uptime_s: uptime.map(|uptime| (uptime.as_secs_f64() * 1e3).round() / 1e3),
                    established_count: session.map_or(0, |session| session.times_up),
                    last_reset: session.and_then(|session| session.last_down.clone()),
                    families: neighbor.families.clone(),
                    ..shape::AnnouncerPeer::default()
                }
            })
            .collect(),
    });
    shape::Speaker {
        running: Some(info.running),
        problems: info.problems.clone(),
        silences: info.silences.clone(),
        speakers: speakers.collect(),
    }
}
