//! Looking at the fabric for one check: what to read, whom to ask, and what to wait for before asking again.
//!
//! What lives here: the way from a check's spec to the facts its judgement wants. What does not: judging (`checks`),
//! how often to look (`attempt`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fabric_harness::fabric::Fabric;
use fabric_harness::probe::TraceReport;
use fabric_harness::router::{Sessions, Snapshot, Subscription};
use fabric_harness::runtime::keeper::ExecResult;
use fabric_reports::record;
use serde_json::Value as Json;
use tokio::sync::{Semaphore, watch};

use super::atlas::Atlas;
use super::attempt::Awaited;
use super::ladder::{Daemon, Facts, Kept};
use super::probes::{End, Probes, Wanted, sender_of};
use super::prospects::{Stillness, stillness};
use super::story::{Story, by_connection, by_ping, by_trace};
use super::view::View;
use super::vigil::Moments;
use crate::checks::{
    AgreeOn, AgreeSpec, LineSeen, Outcome, ReachFact, ReachSpec, SessionSpec, Verdict, judge_connect,
    judge_fib, judge_flows, judge_interface, judge_lines, judge_nodes, judge_pings_agree, judge_pod,
    judge_reach, judge_rib, judge_session, judge_traces_agree,
};
use crate::expect::{Prober, Symbol};
use crate::ladder::session::SessionFacts;
use crate::plan::{CheckSpec, PlannedCheck};

/// What all checks of a run share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) fabric: Arc<Fabric>,
    pub(super) view: Arc<View>,
    pub(super) lines: Mutex<Vec<ExecResult>>,
    pub(super) probes: Arc<Probes>,
    /// The sessions that checks wait for.
    pub(super) awaited: Mutex<Awaited>,
    /// What the record is told beside checks.
    pub(super) story: Arc<Story>,
    /// How often each session had been lost when the phase began, by router and neighbor.
    pub(super) losses: Mutex<BTreeMap<(String, String), u64>>,
    /// Since when nothing has been done to the fabric.
    pub(super) stillness: Mutex<Stillness>,
    /// What was seen of each session that somebody asked for, by router and neighbor.
    pub(super) ladders: Kept<(String, String), Arc<SessionFacts>>,
    /// What each routing daemon said lately, by its box and whether there must be one.
    pub(super) daemons: Kept<(String, bool), Arc<Daemon>>,
    /// So many sessions are looked at side by side.
    pub(super) looks: Semaphore,
    /// The sessions that a check of this phase wants down.
    pub(super) down: Mutex<Vec<SessionSpec>>,
    /// When each router's tables were last judged whole, at the end of a phase.
    pub(super) settled: Mutex<BTreeMap<String, chrono::DateTime<chrono::Utc>>>,
    /// What was done to the fabric in this phase.
    pub(super) moments: Moments,
    /// What the ladders of routes and packets have looked at.
    pub(super) facts: Facts,
}

impl Context {
    /// A phase begins: what has been lost so far is not its doing.
    pub(super) async fn begin_phase(&self, between: Instant) {
        self.probes.new_phase();
        self.story.new_phase();
        self.moments.clear();
        self.ladders.clear();
        self.daemons.clear();
        self.facts.clear();
        let observers = self.fabric.observers().await;
        let reading = observers.into_iter().map(|(router, observer)| async move {
            let snapshot = observer.since(between).await;
            let sessions = snapshot.sessions.iter().flat_map(|sessions| sessions.iter());
            sessions
                .map(|(neighbor, session)| ((router.clone(), neighbor.clone()), session.dropped_count))
                .collect::<Vec<_>>()
        });
        let losses = futures::future::join_all(reading).await.into_iter().flatten().collect();
        *self.losses.lock().unwrap_or_else(PoisonError::into_inner) = losses;
    }

    /// Remembers which sessions the checks of a phase want down: those are nobody's fault.
    pub(super) fn expect_down(&self, checks: &[PlannedCheck]) {
        let down = checks.iter().filter_map(|check| match &check.spec {
            CheckSpec::Session(spec) if spec.wants_it_down() => Some(spec.clone()),
            _ => None,
        });
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = down.collect();
    }

    /// The sessions of a router with what was lost in this phase alone. A router that was started again counts anew.
    fn in_this_phase(&self, router: &str, all: &Sessions) -> Sessions {
        let losses = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = all.clone();
        for (neighbor, session) in &mut all {
            let before = losses.get(&(router.to_owned(), neighbor.clone())).copied().unwrap_or(0);
            session.dropped_count =
                session.dropped_count.checked_sub(before).unwrap_or(session.dropped_count);
        }
        all
    }
}

/// How soon to look again where nothing tells of a change: a packet that would now arrive makes no event.
const PACKETS: Duration = Duration::from_millis(25);

/// One check's eye on the fabric.
pub(super) struct Eye<'a> {
    context: &'a Context,
    check: &'a PlannedCheck,
    atlas: watch::Receiver<Arc<Atlas>>,
    router: Option<Subscription>,
    fresh: Option<Arc<Snapshot>>,
    /// How often it has looked: checks that look at the same thing for the n-th time share one probe.
    round: u32,
    /// The ways that packets took at the last look.
    paths: Vec<record::Path>,
}

