//! What `routes:` says of a router as it is: the set of its prefixes, and of each what its paths are.

use std::collections::{BTreeMap, BTreeSet};

use fabric_harness::router::{Fib, Origin, Path, Rib};
use ipnet::IpNet;

use super::chance;
use super::page::{Line, list, mapping, one_or_list, scalar};
use super::seen::{NodeSeen, Seen};
use super::sessions::short;
use crate::expect::{Select, Symbol};

/// A prefix, by role, with what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    symbol: Symbol,
    attributes: String,
    why: String,
}

/// The lines of one router.
pub(super) fn lines(seen: &Seen, router: &str, rib: &Rib, fib: Option<&Fib>, depth: usize) -> Vec<Line> {
    let four: Vec<&IpNet> = rib.best_prefixes(false).collect();
    let six: Vec<&IpNet> = rib.best_prefixes(true).collect();
    if four.is_empty() && six.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::new(depth, format!("{}:", scalar(router)))];
    if !four.is_empty() {
        lines.extend(table(seen, router, rib, fib, &four, depth + 1));
    }
    if !six.is_empty() {
        lines.push(Line::new(depth + 1, "ipv6:"));
        lines.extend(table(seen, router, rib, fib, &six, depth + 2));
    }
    lines
}

fn table(
    seen: &Seen,
    router: &str,
    rib: &Rib,
    fib: Option<&Fib>,
    prefixes: &[&IpNet],
    depth: usize,
) -> Vec<Line> {
    let entries: Vec<Entry> = prefixes.iter().map(|prefix| entry(seen, router, rib, fib, prefix)).collect();
    let entries = together(seen, entries);
    let count = Line::new(depth, format!("count: {}", prefixes.len()));
    let mut lines = vec![count.because("a route more or less is a change"), Line::new(depth, "prefixes:")];
    for Entry { symbol, attributes, why } in entries {
        let text = format!("{}: {attributes}", scalar(&symbol.to_string()));
        lines.push(Line::new(depth + 1, text).because(why));
    }
    lines.extend(fib.map(|fib| kernel(router, seen, fib, prefixes, depth)));
    lines
}

/// How the kernel's table relates to the BGP table.
fn kernel(router: &str, seen: &Seen, fib: &Fib, prefixes: &[&IpNet], depth: usize) -> Line {
    let six = prefixes.first().is_some_and(|prefix| prefix.addr().is_ipv6());
    let is_own = |prefix: &IpNet| {
        let own = |symbol: &Symbol| symbol.to_string().starts_with(&format!("{router}:"));
        prefix.prefix_len() == prefix.max_prefix_len() && seen.naming.all_of(prefix.addr()).iter().any(own)
    };
    let plumbing = |prefix: &IpNet| match prefix {
        IpNet::V4(net) => net.addr().is_multicast() || net.addr().is_link_local(),
        IpNet::V6(net) => net.addr().is_multicast() || net.addr().is_unicast_link_local(),
    };
    let wanted: BTreeSet<&IpNet> = prefixes.iter().copied().filter(|prefix| !is_own(prefix)).collect();
    let there: BTreeSet<&IpNet> = fib
        .routes
        .keys()
        .filter(|prefix| prefix.addr().is_ipv6() == six && !plumbing(prefix) && !is_own(prefix))
        .collect();
    if there == wanted {
        Line::new(depth, "fib: exact").because("the kernel has these routes and no others")
    } else if wanted.is_subset(&there) {
        Line::new(depth, "fib: contains")
            .because("the kernel has other routes besides, which BGP does not know of")
    } else {
        Line::new(depth, "fib: unjudged").because("the kernel does not follow the BGP table here")
    }
}

fn entry(seen: &Seen, router: &str, rib: &Rib, fib: Option<&Fib>, prefix: &IpNet) -> Entry {
    let symbol = seen.naming.of_prefix(*prefix);
    let paths: Vec<&Path> = rib.in_use(prefix).collect();
    let by_age = chance::chosen(rib, prefix);
    let mut pairs: Vec<(&str, String)> = Vec::new();
    let mut why = String::new();
    if by_age {
        why.push_str("several equal paths, of which the one heard first is chosen: by chance");
    } else {
        let handed_on = paths.iter().any(|path| chance::handed_on(seen, path, prefix));
        sources(seen, &paths, handed_on, &mut pairs);
        why = reason(seen, router, &symbol, &paths);
    }
    if let [path, rest @ ..] = paths.as_slice() {
        let origin = |path: &Path| path.origin;
        if let Some(origin) = path.origin.filter(|_| rest.iter().all(|other| origin(other) == origin(path))) {
            pairs.push(("origin", word(origin).to_owned()));
        }
        let same = |of: fn(&Path) -> Option<u32>| {
            of(path).filter(|_| rest.iter().all(|other| of(other) == of(path)))
        };
        pairs.extend(same(|path| path.local_pref).map(|value| ("local-pref", value.to_string())));
        pairs.extend(same(|path| path.med).filter(|med| *med != 0).map(|med| ("med", med.to_string())));
        let plain = |large: bool| -> Vec<String> {
            let of = path.communities.iter().filter(|text| (text.matches(':').count() > 1) == large);
            of.map(|text| scalar(&written(text))).collect()
        };
        let (standard, large) = (plain(false), plain(true));
        if rest.iter().all(|other| other.communities == path.communities) {
            pairs.extend((!standard.is_empty()).then(|| ("communities", list(standard))));
            pairs.extend((!large.is_empty()).then(|| ("large-communities", list(large))));
        }
    }
    if !by_age {
        pairs.extend(out(fib, prefix).map(|out| ("out", one_or_list(&out))));
    }
    Entry { symbol, attributes: mapping(&pairs), why }
}

