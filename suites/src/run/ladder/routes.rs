//! Why a route is not where it should be.
//!
//! What lives here: which prefixes a failed check misses, and in which order the causes are looked for. What does not:
//! where on its way a route stops (`routes/upstream`), what a kernel has instead (`routes/kernel`).

use std::collections::BTreeSet;
use std::sync::Arc;

use fabric_harness::router::{Path, Rib, Snapshot};
use fabric_reports::record::RungName;
use ipnet::IpNet;

use super::facts::shown;
use super::map;
use crate::checks::{FibFact, RibFact, Verdict, same_node};
use crate::expect::{OneOrEach, Symbol, WantedFamily, WantedPath, WantedSource};
use crate::ladder::Finding;
use crate::ladder::packets::text_proof;
use crate::ladder::routes::{next_hop_unreachable, not_best};
use crate::plan::{CheckSpec, PlannedCheck};
use crate::run::atlas::Atlas;
use crate::run::observe::Context;

mod kernel;
mod upstream;

pub(super) use kernel::kernel_lacks;
pub(super) use upstream::lacks;

/// The ladder of a check of routing tables.
pub(super) async fn climb(context: &Context, check: &PlannedCheck, _verdict: &Verdict) -> Finding {
    match &check.spec {
        CheckSpec::Rib(spec) => match &spec.fact {
            RibFact::Exactly { prefixes, .. } | RibFact::Contains(prefixes) => {
                table(context, &spec.router, prefixes, spec.family).await
            }
            RibFact::Path { prefix, path } => path_to(context, &spec.router, prefix, path, spec.family).await,
            RibFact::Count(count) => {
                let Some(snapshot) = snapshot(context, &spec.router).await else { return Finding::default() };
                let seen = match &snapshot.rib {
                    Ok(rib) => rib.best_prefixes(spec.family == WantedFamily::Ipv6).count(),
                    Err(_) => 0,
                };
                if seen < *count {
                    fewer(context, &spec.router, spec.family).await
                } else {
                    Finding::default()
                }
            }
            // That something is there which should not be is nobody's failure that could be found by looking.
            RibFact::Lacks(_) => Finding::default(),
        },
        CheckSpec::Fib(spec) => match &spec.fact {
            FibFact::Contains(prefixes) | FibFact::Exactly(prefixes) => {
                kernel::table(context, &spec.router, prefixes, spec.family).await
            }
            FibFact::Leaves { prefix, out } => {
                kernel::leaves(context, &spec.router, prefix, out, spec.family).await
            }
            FibFact::Lacks(_) => Finding::default(),
        },
        _ => Finding::default(),
    }
}

/// A reading of a router that is not older than this question; none where there is no such router.
pub(super) async fn snapshot(context: &Context, router: &str) -> Option<Arc<Snapshot>> {
    Some(context.fabric.observer(router).await.ok()?.now().await)
}

/// Every prefix that symbols stand for, each once, in their order.
pub(super) fn prefixes(atlas: &Atlas, symbols: &[Symbol], family: WantedFamily) -> Vec<IpNet> {
    let mut seen = BTreeSet::new();
    let all = symbols.iter().flat_map(|symbol| family.prefixes(atlas, symbol).unwrap_or_default());
    all.map(|named| named.value).filter(|prefix| seen.insert(*prefix)).collect()
}

/// The first of these that has something to blame, or the last of them that says how far it came.
pub(super) async fn first_blame<F>(findings: impl IntoIterator<Item = F>) -> Finding
where
    F: Future<Output = Finding>,
{
    let mut last = Finding::default();
    for finding in findings {
        let finding = finding.await;
        if finding.blame.is_some() {
            return finding;
        }
        if !finding.rungs.is_empty() {
            last = finding;
        }
    }
    last
}

/// Prefixes that a BGP table should have.
async fn table(context: &Context, router: &str, symbols: &[Symbol], family: WantedFamily) -> Finding {
    let Some(snapshot) = snapshot(context, router).await else { return Finding::default() };
    let has = |prefix: &IpNet| snapshot.rib.as_ref().is_ok_and(|rib| rib.best(prefix).is_some());
    let missing = prefixes(&context.view.now(), symbols, family).into_iter().filter(|prefix| !has(prefix));
    first_blame(missing.map(|prefix| lacks(context, router, prefix))).await
}