impl<'a> Eye<'a> {
    /// Opens the eye; a router's observer begins to watch.
    pub(super) async fn open(context: &'a Context, check: &'a PlannedCheck) -> Self {
        let atlas = context.view.subscribe();
        let router = match router_of(check) {
            Some(router) => {
                let acted = stillness(context).since;
                context.fabric.observer(router).await.ok().map(|observer| observer.subscribe_since(acted))
            }
            None => None,
        };
        Self { context, check, atlas, router, fresh: None, round: 0, paths: Vec::new() }
    }

    /// What the router said that was looked at last.
    pub(super) fn router(&self) -> Option<&Snapshot> {
        self.fresh.as_deref()
    }

    /// The ways that packets took at the last look.
    pub(super) fn paths(self) -> Vec<record::Path> {
        self.paths
    }

    /// Looks once more, at its router as it is now: the last reading of one into which only programs lead may be seconds old.
    pub(super) async fn look_anew(&mut self) -> Verdict {
        if let Some(router) = router_of(self.check)
            && let Ok(observer) = self.context.fabric.observer(router).await
        {
            self.fresh = Some(observer.now().await);
        }
        self.look().await
    }

    /// Looks once and judges.
    pub(super) async fn look(&mut self) -> Verdict {
        self.round += 1;
        let atlas = Arc::clone(&self.atlas.borrow_and_update());
        if self.fresh.is_none()
            && let Some(router) = &mut self.router
        {
            self.fresh = Some(router.next().await);
        }
        let target = self.check.target.as_str();
        match &self.check.spec {
            CheckSpec::Lines(spec) => {
                let all = self.context.lines.lock().unwrap_or_else(PoisonError::into_inner);
                let seen: Vec<LineSeen> =
                    all.iter().filter(|line| line.node == spec.node).map(line_seen).collect();
                judge_lines(spec, &seen)
            }
            CheckSpec::Interface(spec) => match atlas.interfaces.get(&spec.place) {
                Some(seen) => judge_interface(spec, &seen.links, &seen.addresses, atlas.as_ref()),
                None => blind(target, "its interfaces could not be read"),
            },
            CheckSpec::Nodes(spec) => match &atlas.nodes {
                Some(nodes) => judge_nodes(spec, nodes),
                None => blind(target, "the cluster's API has not answered"),
            },
            CheckSpec::Pod(spec) => match (&atlas.pods, &atlas.nodes) {
                (Some(_), Some(nodes)) => judge_pod(spec, atlas.pod(&spec.pod), nodes, atlas.as_ref()),
                _ => blind(target, "the cluster's API has not answered"),
            },
            CheckSpec::Session(spec) => self.table(
                |s| s.sessions.as_ref(),
                |all| judge_session(spec, &self.context.in_this_phase(spec.router(), all), atlas.as_ref()),
            ),
            CheckSpec::Rib(spec) => {
                self.table(|s| s.rib.as_ref(), |rib| judge_rib(spec, rib, atlas.as_ref()))
            }
            CheckSpec::Fib(spec) => {
                self.table(|s| s.fib.as_ref(), |fib| judge_fib(spec, fib, atlas.as_ref()))
            }
            CheckSpec::Reach(spec) => {
                self.reached(&atlas, spec).await.unwrap_or_else(|why| blind(target, &why))
            }
            CheckSpec::Path(spec) => {
                let ends = End::new(&spec.from, &spec.to, spec.family, spec.prober);
                // A program chooses its ports itself.
                let flows = if spec.prober == Prober::Own { 1 } else { spec.flows };
                match self.traced(&atlas, &ends, flows).await {
                    Ok(reports) => {
                        self.paths = ways(&atlas, &spec.from, &reports);
                        judge_flows(spec, &reports, atlas.as_ref())
                    }
                    Err(why) => blind(target, &why),
                }
            }
            // It is judged when the phase is over, by whoever has watched.
            CheckSpec::Throughout(_) => blind(target, "the phase is not over"),
            CheckSpec::Agree(spec) => {
                self.agree(&atlas, spec).await.unwrap_or_else(|why| blind(target, &why))
            }
        }
    }

    async fn reached(&mut self, atlas: &Arc<Atlas>, spec: &ReachSpec) -> Result<Verdict, String> {
        let ends = End::new(&spec.from, &spec.to, spec.family, spec.prober);
        let silent = spec.fact == ReachFact::Silence;
        let probes = &self.context.probes;
        if let Some(port) = spec.port {
            let wanted = Wanted::connect(&ends, port, spec.count, silent, self.round);
            let report = probes.connect(atlas, wanted).await?;
            self.paths =
                sender_of(atlas, &spec.from).iter().map(|from| by_connection(atlas, from, &report)).collect();
            return Ok(judge_connect(spec, report.as_ref()));
        }
        let wanted = Wanted::ping(&ends, spec.count, silent, self.round).of_size(spec.size);
        let report = probes.ping(atlas, wanted).await?;
        self.paths = sender_of(atlas, &spec.from).iter().map(|from| by_ping(atlas, from, &report)).collect();
        Ok(judge_reach(spec, report.as_ref()))
    }

