//! The snapshot that is learned from: what the routers and the cluster say, and the ways packets take.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use fabric_harness::probe::TraceReport;
use k8s_openapi::api::core::v1::Node;

use super::super::atlas::Atlas;
use super::super::observe::Context;
use super::super::probes::{End, Wanted};
use super::names;
use crate::expect::{Prober, Symbol};
use crate::learn::{NodeSeen, PathSeen, PodSeen, RouterSeen, Seen};

/// Between so many ends every pair is tried; of more, each with the next.
const ALL_PAIRS: usize = 4;
/// How many flows are traced each way: of two equal ways, one stays unseen once in 128 times.
const FLOWS: u16 = 8;

/// Looks at everything.
pub(super) async fn look(context: &Context, routers: &[String], cilium: bool) -> Seen {
    let atlas = context.view.now();
    let mut seen = Seen { cilium, ..Seen::default() };
    for (name, observer) in context.fabric.observers().await {
        let snapshot = observer.now().await;
        seen.routers.insert(
            name,
            RouterSeen {
                sessions: snapshot.sessions.as_ref().ok().cloned(),
                rib: snapshot.rib.as_ref().ok().cloned(),
                fib: snapshot.fib.as_ref().ok().cloned(),
            },
        );
    }
    seen.nodes = atlas.nodes.iter().flatten().map(|node| node_seen(&atlas, node)).collect();
    let pods = names::pods(&atlas);
    seen.pods = pods
        .iter()
        .map(|(name, pod)| PodSeen {
            name: name.clone(),
            phase: pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default(),
        })
        .collect();
    let called: Vec<_> = pods.iter().map(|(name, _)| name.clone()).collect();
    seen.naming = names::of(&atlas, routers, &called);
    let running = seen.pods.iter().filter(|pod| pod.phase == "Running");
    let mut ends: Vec<Symbol> = running.map(|pod| Symbol::Pod(pod.name.clone())).collect();
    ends.extend(names::hosts(&atlas, routers));
    for (from, to) in pairs(&ends) {
        seen.paths.extend(path(context, &atlas, from, to).await);
    }
    seen
}

fn node_seen(atlas: &Atlas, node: &Node) -> NodeSeen {
    let name = node.metadata.name.clone().unwrap_or_default();
    let status = node.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let ready = conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True");
    let addresses = status.and_then(|status| status.addresses.as_ref()).into_iter().flatten();
    let internal = addresses.filter(|address| address.type_ == "InternalIP");
    NodeSeen {
        name: atlas.short(&name).to_owned(),
        ready,
        labels: node.metadata.labels.clone().unwrap_or_default(),
        addresses: internal.filter_map(|address| address.address.parse().ok()).collect(),
    }
}

fn pairs(ends: &[Symbol]) -> Vec<(&Symbol, &Symbol)> {
    let numbers = 0..ends.len();
    let all = numbers.clone().flat_map(|one| (one + 1..ends.len()).map(move |other| (one, other)));
    let near = |(one, other): &(usize, usize)| ends.len() <= ALL_PAIRS || other - one == 1;
    all.filter(near).map(|(one, other)| (&ends[one], &ends[other])).collect()
}

/// The ways between two ends; nothing where packets arrive one way alone, which no expectation says.
async fn path(context: &Context, atlas: &Arc<Atlas>, from: &Symbol, to: &Symbol) -> Option<PathSeen> {
    let (there, back) = (End::new(from, to, None, Prober::Native), End::new(to, from, None, Prober::Native));
    let ping = async |ends: &End| {
        let wanted = Wanted::ping(ends, 3, false, 1);
        context.probes.ping(atlas, wanted).await.is_ok_and(|report| report.all_answered())
    };
    let (forth, returned) = tokio::join!(ping(&there), ping(&back));
    let mut path =
        PathSeen { from: from.clone(), to: to.clone(), reached: forth, there: vec![], back: vec![] };
    match (forth, returned) {
        (true, true) => {
            path.there = traced(context, atlas, &there).await;
            path.back = traced(context, atlas, &back).await;
            Some(path)
        }
        (false, false) => Some(path),
        _ => None,
    }
}

/// Who answered, flow by flow; nothing where one of them did not arrive.
async fn traced(context: &Context, atlas: &Arc<Atlas>, ends: &End) -> Vec<Vec<Option<IpAddr>>> {
    let each = (0..FLOWS).map(|flow| context.probes.trace(atlas, Wanted::trace(ends, flow, 1)));
    let reports = futures::future::join_all(each).await;
    let hops = |report: &TraceReport| report.hops.iter().map(|hop| hop.responder).collect::<Vec<_>>();
    let all: Option<Vec<_>> = reports
        .into_iter()
        .map(|report| report.ok().filter(|report| report.reached).map(|report| hops(&report)))
        .collect();
    all.unwrap_or_default()
}

/// Begins to look at the routers that can be asked.
pub(super) async fn watch(context: &Context, routers: &[String]) -> BTreeMap<String, String> {
    let mut lost = BTreeMap::new();
    for router in routers {
        match context.fabric.observer(router).await {
            Ok(observer) => {
                observer.now().await;
            }
            Err(error) => {
                lost.insert(router.clone(), error.to_string());
            }
        }
    }
    lost
}