/// Fewer prefixes than there should be, and nobody has said which: those that others have, and those that are somebody's.
pub(super) async fn fewer(context: &Context, router: &str, family: WantedFamily) -> Finding {
    let atlas = context.view.now();
    let Some(own) = snapshot(context, router).await else { return Finding::default() };
    let mut known = BTreeSet::new();
    for other in map::routers(&atlas) {
        if other != router
            && let Some(snapshot) = snapshot(context, &other).await
            && let Ok(rib) = &snapshot.rib
        {
            known.extend(rib.best_prefixes(family == WantedFamily::Ipv6).copied());
        }
    }
    let cidrs =
        atlas.nodes.iter().flatten().filter_map(|node| node.spec.as_ref()?.pod_cidrs.clone()).flatten();
    known.extend(cidrs.filter_map(|cidr| cidr.parse::<IpNet>().ok()).filter(|cidr| family.holds(cidr)));
    let lacking = known.into_iter().filter(|prefix| match &own.rib {
        Ok(rib) => rib.best(prefix).is_none(),
        Err(_) => true,
    });
    first_blame(lacking.map(|prefix| lacks(context, router, prefix))).await
}

/// The path to a prefix is missing, or another one than is wanted.
async fn path_to(
    context: &Context,
    router: &str,
    symbol: &Symbol,
    wanted: &WantedPath,
    family: WantedFamily,
) -> Finding {
    let atlas = context.view.now();
    let all = prefixes(&atlas, std::slice::from_ref(symbol), family);
    let Some(snapshot) = snapshot(context, router).await else { return Finding::default() };
    let none = Rib::default();
    let rib = snapshot.rib.as_ref().map_or(&none, |rib| rib.as_ref());
    let sources = &sources(wanted);
    let each = all.into_iter().map(|prefix| async move {
        let paths = rib.routes.get(&prefix).map(Vec::as_slice).unwrap_or_default();
        if rib.best(&prefix).is_none() {
            return lacks(context, router, prefix).await;
        }
        let used = |path: &&Path| path.best || (path.multipath && path.valid);
        let unused =
            sources.iter().find(|source| !paths.iter().filter(used).any(|path| is_from(path, source)));
        match unused {
            Some(source) => another_path(context, router, prefix, paths, source).await,
            None => Finding::default(),
        }
    });
    first_blame(each).await
}

/// The host names of the neighbors whose paths are wanted.
fn sources(wanted: &WantedPath) -> Vec<String> {
    let name = |source: &WantedSource| match source {
        WantedSource::Neighbor(name) => Some(name.clone()),
        WantedSource::Myself => None,
    };
    match &wanted.from {
        None => Vec::new(),
        Some(OneOrEach::One(source)) => name(source).into_iter().collect(),
        Some(OneOrEach::Each(sources)) => sources.iter().filter_map(name).collect(),
    }
}

fn is_from(path: &Path, source: &str) -> bool {
    path.peer.hostname.as_deref().is_some_and(|hostname| same_node(hostname, source))
}

/// There is a path to the prefix, and the one from `source` is not the one in use.
async fn another_path(
    context: &Context,
    router: &str,
    prefix: IpNet,
    paths: &[Path],
    source: &str,
) -> Finding {
    let name = map::called(&context.view.now(), prefix);
    let Some(path) = paths.iter().find(|path| is_from(path, source)) else {
        return upstream::lacks_from(context, router, prefix, source).await;
    };
    let finding = Finding::default()
        .holds(RungName::Update, format!("{source} announces {prefix}"))
        .holds(RungName::Filter, format!("{router} takes it"));
    if !path.valid {
        return unreachable(context, router, prefix, path, finding).await;
    }
    let Some(best) = paths.iter().find(|path| path.best) else { return finding };
    let line = show_prefix(prefix);
    let proof = text_proof(
        &format!("{router}'s paths to {prefix}"),
        router,
        line.clone(),
        shown(context, router, &line).await,
    );
    finding.broken(not_best(router, &name, path, best, proof, line))
}

/// A path whose next hop has no route.
pub(super) async fn unreachable(
    context: &Context,
    router: &str,
    prefix: IpNet,
    path: &Path,
    finding: Finding,
) -> Finding {
    let name = map::called(&context.view.now(), prefix);
    let line = show_prefix(prefix);
    let said = shown(context, router, &line).await;
    let proof = text_proof(&format!("{router}'s paths to {prefix}"), router, line, said);
    let next = path
        .next_hop()
        .map_or_else(|| "ip route".to_owned(), |hop| fabric_harness::router::Packet::to(hop.ip).by_hand());
    finding.broken(next_hop_unreachable(router, &name, path, proof, next))
}

/// The line that shows what FRR knows of a prefix.
pub(super) fn show_prefix(prefix: IpNet) -> String {
    let family = if matches!(prefix, IpNet::V6(_)) { "ipv6" } else { "ipv4" };
    format!("vtysh -c 'show bgp {family} unicast {prefix}'")
}
