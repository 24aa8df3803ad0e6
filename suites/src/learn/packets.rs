//! What `nodes:`, `pods:`, `reach:` and `paths:` say of a fabric as it is.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::page::{Line, list, mapping, scalar};
use super::seen::{PathSeen, Seen};
use crate::expect::{Place, Symbol};

/// How many flows are to be traced where equal ways were seen: of two ways, one stays unseen once in 30,000 times.
const FLOWS: u16 = 16;

/// The lines of nodes and pods.
pub(super) fn cluster(seen: &Seen, depth: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    if !seen.nodes.is_empty() {
        let ready = seen.nodes.iter().all(|node| node.ready);
        let none = seen.nodes.iter().all(|node| !node.ready);
        let mut pairs = vec![("count", seen.nodes.len().to_string())];
        if ready || none {
            pairs.push(("ready", ready.to_string()));
        }
        let why = if ready { "the cluster is whole" } else { "the cluster, before every node is Ready" };
        lines.push(Line::new(depth, format!("nodes: {}", mapping(&pairs))).because(why));
    }
    if !seen.pods.is_empty() {
        lines.push(Line::new(depth, "pods:"));
    }
    for pod in &seen.pods {
        let name = pod.name.short();
        let mut pairs = vec![("phase", scalar(&pod.phase))];
        let running = pod.phase == "Running";
        if running {
            pairs.push(("address", scalar(&format!("podCIDR({name})"))));
        }
        let why = if running { "it has an address of its node's" } else { "as it is" };
        lines.push(Line::new(depth + 1, format!("{}: {}", scalar(&name), mapping(&pairs))).because(why));
    }
    lines
}

/// The lines of `reach:` and `paths:`.
pub(super) fn lines(seen: &Seen, depth: usize) -> Vec<Line> {
    if seen.paths.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::new(depth, "reach:")];
    for path in &seen.paths {
        let mut pairs = vec![("from", scalar(&path.from.to_string())), ("to", scalar(&path.to.to_string()))];
        let why = if path.reached {
            pairs.push(("both", "true".to_owned()));
            "packets arrive, both ways"
        } else {
            pairs.extend([
                ("reachable", "false".to_owned()),
                ("count", "1".to_owned()),
                ("via", "native".to_owned()),
            ]);
            "packets do not arrive"
        };
        lines.push(Line::new(depth + 1, format!("- {}", mapping(&pairs))).because(why));
    }
    let traced: Vec<&PathSeen> =
        seen.paths.iter().filter(|path| path.reached && hops(seen, path, true).is_some()).collect();
    if !traced.is_empty() {
        lines.push(Line::new(depth, "paths:"));
    }
    for path in traced {
        lines.extend(of_path(seen, path, depth + 1));
    }
    lines
}

fn of_path(seen: &Seen, path: &PathSeen, depth: usize) -> Vec<Line> {
    let Some(there) = hops(seen, path, true) else { return Vec::new() };
    let back = hops(seen, path, false);
    let mut lines = vec![
        Line::new(depth, format!("- from: {}", scalar(&path.from.to_string())))
            .because(format!("the way to {} and back", path.to)),
        Line::new(depth + 1, format!("to: {}", scalar(&path.to.to_string()))),
    ];
    let several = |hops: &[String]| hops.iter().any(|hop| hop.starts_with('{'));
    if several(&there) || back.as_deref().is_some_and(several) {
        let flows = Line::new(depth + 1, format!("flows: {FLOWS}"));
        lines.push(flows.because("packets of different flows take different ways"));
    }
    let write = |hops: &[String]| list(hops.iter().map(|hop| scalar(hop)));
    let (left, right) = (name(&path.from), name(&path.to));
    let mirrored = mirror(&there, &left, &right);
    match &back {
        Some(back) if Some(back) == mirrored.as_ref() => {
            lines.push(
                Line::new(depth + 1, "both: true")
                    .because("the way back is the same, seen from the other end"),
            );
        }
        Some(back) => {
            let line = Line::new(depth + 1, format!("back: {}", write(back)));
            lines.push(line.because("the way back is another one"));
        }
        None => {}
    }
    let why = if seen.cilium {
        "`*?`: Cilium's datapath may take a hop off at a pod's own end without a word"
    } else {
        "who answers, hop by hop"
    };
    lines.push(Line::new(depth + 1, format!("hops: {}", write(&there))).because(why));
    lines
}