/// Whose the paths are, where they lead, and by which ASes, unless those are so by chance.
fn sources(seen: &Seen, paths: &[&Path], by_chance: bool, pairs: &mut Vec<(&str, String)>) {
    let from = |path: &&Path| -> Option<String> {
        if path.from_self() {
            return Some("self".to_owned());
        }
        path.peer.hostname.as_deref().map(|name| scalar(short(seen, name)))
    };
    let hop = |path: &&Path| -> Option<String> {
        let ip = path.next_hop().filter(|hop| !hop.ip.is_unspecified())?.ip;
        let names = seen.naming.all_of(ip);
        let node = names.iter().find(|symbol| matches!(symbol, Symbol::Node(_))).cloned();
        let named = node.or_else(|| seen.naming.of_address(ip));
        // The digits of a link-local address are another run's tomorrow.
        let link_local = matches!(ip, std::net::IpAddr::V6(v6) if v6.is_unicast_link_local());
        named
            .map(|symbol| scalar(&symbol.to_string()))
            .or_else(|| (!link_local).then(|| scalar(&ip.to_string())))
    };
    let mut put = |key, values: Option<Vec<String>>| {
        let Some(mut values) = values else { return };
        values.sort();
        values.dedup();
        if !values.is_empty() {
            pairs.push((key, one_or_list(&values)));
        }
    };
    put("from", paths.iter().map(from).collect());
    put("next-hop", paths.iter().map(hop).collect());
    let numbers = |path: &&Path| list(path.as_path.iter().map(u32::to_string));
    let mut ases: Vec<String> = paths.iter().map(numbers).collect();
    ases.sort();
    ases.dedup();
    match ases.as_slice() {
        _ if by_chance => {}
        [one] => pairs.push(("as-path", one.clone())),
        all if all.len() == paths.len() => pairs.push(("as-path", list(all))),
        // Some of the paths share theirs: a list would have to say each.
        _ => {}
    }
    if paths.len() > 1 {
        pairs.push(("paths", paths.len().to_string()));
    }
}

fn reason(seen: &Seen, router: &str, symbol: &Symbol, paths: &[&Path]) -> String {
    let whose = match symbol {
        Symbol::PodCidr(Select::Of(node)) => format!("the pods of {node}"),
        Symbol::Management => "the management network".to_owned(),
        Symbol::Default => "everything else".to_owned(),
        Symbol::Interface { .. } => symbol.to_string(),
        other => other.to_string(),
    };
    match paths {
        [path] if path.from_self() => format!("{whose}: {router} brings it itself"),
        [path] => {
            let from = path.peer.hostname.as_deref().map(|name| short(seen, name).to_owned());
            format!("{whose}, by way of {}", from.unwrap_or_else(|| path.peer.to_string()))
        }
        several => format!("{whose}, by {} equal ways", several.len()),
    }
}

/// A community as lab.yaml writes it: FRR's `noExport` is `no-export`.
fn written(text: &str) -> String {
    let mut written = String::new();
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            written.push('-');
        }
        written.push(c.to_ascii_lowercase());
    }
    written
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

/// The interfaces through which the kernel sends to a prefix.
fn out(fib: Option<&Fib>, prefix: &IpNet) -> Option<Vec<String>> {
    let route = fib?.route(prefix)?;
    let mut devices: Vec<String> =
        route.next_hops.iter().map(|hop| hop.dev.clone()).collect::<Option<_>>()?;
    devices.sort();
    devices.dedup();
    (!devices.is_empty() && route.kind == fabric_harness::router::RouteKind::Unicast)
        .then(|| devices.iter().map(|device| scalar(device)).collect())
}

/// The same entries with pod CIDRs that are alike written as one: of all nodes, or of those with a label.
fn together(seen: &Seen, entries: Vec<Entry>) -> Vec<Entry> {
    let mut alike: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in &entries {
        if let Symbol::PodCidr(Select::Of(node)) = &entry.symbol {
            alike.entry(entry.attributes.clone()).or_default().insert(node.clone());
        }
    }
    let mut done: BTreeSet<String> = BTreeSet::new();
    let mut all = Vec::new();
    for entry in entries {
        let Symbol::PodCidr(Select::Of(_)) = &entry.symbol else {
            all.push(entry);
            continue;
        };
        let nodes = alike.get(&entry.attributes).cloned().unwrap_or_default();
        match selection(&seen.nodes, &nodes) {
            Some(select) => {
                if done.insert(entry.attributes.clone()) {
                    let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
                    let why = entry.why.rsplit_once(", by ").map_or("", |(_, way)| way);
                    let by = if why.is_empty() { String::new() } else { format!(", by {why}") };
                    let why = format!("the pods of {}{by}", names.join(", "));
                    all.push(Entry { symbol: Symbol::PodCidr(select), why, ..entry });
                }
            }
            None => all.push(entry),
        }
    }
    all
}

/// What selects exactly these nodes, if they are several and something does.
fn selection(all: &[NodeSeen], wanted: &BTreeSet<String>) -> Option<Select> {
    if wanted.len() < 2 {
        return None;
    }
    if all.len() == wanted.len() {
        return Some(Select::All);
    }
    let first = all.iter().find(|node| wanted.contains(&node.name))?;
    let users = first.labels.iter().filter(|(key, value)| {
        // What Kubernetes itself writes says little, and is written otherwise by the next version.
        let plain =
            |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        !key.contains("kubernetes.io/") && plain(key) && plain(value) && !value.is_empty()
    });
    for (key, value) in users {
        let with: BTreeSet<String> = all
            .iter()
            .filter(|node| node.labels.get(key) == Some(value))
            .map(|node| node.name.clone())
            .collect();
        if with == *wanted {
            return Some(Select::Labels(vec![(key.clone(), value.clone())]));
        }
    }
    None
}
