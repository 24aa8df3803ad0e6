//! What Cilium's agents tell, for clients that follow them.
//!
//! What lives here: all agents as one thing that changes. What does not: an agent (`twin::agent`).

use futures::FutureExt;
use tokio::sync::watch;

use crate::runtime::keeper::{AgentInfo, AgentNeighbor, AgentSession, AgentSpeaker, OperatorSeen};
use crate::twin::agent::{AgentStatus, Phase};
use crate::twin::operator::OperatorStatus;

/// The agents of a fabric, each with its node's name.
#[derive(Debug)]
pub(crate) struct Agents {
    agents: Vec<(String, watch::Receiver<AgentStatus>)>,
    operator: Option<watch::Receiver<OperatorStatus>>,
}

impl Agents {
    pub(super) fn new(
        agents: Vec<(String, watch::Receiver<AgentStatus>)>,
        operator: Option<watch::Receiver<OperatorStatus>>,
    ) -> Self {
        Self { agents, operator }
    }

    /// How they stand.
    pub(crate) fn now(&mut self) -> Vec<AgentInfo> {
        let operator = self.operator.as_mut().map(|status| status.borrow_and_update().clone());
        let each = self.agents.iter_mut();
        each.map(|(node, status)| info(node, &status.borrow_and_update(), operator.as_ref())).collect()
    }

    /// Returns when something about one of them has changed since [`Agents::now`].
    pub(crate) async fn changed(&mut self) {
        let agents = self.agents.iter_mut().map(|(_, status)| changed(status).boxed());
        let operator = self.operator.iter_mut().map(|status| changed(status).boxed());
        let each: Vec<_> = agents.chain(operator).collect();
        if each.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(each).await;
    }
}

async fn changed<T>(status: &mut watch::Receiver<T>) {
    if status.changed().await.is_err() {
        // Whoever has ended changes no more.
        std::future::pending::<()>().await;
    }
}

fn info(node: &str, status: &AgentStatus, operator: Option<&OperatorStatus>) -> AgentInfo {
    let neighbors = status.virtual_routers.iter().flat_map(|router| {
        let (local_asn, all) = (router.asn, &router.neighbors);
        all.iter().map(move |one| AgentNeighbor {
            address: one.address,
            asn: one.asn,
            local_asn,
            families: one.families.iter().map(|family| format!("{}/{}", family.afi, family.safi)).collect(),
            session: one.seen.as_ref().map(|seen| AgentSession {
                added_at: seen.added_at,
                up_since: seen.up_since,
                times_up: seen.times_up,
                last_down: seen.last_down.clone(),
            }),
        })
    });
    let speakers = status.virtual_routers.iter().map(|router| AgentSpeaker {
        instance: router.instance.clone(),
        asn: router.asn,
        router_id: router.router_id,
        local_port: router.local_port,
        started_at: router.speaker_started_at,
        restarts: router.restarts,
        advertised: router.advertised.clone(),
    });
    AgentInfo {
        node: node.to_owned(),
        version: status.version.clone(),
        reads_policies: status.reads_policies,
        running: status.phase == Phase::Running,
        node_seen: status.node_seen.clone(),
        policies_seen: status.policies_seen.clone(),
        second_seen: status.second_seen.clone(),
        operator: operator.map(|operator| of_node(node, operator)),
        problems: status.problems.clone(),
        silences: status.silences.clone(),
        neighbors: neighbors.collect(),
        speakers: speakers.collect(),
    }
}

fn of_node(node: &str, status: &OperatorStatus) -> OperatorSeen {
    OperatorSeen {
        done: status.done,
        clusters: status.clusters.clone(),
        peers: status.peers.clone(),
        overrides: status.overrides.clone(),
        node_config: status.node_configs.get(node).cloned(),
        labels: status.labels.get(node).cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_of_one_agent_is_a_change() {
        let (first, second) =
            (watch::Sender::new(AgentStatus::default()), watch::Sender::new(AgentStatus::default()));
        let told = vec![("a".into(), first.subscribe()), ("b".into(), second.subscribe())];
        let operator = watch::Sender::new(OperatorStatus::default());
        let mut agents = Agents::new(told, Some(operator.subscribe()));
        assert_eq!(agents.now().iter().filter(|agent| agent.running).count(), 0);
        second.send_modify(|status| status.phase = Phase::Running);
        drop(first);
        agents.changed().await;
        let now = agents.now();
        assert!(now[1].running && now[1].node == "b" && !now[0].running);
        assert!(
            futures::poll!(Box::pin(agents.changed())).is_pending(),
            "an agent that has ended changes no more"
        );
        operator.send_modify(|status| status.done = true);
        agents.changed().await;
        assert!(agents.now().iter().all(|agent| agent.operator.as_ref().is_some_and(|seen| seen.done)));
    }
}
