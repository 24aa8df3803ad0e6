//! The place of one speaker: what should run there, what does, and how long to wait before trying again.
//!
//! What lives here: the way from one to the other, for one local AS number. What should run is decided in `plan`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::plan::VirtualRouter;
use super::speaker::{Client, Speaker};
use super::status::{NeighborStatus, RouterStatus};
use crate::cilium::AgentStop;
use crate::node::NodeRef;

/// Kubelet's back-off between the starts of a container that keeps ending: 10 s, doubled each time, 5 min at most.
/// The first start after a long life is at once.
const BACK_OFF: Duration = Duration::from_secs(10);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// What happened while a slot was settled, to be told as Kubernetes events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// gobgpd ended unasked.
    Died(String),
    /// A speaker could not be started or changed.
    Failed(String),
    /// A neighbor has been left with routes that it should not have any more.
    Left(String),
}

/// One speaker's place.
pub(super) struct Slot {
    node: NodeRef,
    wake: Arc<Notify>,
    wanted: VirtualRouter,
    speaker: Option<Speaker>,
    failures: u32,
    not_before: Option<Instant>,
    restarts: u32,
    problem: Option<String>,
}

impl Slot {
    pub(super) fn new(node: NodeRef, wake: Arc<Notify>, wanted: VirtualRouter) -> Self {
        let (speaker, not_before, problem) = (None, None, None);
        Self { node, wake, wanted, speaker, failures: 0, not_before, restarts: 0, problem }
    }

    /// What should run here.
    pub(super) fn wanted(&self) -> &VirtualRouter {
        &self.wanted
    }

    /// Something to ask what runs here with; `None` while nothing does.
    pub(super) fn client(&self) -> Option<Client> {
        self.speaker.as_ref().filter(|speaker| !speaker.view().ended).map(Speaker::client)
    }

    /// When to settle again though nothing changed.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// What is wrong here.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Makes what runs here what is wanted. Idempotent.
    pub(super) async fn settle(mut self, wanted: VirtualRouter) -> (Self, Vec<News>) {
        let mut news = Vec::new();
        if wanted != self.wanted {
            // New input deserves a new try.
            (self.failures, self.not_before) = (0, None);
            self.wanted = wanted;
        }
        self.bury(&mut news).await;
        if let Some(speaker) = self.speaker.take() {
            self.speaker = self.change(speaker, &mut news).await;
        }
        if self.speaker.is_none() && self.not_before.is_none_or(|moment| moment <= Instant::now()) {
            self.start(&mut news).await;
        }
        (self, news)
    }

    /// Ends what runs here.
    pub(super) async fn end(self, manner: AgentStop) {
        if let Some(speaker) = self.speaker
            && let Err(error) = speaker.stop(manner).await
        {
            tracing::warn!(%error, "a speaker could not be ended");
        }
    }

    /// Takes away a speaker that ended by itself.
    async fn bury(&mut self, news: &mut Vec<News>) {
        let Some(speaker) = self.speaker.take_if(|speaker| speaker.view().ended) else { return };
        let last_words = speaker.view().last_words.unwrap_or_else(|| "without a word".to_owned());
        let lived = speaker.started_at().elapsed().unwrap_or_default();
        if lived > BACK_OFF {
            self.failures = 0;
        }
        self.restarts += 1;
        let asn = self.wanted.local_asn;
        let died = format!("gobgpd of AS {asn} ended by itself ({last_words}) and is started again");
        news.push(News::Died(died));
        if self.failures > 0 {
            self.back_off();
        }
        self.failures += 1;
        // Takes its exit status, so that it does not stay behind as a zombie.
        if let Err(error) = speaker.stop(AgentStop::Close).await {
            tracing::debug!(%error, "the rest of a speaker could not be cleared away");
        }
    }

    async fn change(&mut self, mut speaker: Speaker, news: &mut Vec<News>) -> Option<Speaker> {
        if !speaker.can_become(&self.wanted) {
            if let Err(error) = speaker.stop(AgentStop::Cease).await {
                self.fail(error.to_string(), news);
            }
            return None;
        }
        match speaker.update(self.wanted.clone()).await {
            Ok(left) => {
                news.extend(left.iter().map(|(neighbor, prefix)| News::Left(left_with(*neighbor, *prefix))));
                Some(speaker)
            }
            Err(error) => {
                // Half changed: it is dropped, which kills it, and started afresh.
                self.fail(error.to_string(), news);
                None
            }
        }
    }

    async fn start(&mut self, news: &mut Vec<News>) {
        match Speaker::start(Arc::clone(&self.node), self.wanted.clone(), Arc::clone(&self.wake)).await {
            Ok(speaker) => {
                (self.speaker, self.not_before, self.problem) = (Some(speaker), None, None);
            }
            Err(error) => self.fail(error.to_string(), news),
        }
    }

    fn fail(&mut self, problem: String, news: &mut Vec<News>) {
        self.failures += 1;
        self.back_off();
        news.push(News::Failed(problem.clone()));
        self.problem = Some(problem);
    }

    fn back_off(&mut self) {
        let doublings = self.failures.saturating_sub(1).min(5);
        self.not_before = Some(Instant::now() + (BACK_OFF * 2_u32.pow(doublings)).min(LONGEST_BACK_OFF));
    }

    pub(super) fn status(&self) -> RouterStatus {
        let view = self.speaker.as_ref().map(Speaker::view).unwrap_or_default();
        let neighbors = self.wanted.neighbors.iter().map(|neighbor| {
            let seen = view.peers.get(&neighbor.address).cloned();
            NeighborStatus {
                name: neighbor.name.clone(),
                address: neighbor.address,
                asn: neighbor.asn,
                families: neighbor.families.clone(),
                seen,
            }
        });
        RouterStatus {
            instance: self.wanted.instance.clone(),
            asn: self.wanted.local_asn,
            router_id: self.wanted.router_id,
            local_port: self.wanted.local_port,
            speaker_started_at: self.speaker.as_ref().map(Speaker::started_at),
            api_socket: self.speaker.as_ref().map(|speaker| speaker.socket().to_owned()),
            restarts: self.restarts,
            neighbors: neighbors.collect(),
            advertised: self
                .speaker
                .iter()
                .flat_map(|speaker| speaker.advertised().iter().copied())
                .collect(),
        }
    }
}

/// What is said of a route that stays where it should not.
fn left_with(neighbor: IpAddr, prefix: IpNet) -> String {
    format!(
        "neighbor {neighbor} keeps {prefix}, which nothing selects for it any more: the GoBGP of this Cilium withdraws no route \
         that another neighbor still has (Cilium 1.20 does); end the session to be rid of it"
    )
}