/// A pod's or node's name, as symbols have it.
fn name(symbol: &Symbol) -> String {
    match symbol {
        Symbol::Pod(pod) => pod.short(),
        Symbol::Node(node) => node.clone(),
        other => other.to_string(),
    }
}

/// The hops there as they would read on the way back.
fn mirror(hops: &[String], left: &str, right: &str) -> Option<Vec<String>> {
    let parsed: Option<Vec<_>> = hops.iter().map(|hop| crate::expect::Hop::parse(hop).ok()).collect();
    Some(parsed?.into_iter().map(|hop| hop.exchanged(left, right).to_string()).collect())
}

/// Who answers at each distance, by role; none where a trace did not arrive, or where nobody answers but the target.
fn hops(seen: &Seen, path: &PathSeen, there: bool) -> Option<Vec<String>> {
    let (flows, from, to) =
        if there { (&path.there, &path.from, &path.to) } else { (&path.back, &path.to, &path.from) };
    let longest = flows.iter().map(Vec::len).max()?;
    // Ways of different lengths cannot be written hop by hop.
    if longest == 0 || flows.iter().any(|flow| flow.len() != longest) {
        return None;
    }
    let mut hops = Vec::new();
    for distance in 0..longest {
        let last = distance + 1 == longest;
        let mut roles: BTreeSet<String> = BTreeSet::new();
        for flow in flows {
            match flow[distance] {
                Some(_) if last => roles.insert(to.to_string()),
                Some(address) => roles.insert(role(seen, address, from, to).to_string()),
                None if last => return None,
                None => roles.insert("*".to_owned()),
            };
        }
        let roles: Vec<String> = roles.into_iter().collect();
        match roles.as_slice() {
            [one] => hops.push(one.clone()),
            // A set of which one member is silence cannot be written.
            several if several.iter().any(|role| role == "*") => return None,
            several => hops.push(format!("{{{}}}", several.join("|"))),
        }
    }
    if seen.cilium && matches!((from, to), (Symbol::Pod(_), Symbol::Pod(_))) {
        // What is silent at a pod's own end is Cilium's affair, and another version's may be otherwise.
        let target = hops.pop()?;
        while hops.last().is_some_and(|hop| hop == "*") {
            hops.pop();
        }
        let silent = hops.iter().take_while(|hop| *hop == "*").count();
        hops.drain(..silent);
        hops.insert(0, "*?".to_owned());
        hops.extend(["*?".to_owned(), target]);
    }
    Some(hops)
}

/// What part an address plays on the way between two ends: that of the ends' own nodes and gateways first.
fn role(seen: &Seen, address: IpAddr, from: &Symbol, to: &Symbol) -> Symbol {
    let names = seen.naming.all_of(address);
    let ends = [name(from), name(to)];
    for end in &ends {
        let of_end = |symbol: &&Symbol| match symbol {
            Symbol::Interface { place: Place::NodeOf(whose) | Place::TorOf(whose), .. }
            | Symbol::Gateway(whose) => whose == end,
            _ => false,
        };
        // The gateway says more than the router's interface, an interface of the node more than its router's.
        let best = names.iter().filter(of_end).min_by_key(|symbol| match symbol {
            Symbol::Gateway(_) => 0,
            Symbol::Interface { place: Place::NodeOf(_), .. } => 1,
            _ => 2,
        });
        if let Some(symbol) = best {
            return symbol.clone();
        }
    }
    seen.naming.of_address(address).unwrap_or(Symbol::Address(address))
}
