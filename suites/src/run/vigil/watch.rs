//! The watch itself: it begins before a phase does anything, and ends when all else of the phase is judged.
//!
//! What lives here: who is asked, and putting together what was seen. What does not: when something was away (`tables`), why
//! (`causes`), whether it was too long (`checks::throughout`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use fabric_harness::probe::{ProbeError, VigilReport, keep_vigil};
use fabric_harness::router::{RouterChanges, Session, Snapshot, Subscription};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::atlas::Atlas;
use super::super::observe::Context;
use super::super::probes::{sender_of, target_of};
use super::super::prospects::{routers, stillness};
use super::causes::{Events, LostRoute, LostSession};
use super::tables::{Away, by_router, prefixes, sessions};
use crate::checks::{Outage, ThroughoutFact, ThroughoutSpec, Watched};
use crate::expect::Symbol;
use crate::plan::{CheckSpec, PlannedCheck};

/// Requests of all flows together come no closer than this: a hundred flows are not to load the machine.
const SPACING: Duration = Duration::from_millis(1);

/// A flow under watch: its two ends' addresses and boxes, and what came of it.
struct Flow {
    check: String,
    ends: Vec<IpAddr>,
    boxes: Vec<String>,
    seen: Result<VigilReport, String>,
}

/// A flow that is watched now.
struct Watching {
    budget: Duration,
    answers: watch::Receiver<bool>,
}

/// A router under watch.
struct Table {
    /// While it lives changes are seen.
    _listens: Subscription,
    journal: UnboundedReceiver<RouterChanges>,
    before: std::sync::Arc<Snapshot>,
}

impl Table {
    /// The prefixes that were there when the watch began.
    fn prefixes(&self) -> BTreeSet<IpNet> {
        self.before.rib.iter().flat_map(|rib| rib.routes.keys().copied()).collect()
    }

    /// The sessions that were up.
    fn sessions(&self) -> BTreeSet<String> {
        let all = self.before.sessions.iter().flat_map(|all| all.values());
        all.filter(|session| session.is_up()).map(|session: &Session| session.neighbor.clone()).collect()
    }
}

/// A watch that goes on.
pub(in crate::run) struct Vigil {
    begun: Instant,
    stop: CancellationToken,
    flows: JoinSet<Flow>,
    watching: Vec<Watching>,
    /// Flows that cannot be watched.
    blind: BTreeMap<String, String>,
    tables: BTreeMap<String, Table>,
    /// What routers were seen to change so far.
    changes: Vec<RouterChanges>,
    checks: Vec<PlannedCheck>,
}

