//! Cilium's own view beside the routers': a check for each session that Cilium tells of.
//!
//! What lives here: reading both, again and again until they agree or time is out, and telling the recorder. What does not:
//! the comparison (`checks::speaker`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fabric_harness::fabric::Fabric;
use fabric_harness::found::SpeakerSession;
use fabric_harness::router::Session;
use fabric_reports::Recorder;
use fabric_reports::record::shape;
use fabric_reports::recorder::Subject;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::checks::{is_between, judge_speaker};

/// What Cilium says may be older than what the routers say: its status is written behind the sessions.
const AGE: Duration = Duration::from_secs(20);
/// Each look asks every agent or lists every object; neither tells of changes.
const PAUSE: Duration = Duration::from_millis(500);

/// What the routers say, for comparison.
struct Routers {
    /// Addresses of each cluster node.
    nodes: BTreeMap<String, Vec<IpAddr>>,
    /// Of each router its own addresses and its sessions.
    routers: Vec<(String, Vec<IpAddr>, Vec<Session>)>,
}

/// Judges every session that Cilium tells of; `phase` is the one the fabric is in.
pub(super) async fn judge(fabric: &Arc<Fabric>, phase: &str, recorder: &Arc<Recorder>) {
    let Some(found) = fabric.found() else { return };
    let began = Instant::now();
    let step = recorder.step("ask Cilium for its own view of the sessions", phase);
    let mut seen = match found.speakers().await {
        Ok(seen) => seen,
        Err(why) => {
            step.detail(&why);
            step.done();
            recorder.note(format!("Cilium's own view of its sessions is not judged: {why}"));
            return;
        }
    };
    step.detail(seen.source);
    step.done();
    let subject = |session: &SpeakerSession| Subject {
        name: format!("{phase}::cilium::{}::agrees on {}", session.node, session.neighbor),
        phase: phase.to_owned(),
        kind: "cilium".to_owned(),
        node: Some(session.node.clone()),
    };
    let mut open: Vec<_> = seen.sessions.iter().map(|session| recorder.check(subject(session))).collect();
    let names: Vec<(String, IpAddr)> =
        seen.sessions.iter().map(|session| (session.node.clone(), session.neighbor)).collect();
    loop {
        let routers = Routers::read(fabric).await;
        let differing: Vec<Vec<String>> = names
            .iter()
            .map(|(node, neighbor)| {
                let session = seen.sessions.iter().find(|one| one.node == *node && one.neighbor == *neighbor);
                match session {
                    Some(session) => routers.judge(session),
                    None => vec![format!("Cilium no longer tells of a session of {node} with {neighbor}")],
                }
            })
            .collect();
        if differing.iter().all(Vec::is_empty) || began.elapsed() >= AGE {
            keep(recorder, phase, &seen.sessions);
            for (check, differences) in open.drain(..).zip(differing) {
                if differences.is_empty() {
                    check.pass();
                } else {
                    let text = format!(
                        "Cilium ({}) and the routers do not say the same\n{}\nasked again and again for {AGE:?}",
                        seen.source,
                        differences.iter().map(|line| format!("- {line}")).collect::<Vec<_>>().join("\n")
                    );
                    check.fail(text, None);
                }
            }
            return;
        }
        tokio::time::sleep(PAUSE).await;
        if let Ok(again) = found.speakers().await {
            seen = again;
        }
    }
}

/// Keeps what Cilium says, as the states of its speakers.
fn keep(recorder: &Recorder, phase: &str, sessions: &[SpeakerSession]) {
    let mut nodes: BTreeMap<&str, BTreeMap<Option<u32>, Vec<shape::AnnouncerPeer>>> = BTreeMap::new();
    for session in sessions {
        let peer = shape::AnnouncerPeer {
            address: session.neighbor.to_string(),
            remote_as: session.remote_as.unwrap_or_default(),
            state: session.state.clone(),
            sent: session.advertised.clone(),
            received: session.received.clone(),
            ..shape::AnnouncerPeer::default()
        };
        nodes.entry(&session.node).or_default().entry(session.local_as).or_default().push(peer);
    }
    for (node, speakers) in nodes {
        let speakers = speakers.into_iter().map(|(asn, peers)| shape::Announcer {
            asn,
            peers,
            running: true,
            ..shape::Announcer::default()
        });
        let state = shape::Speaker { speakers: speakers.collect(), ..shape::Speaker::default() };
        // It has but strings and numbers: it always serializes.
        let json = serde_json::to_value(state).unwrap_or_default();
        recorder.state(format!("end of phase {phase}"), node, "speaker", json);
    }
}

impl Routers {
    async fn read(fabric: &Fabric) -> Self {
        let mut nodes = BTreeMap::new();
        if let Ok(client) = fabric.client().await
            && let Ok(list) = Api::<Node>::all(client).list(&ListParams::default()).await
        {
            for node in list {
                let status = node.status.iter().flat_map(|status| status.addresses.iter().flatten());
                let addresses = status.filter_map(|address| address.address.parse().ok()).collect();
                nodes.insert(node.name_any(), addresses);
            }
        }
        let mut routers = Vec::new();
        for (name, observer) in fabric.observers().await {
            let Ok(sessions) = observer.now().await.sessions.clone() else { continue };
            let own = match fabric.kernel(&name).await {
                Ok(kernel) => kernel.addresses().await.unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            let own = own.into_iter().map(|address| address.address.addr()).collect();
            routers.push((name, own, sessions.values().cloned().collect()));
        }
        Self { nodes, routers }
    }

    fn judge(&self, cilium: &SpeakerSession) -> Vec<String> {
        let node = self.nodes.get(&cilium.node).cloned().unwrap_or_default();
        let mut all = self.routers.iter().flat_map(|(name, own, sessions)| {
            sessions.iter().map(move |session| (name.as_str(), own, session))
        });
        let found = all.find(|(_, own, session)| is_between(session, &node, cilium.neighbor, own));
        judge_speaker(cilium, found.map(|(name, _, session)| (name, session)))
    }
}
