//! Why a node, a pod or an interface is not as it should be.
//!
//! What lives here: what the atlas and the kernels say of it. What does not: what that means (`crate::ladder::boxes`).

use super::super::observe::Context;
use super::session;
use crate::checks::{InterfaceFact, InterfaceSpec, NodeFact, NodeSpec, PodFact, PodSpec};
use crate::expect::{PodName, WantedLink, WantedPhase};
use crate::ladder::{Blame, Finding, boxes};

/// The ladder of a check of a pod.
pub(super) async fn pod(context: &Context, spec: &PodSpec) -> Finding {
    if spec.fact == PodFact::Phase(WantedPhase::Absent) {
        return Finding::default();
    }
    match pod_blame(context, &spec.pod) {
        Some(blame) => Finding::default().broken(blame),
        None => Finding::default(),
    }
}

/// What is to blame that a pod does not run; none where it runs, or nothing is known.
pub(super) fn pod_blame(context: &Context, name: &PodName) -> Option<Blame> {
    let atlas = context.view.now();
    atlas.pods.as_ref()?;
    let nodes = atlas.nodes.as_ref()?;
    boxes::pod(&name.namespace, &name.name, atlas.pod(name), nodes)
}

/// The ladder of a check of an interface.
pub(super) async fn interface(context: &Context, spec: &InterfaceSpec) -> Finding {
    match &spec.fact {
        InterfaceFact::State(WantedLink::Up) => {
            let facts = session::link(context, &spec.place, &spec.name).await;
            crate::ladder::session::climb_link(&facts)
        }
        InterfaceFact::Address(address) => {
            let atlas = context.view.now();
            let Some(seen) = atlas.interfaces.get(&spec.place) else { return Finding::default() };
            boxes::address(&spec.place, &spec.name, *address, &seen.links, &seen.addresses)
        }
        _ => Finding::default(),
    }
}

/// The ladder of a check of the cluster's nodes.
pub(super) async fn node(context: &Context, spec: &NodeSpec) -> Finding {
    let atlas = context.view.now();
    let Some(nodes) = &atlas.nodes else { return Finding::default() };
    let blame = match spec {
        NodeSpec::AllReady(true) => nodes.iter().find_map(boxes::not_ready),
        NodeSpec::Of { node, fact } => {
            let named = |seen: &&k8s_openapi::api::core::v1::Node| {
                seen.metadata.name.as_deref().is_some_and(|name| crate::checks::same_node(name, node))
            };
            nodes.iter().find(named).and_then(|seen| match fact {
                NodeFact::Ready(true) => boxes::not_ready(seen),
                NodeFact::Labels(wanted) => boxes::not_labelled(seen, wanted),
                _ => None,
            })
        }
        _ => None,
    };
    blame.map_or_else(Finding::default, |blame| Finding::default().broken(blame))
}