impl Vigil {
    /// Begins to watch what these checks are about.
    pub(in crate::run) async fn begin(context: &Context, checks: Vec<PlannedCheck>) -> Self {
        let mut vigil = Self {
            begun: Instant::now(),
            stop: CancellationToken::new(),
            flows: JoinSet::new(),
            watching: Vec::new(),
            blind: BTreeMap::new(),
            tables: BTreeMap::new(),
            changes: Vec::new(),
            checks,
        };
        let atlas = context.view.now();
        // Every router, also one that no check has looked at so far.
        let opened = routers(&atlas).map(|name| async move {
            let observer = context.fabric.observer(name).await.ok()?;
            let journal = observer.journal();
            let mut listens = observer.subscribe();
            let before = listens.next().await;
            Some((name.to_owned(), Table { _listens: listens, journal, before }))
        });
        vigil.tables.extend(futures::future::join_all(opened).await.into_iter().flatten());
        let wanted: Vec<(String, ThroughoutSpec)> =
            vigil.specs().map(|(check, spec)| (check.name, spec)).collect();
        let count =
            wanted.iter().filter(|(_, spec)| matches!(spec.fact, ThroughoutFact::Loss { .. })).count();
        for (check, spec) in wanted {
            let ThroughoutFact::Loss { from, to, family } = &spec.fact else { continue };
            let ready = match (sender_of(&atlas, from), target_of(&atlas, to, *family)) {
                (Ok(sender), Ok(target)) => {
                    let node = context.fabric.node(&sender).await;
                    node.map(|node| (node, target)).map_err(|error| error.to_string())
                }
                (Err(why), _) | (_, Err(why)) => Err(why),
            };
            let (node, target) = match ready {
                Ok(ready) => ready,
                Err(why) => {
                    vigil.blind.insert(check, why);
                    continue;
                }
            };
            let sources = atlas_addresses(&atlas, from);
            let ends = sources.into_iter().filter(|own| own.is_ipv6() == target.is_ipv6()).chain([target]);
            let boxes = [from, to].into_iter().filter_map(|end| box_of(&atlas, end)).collect();
            let every = fabric_harness::probe::Vigil::new(target).every;
            let every = every.max(SPACING * u32::try_from(count).unwrap_or(u32::MAX));
            let probe = fabric_harness::probe::Vigil { every, ..fabric_harness::probe::Vigil::new(target) };
            let (stop, ends) = (vigil.stop.clone(), ends.collect());
            let (told, answers) = watch::channel(true);
            vigil.watching.push(Watching { budget: spec.budget, answers });
            vigil.flows.spawn(async move {
                let seen = keep_vigil(node.as_ref(), &probe, &told, stop).await;
                let seen = seen.map_err(|error: ProbeError| error.to_string());
                Flow { check, ends, boxes, seen }
            });
        }
        vigil.begun = Instant::now();
        vigil
    }

    fn specs(&self) -> impl Iterator<Item = (PlannedCheck, ThroughoutSpec)> {
        self.checks.iter().filter_map(|check| match &check.spec {
            CheckSpec::Throughout(spec) => Some((check.clone(), spec.clone())),
            _ => None,
        })
    }

    /// Gives what is away the time that its budget leaves, or what a route takes to come into use: a phase's checks may have come true
    /// a moment before the last router has heard it. Where the phase is not what it should be nothing is waited for.
    async fn come_back(&mut self, context: &Context, whole: bool) {
        if !whole {
            return;
        }
        let settling = stillness(context).settling;
        let spent = self.begun.elapsed();
        let specs: Vec<ThroughoutSpec> = self.specs().map(|(_, spec)| spec).collect();
        let left = |budget: Duration| budget.saturating_sub(spent).max(settling);
        let waits = self.watching.iter_mut().map(|flow| {
            let left = left(flow.budget);
            // Whoever tells lives until it is stopped, and one that ended has nothing to come back to.
            let back = async { drop(flow.answers.wait_for(|answers| *answers).await) };
            tokio::time::timeout(left, back)
        });
        futures::future::join_all(waits).await;
        let budgets = specs.iter().filter(|spec| !matches!(spec.fact, ThroughoutFact::Loss { .. }));
        let Some(longest) = budgets.map(|spec| left(spec.budget)).max() else { return };
        let all_back = async {
            loop {
                self.gather();
                if specs.iter().all(|spec| !self.is_away(&spec.fact)) {
                    return;
                }
                let next = self.tables.values_mut().map(|table| Box::pin(table.journal.recv()));
                // A router that tells no more never comes back.
                let (Some(changes), ..) = futures::future::select_all(next).await else { return };
                self.changes.push(changes);
            }
        };
        // What is still away then is said to be.
        let _ = tokio::time::timeout(longest, all_back).await;
    }

    /// Takes in what routers have been seen to change.
    fn gather(&mut self) {
        for table in self.tables.values_mut() {
            while let Ok(changes) = table.journal.try_recv() {
                self.changes.push(changes);
            }
        }
    }

    /// Whether something that is watched is away now.
    fn is_away(&self, fact: &ThroughoutFact) -> bool {
        let (ThroughoutFact::Absent { router } | ThroughoutFact::Down { router }) = fact else {
            return false;
        };
        let Some(table) = self.tables.get(router) else { return false };
        let changes: Vec<RouterChanges> =
            self.changes.iter().filter(|changes| changes.router == *router).cloned().collect();
        match fact {
            ThroughoutFact::Absent { .. } => {
                prefixes(table.prefixes(), &changes).iter().any(|away| away.until.is_none())
            }
            _ => sessions(table.sessions(), &changes).iter().any(|away| away.until.is_none()),
        }
    }

