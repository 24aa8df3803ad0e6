//! Why a router's kernel has no route, or another one, to a prefix that its BGP table has.

use fabric_harness::router::{FibRoute, Path, RouteKind};
use fabric_reports::record::RungName;
use ipnet::IpNet;

use super::{another_path, first_blame, lacks, prefixes, snapshot};
use crate::expect::{Symbol, WantedFamily};
use crate::ladder::Finding;
use crate::ladder::packets::text_proof;
use crate::ladder::routes::{daemon_silent, not_in_kernel};
use crate::run::ladder::facts::{about, said, shown};
use crate::run::ladder::map;
use crate::run::observe::Context;

/// Prefixes that a kernel's table should have.
pub(super) async fn table(
    context: &Context,
    router: &str,
    symbols: &[Symbol],
    family: WantedFamily,
) -> Finding {
    let Some(snapshot) = snapshot(context, router).await else { return Finding::default() };
    let has = |prefix: &IpNet| match &snapshot.fib {
        Ok(fib) => fib.route(prefix).is_some_and(|route| route.kind == RouteKind::Unicast),
        Err(_) => false,
    };
    let atlas = context.view.now();
    // A host address of its own is in another table of the kernel.
    let own = |prefix: &IpNet| {
        prefix.prefix_len() == prefix.max_prefix_len()
            && map::owner(&atlas, prefix.addr()).is_some_and(|(place, _)| place == router)
    };
    let all = prefixes(&atlas, symbols, family);
    let missing = all.into_iter().filter(|prefix| !has(prefix) && !own(prefix));
    first_blame(missing.map(|prefix| kernel_lacks(context, router, prefix))).await
}

/// Why a kernel has no route to a prefix that forwards: BGP has none, or something stands between BGP and the kernel.
pub(in crate::run::ladder) async fn kernel_lacks(context: &Context, router: &str, prefix: IpNet) -> Finding {
    let key = (router.to_owned(), prefix);
    context.facts.kernel_lacks.or_look(key, || Box::pin(look(context, router, prefix))).await
}

async fn look(context: &Context, router: &str, prefix: IpNet) -> Finding {
    let Some(snapshot) = snapshot(context, router).await else { return Finding::default() };
    let best = snapshot.rib.as_ref().ok().and_then(|rib| rib.best(&prefix));
    let Some(best) = best else { return lacks(context, router, prefix).await };
    let kernel = snapshot.fib.as_ref().ok().and_then(|fib| fib.route(&prefix));
    let finding =
        Finding::default().holds(RungName::BestPath, format!("{router} has a best path from {}", best.peer));
    if best.from_self() && kernel.is_none() {
        return finding;
    }
    between(context, router, prefix, kernel, finding).await
}

/// Asks who stands between bgpd and the kernel.
async fn between(
    context: &Context,
    router: &str,
    prefix: IpNet,
    kernel: Option<&FibRoute>,
    finding: Finding,
) -> Finding {
    let Ok(observer) = context.fabric.observer(router).await else { return finding };
    let zebra = match observer.router().installed().await {
        Ok(all) => all,
        Err(why) => return finding.broken(daemon_silent(router, "zebra", &why.to_string())),
    };
    let (six, word) = if matches!(prefix, IpNet::V6(_)) { ("-6 ", "ipv6") } else { ("", "ip") };
    let entries = zebra.get(&prefix).map(Vec::as_slice).unwrap_or_default();
    let table = format!("ip {six}route");
    let has = about(&said(context, router, &table).await.unwrap_or_default(), &written(prefix));
    let zebras = format!("vtysh -c 'show {word} route {prefix}'");
    let proofs = vec![
        text_proof(&format!("{router}'s kernel"), router, table, has),
        text_proof(
            &format!("{router}'s zebra"),
            router,
            zebras.clone(),
            shown(context, router, &zebras).await,
        ),
    ];
    let name = map::called(&context.view.now(), prefix);
    finding.broken(not_in_kernel(router, &name, entries, kernel, proofs, zebras))
}

/// A prefix as `ip route` writes it.
fn written(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

/// Routes that should leave through certain interfaces.
pub(super) async fn leaves(
    context: &Context,
    router: &str,
    symbol: &Symbol,
    out: &[String],
    family: WantedFamily,
) -> Finding {
    let atlas = context.view.now();
    let all = prefixes(&atlas, std::slice::from_ref(symbol), family);
    let Some(snapshot) = snapshot(context, router).await else { return Finding::default() };
    let snapshot = &snapshot;
    first_blame(all.into_iter().map(|prefix| async move {
        let kernel = snapshot.fib.as_ref().ok().and_then(|fib| fib.route(&prefix));
        let best = snapshot.rib.as_ref().ok().and_then(|rib| rib.best(&prefix));
        let Some(kernel) = kernel else { return kernel_lacks(context, router, prefix).await };
        let devs: Vec<&str> = kernel.next_hops.iter().filter_map(|hop| hop.dev.as_deref()).collect();
        let right = kernel.kind == RouteKind::Unicast && out.iter().all(|dev| devs.contains(&dev.as_str()));
        if right && devs.len() == out.len() {
            return Finding::default();
        }
        if kernel.kind != RouteKind::Unicast
            || (kernel.protocol != "bgp" && best.is_some_and(|best| !best.from_self()))
        {
            return between(context, router, prefix, Some(kernel), Finding::default()).await;
        }
        let Some(missing) = out.iter().find(|dev| !devs.contains(&dev.as_str())) else {
            return Finding::default();
        };
        let paths = snapshot.rib.as_ref().ok().and_then(|rib| rib.routes.get(&prefix));
        by_interface(context, router, prefix, paths.map(Vec::as_slice).unwrap_or_default(), missing).await
    }))
    .await
}

/// No route leaves by an interface: the path of the neighbor behind it is missing, or not in use.
async fn by_interface(context: &Context, router: &str, prefix: IpNet, paths: &[Path], dev: &str) -> Finding {
    match map::far_end(&context.view.now(), router, dev) {
        Some((far, _)) => another_path(context, router, prefix, paths, &far).await,
        None => Finding::default(),
    }
}
