//! What Cilium's agents tell, for clients that follow them.
//!
//! What lives here: all agents as one thing that changes. What does not: an agent (`twin::agent`).

use tokio::sync::watch;

use crate::runtime::keeper::{AgentInfo, AgentNeighbor};
use crate::twin::agent::{AgentStatus, Phase};

/// The agents of a fabric, each with its node's name.
#[derive(Debug)]
pub(crate) struct Agents(Vec<(String, watch::Receiver<AgentStatus>)>);

impl Agents {
    pub(super) fn new(agents: Vec<(String, watch::Receiver<AgentStatus>)>) -> Self {
        Self(agents)
    }

    /// How they stand.
    pub(crate) fn now(&mut self) -> Vec<AgentInfo> {
        self.0.iter_mut().map(|(node, status)| info(node, &status.borrow_and_update())).collect()
    }

    /// Returns when something about one of them has changed since [`Agents::now`].
    pub(crate) async fn changed(&mut self) {
        let each = self.0.iter_mut().map(|(_, status)| {
            Box::pin(async {
                if status.changed().await.is_err() {
                    // An agent that has ended changes no more.
                    std::future::pending::<()>().await;
                }
            })
        });
        let each: Vec<_> = each.collect();
        if each.is_empty() {
            return std::future::pending().await;
        }
        futures::future::select_all(each).await;
    }
}

fn info(node: &str, status: &AgentStatus) -> AgentInfo {
    let neighbors = status.virtual_routers.iter().flat_map(|router| {
        let (local_asn, all) = (router.asn, &router.neighbors);
        all.iter().map(move |one| AgentNeighbor { address: one.address, asn: one.asn, local_asn })
    });
    AgentInfo {
        node: node.to_owned(),
        running: status.phase == Phase::Running,
        node_seen: status.node_seen.clone(),
        policies_seen: status.policies_seen.clone(),
        problems: status.problems.clone(),
        neighbors: neighbors.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_of_one_agent_is_a_change() {
        let (first, second) =
            (watch::Sender::new(AgentStatus::default()), watch::Sender::new(AgentStatus::default()));
        let mut agents = Agents::new(vec![("a".into(), first.subscribe()), ("b".into(), second.subscribe())]);
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
    }
}