    /// Ends the watch: what was seen for each check. `whole`: all else that the phase wants has come to be.
    pub(in crate::run) async fn end(
        mut self,
        context: &Context,
        whole: bool,
    ) -> Vec<(PlannedCheck, ThroughoutSpec, Watched)> {
        self.come_back(context, whole).await;
        let ended = Instant::now();
        self.stop.cancel();
        let mut flows = BTreeMap::new();
        while let Some(flow) = self.flows.join_next().await {
            // One that panicked has nothing to tell; its check says so.
            if let Ok(flow) = flow {
                flows.insert(flow.check.clone(), flow);
            }
        }
        let atlas = context.view.now();
        self.gather();
        let all = std::mem::take(&mut self.changes);
        let seen = Seen::new(&atlas, context, &self.tables, all, (self.begun, ended));
        let watched = |check: &str, spec: &ThroughoutSpec| match &spec.fact {
            ThroughoutFact::Loss { .. } => match flows.get(check) {
                Some(flow) => seen.flow(flow),
                None => {
                    seen.blind(self.blind.get(check).cloned().unwrap_or_else(|| "its watch ended".to_owned()))
                }
            },
            ThroughoutFact::Absent { router } => seen.absent(router),
            ThroughoutFact::Down { router } => seen.down(router),
        };
        self.specs()
            .map(|(check, spec)| {
                let seen = watched(&check.name, &spec);
                (check, spec, seen)
            })
            .collect()
    }
}

/// Everything that was seen, put together.
struct Seen<'a> {
    atlas: &'a Atlas,
    begun: Instant,
    ended: Instant,
    events: Events,
    routes: Vec<LostRoute>,
    prefixes: BTreeMap<String, (usize, Vec<Away<IpNet>>)>,
    sessions: BTreeMap<String, (usize, Vec<Away<String>>)>,
}

impl<'a> Seen<'a> {
    fn new(
        atlas: &'a Atlas,
        context: &Context,
        tables: &BTreeMap<String, Table>,
        changes: Vec<RouterChanges>,
        (begun, ended): (Instant, Instant),
    ) -> Self {
        let changes = by_router(changes);
        let none = Vec::new();
        let mut seen = Self {
            atlas,
            begun,
            ended,
            events: Events { done: context.moments.all(), lost: Vec::new() },
            routes: Vec::new(),
            prefixes: BTreeMap::new(),
            sessions: BTreeMap::new(),
        };
        for (router, table) in tables {
            let changes = changes.get(router).unwrap_or(&none);
            let (up, there) = (table.sessions(), table.prefixes());
            let (ups, count) = (up.len(), there.len());
            let down = sessions(up, changes);
            seen.events.lost.extend(down.iter().map(|away| LostSession {
                router: router.clone(),
                peer: atlas.peer_of(router, &away.what, None).unwrap_or(&away.what).to_owned(),
                called: atlas.peer_of(router, &away.what, None).map(|peer| atlas.short(peer).to_owned()),
                at: away.from,
                reason: away.reason.clone(),
            }));
            seen.sessions.insert(router.clone(), (ups, down));
            seen.prefixes.insert(router.clone(), (count, prefixes(there, changes)));
        }
        for (router, (_, all)) in &seen.prefixes {
            for away in all {
                let owner = owner(atlas, &away.what);
                let cause = seen.events.of(owner.as_deref(), away.from);
                let (prefix, from) = (away.what, away.from);
                seen.routes.push(LostRoute { router: router.clone(), prefix, from, cause });
            }
        }
        seen
    }

    fn watched(&self, things: usize, outages: Vec<Outage>) -> Watched {
        Watched { watched_ms: ms(self.ended - self.begun), things, outages, ..Watched::default() }
    }