    /// Traces of several flows, side by side. Each look takes others: what one set of ports does not show, another may.
    async fn traced(
        &self,
        atlas: &Arc<Atlas>,
        ends: &End,
        flows: u16,
    ) -> Result<Vec<Arc<TraceReport>>, String> {
        let base = if flows == 1 { 0 } else { (self.round.wrapping_sub(1) as u16).wrapping_mul(flows) };
        let each = (0..flows).map(|flow| {
            let wanted = Wanted::trace(ends, base.wrapping_add(flow), self.round);
            self.context.probes.trace(atlas, wanted)
        });
        futures::future::try_join_all(each).await
    }

    /// Both ways to probe, side by side.
    async fn agree(&mut self, atlas: &Arc<Atlas>, spec: &AgreeSpec) -> Result<Verdict, String> {
        let by = |prober| End::new(&spec.from, &spec.to, spec.family, prober);
        let (native, own) = (by(Prober::Native), by(Prober::Own));
        match spec.on {
            AgreeOn::Ping { count } => {
                let ping =
                    |ends| self.context.probes.ping(atlas, Wanted::ping(ends, count, false, self.round));
                let (native, own) = tokio::try_join!(ping(&native), ping(&own))?;
                let from = sender_of(atlas, &spec.from);
                self.paths = from
                    .iter()
                    .flat_map(|from| [&native, &own].map(|one| by_ping(atlas, from, one)))
                    .collect();
                Ok(judge_pings_agree(spec, &native, &own))
            }
            AgreeOn::Trace { flows } => {
                let (native, own) =
                    tokio::try_join!(self.traced(atlas, &native, flows), self.traced(atlas, &own, 1))?;
                let own = own.first().ok_or_else(|| "nothing was traced".to_owned())?;
                self.paths = ways(atlas, &spec.from, &native);
                self.paths.extend(ways(atlas, &spec.from, std::slice::from_ref(own)));
                Ok(judge_traces_agree(spec, &native, own, atlas.as_ref()))
            }
        }
    }

    fn table<T>(
        &self,
        part: impl Fn(&Snapshot) -> Result<&Arc<T>, &String>,
        judge: impl FnOnce(&T) -> Verdict,
    ) -> Verdict {
        let target = self.check.target.as_str();
        match self.fresh.as_deref().map(part) {
            Some(Ok(seen)) => judge(seen),
            Some(Err(why)) => blind(target, why),
            None => blind(target, "there is no such router in this fabric"),
        }
    }

    /// Waits until something has changed that the verdict depends on.
    pub(super) async fn change(&mut self) {
        let of_packets =
            matches!(self.check.spec, CheckSpec::Reach(_) | CheckSpec::Path(_) | CheckSpec::Agree(_));
        let Self { atlas, router, fresh, .. } = self;
        tokio::select! {
            // The view lives as long as the run: an error cannot come before the check has ended.
            _ = atlas.changed() => {}
            snapshot = next_of(router) => *fresh = Some(snapshot),
            () = tokio::time::sleep(PACKETS), if of_packets => {}
        }
    }
}

/// Traces as the record has them, each way once.
fn ways(atlas: &Atlas, from: &Symbol, reports: &[Arc<TraceReport>]) -> Vec<record::Path> {
    let Ok(from) = sender_of(atlas, from) else { return Vec::new() };
    let mut all: Vec<record::Path> = Vec::new();
    let hops = |path: &record::Path| -> Vec<(u8, Option<String>)> {
        path.hops.iter().map(|hop| (hop.ttl, hop.address.clone())).collect()
    };
    for path in reports.iter().map(|report| by_trace(atlas, &from, report)) {
        if !all.iter().any(|known| hops(known) == hops(&path)) {
            all.push(path);
        }
    }
    all
}

/// The router that a check looks at.
fn router_of(check: &PlannedCheck) -> Option<&str> {
    match &check.spec {
        CheckSpec::Session(spec) => Some(spec.router()),
        CheckSpec::Rib(spec) => Some(spec.router.as_str()),
        CheckSpec::Fib(spec) => Some(spec.router.as_str()),
        _ => None,
    }
}

async fn next_of(router: &mut Option<Subscription>) -> Arc<Snapshot> {
    match router {
        Some(router) => router.next().await,
        None => std::future::pending().await,
    }
}

fn line_seen(line: &ExecResult) -> LineSeen {
    LineSeen { line: line.line.clone(), code: line.code, output: format!("{}{}", line.stdout, line.stderr) }
}

/// Nothing could be seen.
fn blind(subject: &str, why: &str) -> Verdict {
    Verdict {
        outcome: Outcome::NotYet,
        subject: subject.to_owned(),
        expected: "something to look at".into(),
        seen: why.to_owned(),
        difference: vec![why.to_owned()],
        detail: Json::Null,
    }
}