    fn blind(&self, why: String) -> Watched {
        Watched { blind: Some(format!("it could not be watched: {why}")), ..self.watched(1, Vec::new()) }
    }

    fn outage(&self, what: String, from: Instant, until: Option<Instant>, cause: Option<String>) -> Outage {
        let end = until.unwrap_or(self.ended);
        Outage {
            what,
            began_ms: ms(from.saturating_duration_since(self.begun)),
            lasted_ms: ms(end.saturating_duration_since(from)),
            back: until.is_some(),
            lost: None,
            cause,
        }
    }

    fn absent(&self, router: &str) -> Watched {
        let Some((count, all)) = self.prefixes.get(router) else {
            return self.blind(format!("{router} was not there when the phase began"));
        };
        let outages = all.iter().map(|away| {
            let route = self
                .routes
                .iter()
                .find(|route| route.router == router && route.prefix == away.what && route.from == away.from);
            let cause = away.reason.clone().or_else(|| route?.cause.clone());
            self.outage(self.named(&away.what), away.from, away.until, cause)
        });
        self.watched(*count, outages.collect())
    }

    fn down(&self, router: &str) -> Watched {
        let Some((count, all)) = self.sessions.get(router) else {
            return self.blind(format!("{router} was not there when the phase began"));
        };
        let outages = all.iter().map(|away| {
            let peer = self.atlas.peer_of(router, &away.what, None);
            let what = match peer {
                Some(peer) if peer != away.what => format!("{} ({})", away.what, self.atlas.short(peer)),
                _ => away.what.clone(),
            };
            let done = self.events.of(peer, away.from);
            let cause = done.or_else(|| away.reason.clone());
            self.outage(what, away.from, away.until, cause)
        });
        self.watched(*count, outages.collect())
    }

    fn flow(&self, flow: &Flow) -> Watched {
        let report = match &flow.seen {
            Ok(report) => report,
            Err(why) => return self.blind(why.clone()),
        };
        let outages = report.gaps.iter().map(|gap| {
            let cause = self.events.of_flow(&flow.ends, &flow.boxes, &self.routes, gap.from);
            let error = gap.error.as_ref().map(|error| format!("{error}"));
            let cause = match (cause, error) {
                (Some(cause), Some(error)) => Some(format!("{error}; {cause}")),
                (cause, error) => cause.or(error),
            };
            let outage = self.outage(format!("to {}", report.to), gap.from, gap.until, cause);
            Outage { lost: Some(gap.lost), ..outage }
        });
        Watched { every_ms: Some(ms(report.every)), ..self.watched(1, outages.collect()) }
    }

    /// A prefix, and whose pods have their addresses of it.
    fn named(&self, prefix: &IpNet) -> String {
        match owner(self.atlas, prefix) {
            Some(node) => format!("{prefix} ({})", self.atlas.short(&node)),
            None => prefix.to_string(),
        }
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The node of the cluster whose pods have addresses of this prefix.
fn owner(atlas: &Atlas, prefix: &IpNet) -> Option<String> {
    let has = |node: &&Node| {
        let cidrs = node.spec.iter().flat_map(|spec| spec.pod_cidrs.iter().flatten());
        cidrs.into_iter().any(|cidr| cidr.parse::<IpNet>().is_ok_and(|cidr| cidr.contains(prefix)))
    };
    Some(atlas.nodes.iter().flatten().find(has)?.name_any())
}

fn atlas_addresses(atlas: &Atlas, end: &Symbol) -> Vec<IpAddr> {
    use crate::expect::Resolver;
    atlas.addresses(end).unwrap_or_default().into_iter().map(|named| named.value).collect()
}

/// The box that an end is on: of a pod its node.
fn box_of(atlas: &Atlas, end: &Symbol) -> Option<String> {
    match end {
        Symbol::Pod(pod) => atlas.pod(pod)?.spec.as_ref()?.node_name.clone(),
        other => atlas_addresses(atlas, other).first().and_then(|address| atlas.owner(*address)),
    }
}
