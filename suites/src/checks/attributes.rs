//! Judging the paths to a prefix in a router's BGP table: whose they are, where they lead, what they carry.
//!
//! The best path alone is judged, unless the expectation speaks of several: then all that are in use (the best one, and
//! those chosen beside it for ECMP).

use std::collections::BTreeSet;
use std::fmt::Display;
use std::net::IpAddr;

use fabric_harness::router::{Origin, Path, PathPeer, Rib};
use ipnet::IpNet;

use super::prefixes::number_of;
use super::rib::RibSpec;
use super::verdict::{Verdict, counted, listed};
use crate::expect::{
    OneOrEach, Resolver, Symbol, Unresolved, WantedOrigin, WantedPath, WantedSource, known_as,
};

/// A next hop by role, and its addresses.
type Hops = (Symbol, Vec<IpAddr>);

/// Judges the paths to each prefix of a symbol.
pub(super) fn by_path(
    spec: &RibSpec,
    prefix: &Symbol,
    wanted: &WantedPath,
    seen: &Rib,
    resolver: &dyn Resolver,
) -> Result<Verdict, Unresolved> {
    let prefixes = spec.family.prefixes(resolver, prefix)?;
    let mut hops: Vec<Hops> = Vec::new();
    // Of either family: an IPv4 route may lead to an IPv6 next hop (RFC 8950).
    for symbol in wanted.next_hop.iter().flat_map(OneOrEach::values) {
        let all = resolver.addresses(symbol)?;
        hops.push((symbol.clone(), all.into_iter().map(|named| named.value).collect()));
    }
    let mut lines = Vec::new();
    let mut right = 0;
    for named in &prefixes {
        let before = lines.len();
        let mut note = |line: String| lines.push(format!("{named}: {line}"));
        match seen.best(&named.value) {
            None => note(match unused(seen, &named.value, resolver) {
                None => "the table does not have it".to_owned(),
                Some(why) => format!("the table has it and cannot use it: {why}"),
            }),
            Some(best) if !wanted.of_all() => each(wanted, &hops, best, resolver, &mut note),
            Some(_) => {
                let in_use: Vec<&Path> = seen.in_use(&named.value).collect();
                together(wanted, &hops, &in_use, resolver, &mut note);
                for path in in_use {
                    each(wanted, &hops, path, resolver, &mut |line| {
                        note(format!("by {}: {line}", path.peer))
                    });
                }
            }
        }
        right += usize::from(lines.len() == before);
    }
    let phrase = format!("{right} of {} by that path", number_of(prefixes.len(), spec.family));
    Ok(Verdict::of(&spec.router, wanted.phrase(), phrase, lines))
}

/// Why a prefix that a table has is not used, path by path; `None` when the table does not have it, or uses it.
pub(super) fn unused(seen: &Rib, prefix: &IpNet, resolver: &dyn Resolver) -> Option<String> {
    let paths = seen.routes.get(prefix).filter(|paths| !paths.is_empty())?;
    if seen.best(prefix).is_some() {
        return None;
    }
    let why = |path: &Path| {
        let unreachable = path.next_hop().filter(|hop| hop.accessible == Some(false));
        let why = match unreachable {
            Some(hop) => format!("its next hop {} cannot be reached", known_as(resolver, hop.ip)),
            None if path.valid => "it was not chosen".to_owned(),
            None => "the router calls it invalid".to_owned(),
        };
        format!("the path from {}: {why}", path.peer)
    };
    Some(paths.iter().map(why).collect::<Vec<_>>().join("; "))
}

/// What must hold of one path.
fn each(
    wanted: &WantedPath,
    hops: &[Hops],
    path: &Path,
    resolver: &dyn Resolver,
    note: &mut dyn FnMut(String),
) {
    if let Some(origin) = wanted.origin.filter(|origin| Some(*origin) != path.origin.map(wanted_origin)) {
        let seen = path.origin.map_or_else(|| "not set".to_owned(), |seen| seen.to_string());
        note(format!("origin is {seen}, not {origin}"));
    }
    if let Some(OneOrEach::One(as_path)) = &wanted.as_path
        && *as_path != path.as_path
    {
        note(format!("{} is there, not {}", as_path_text(&path.as_path), as_path_text(as_path)));
    }
    number("local preference", wanted.local_pref, path.local_pref, note);
    number("MED", wanted.med, path.med, note);
    let (plain, large): (Vec<&String>, Vec<&String>) =
        path.communities.iter().partition(|text| text.matches(':').count() < 2);
    communities("communities", wanted.communities.as_ref(), &plain, note);
    communities("large communities", wanted.large_communities.as_ref(), &large, note);
    if let (Some(OneOrEach::One(_)), [(symbol, addresses)]) = (&wanted.next_hop, hops) {
        let hop = path.next_hop();
        if !hop.is_some_and(|hop| addresses.contains(&hop.ip)) {
            let seen = hop.map_or_else(|| "nowhere".to_owned(), |hop| known_as(resolver, hop.ip));
            let wanted = listed(addresses.iter().map(IpAddr::to_string));
            note(format!("next hop is {seen}, not {symbol} ({wanted})"));
        }
    }
    if let Some(OneOrEach::One(source)) = &wanted.from
        && !is_from(path, source)
    {
        note(format!("it came from {}, not from {source}", path.peer));
    }
}

/// What must hold of the paths in use as a whole.
fn together(
    wanted: &WantedPath,
    hops: &[Hops],
    in_use: &[&Path],
    resolver: &dyn Resolver,
    note: &mut dyn FnMut(String),
) {
    if let Some(count) = wanted.paths.filter(|count| *count != in_use.len()) {
        let from = listed(in_use.iter().map(|path| path.peer.to_string()));
        note(format!("{} in use, not {count}: from {from}", counted(in_use.len(), "path is", "paths are")));
    }
    if let Some(OneOrEach::Each(sources)) = &wanted.from {
        let text = |path: &Path| format!("a path from {}", path.peer);
        matched(sources, in_use, is_from, |source| format!("from {source}"), text, note);
    }
    if let Some(OneOrEach::Each(_)) = &wanted.next_hop {
        let leads = |path: &Path, (_, addresses): &Hops| {
            path.next_hop().is_some_and(|hop| addresses.contains(&hop.ip))
        };
        let text = |path: &Path| {
            let hop = path.next_hop().map_or_else(|| "nowhere".to_owned(), |hop| known_as(resolver, hop.ip));
            format!("a path with next hop {hop}")
        };
        matched(hops, in_use, leads, |(symbol, _)| format!("with next hop {symbol}"), text, note);
    }
    if let Some(OneOrEach::Each(as_paths)) = &wanted.as_path {
        let same = |path: &Path, as_path: &Vec<u32>| path.as_path == *as_path;
        let text = |path: &Path| format!("a path with {}", as_path_text(&path.as_path));
        matched(as_paths, in_use, same, |as_path| format!("with {}", as_path_text(as_path)), text, note);
    }
}

/// Every value has a path, and every path a value.
fn matched<T>(
    wanted: &[T],
    in_use: &[&Path],
    fits: impl Fn(&Path, &T) -> bool,
    name: impl Fn(&T) -> String,
    text: impl Fn(&Path) -> String,
    note: &mut dyn FnMut(String),
) {
    for value in wanted.iter().filter(|value| !in_use.iter().any(|path| fits(path, value))) {
        note(format!("no path in use is {}", name(value)));
    }
    for path in in_use.iter().filter(|path| !wanted.iter().any(|value| fits(path, value))) {
        note(format!("{} is in use too", text(path)));
    }
}

fn number<T: Display + PartialEq + Copy>(
    what: &str,
    wanted: Option<T>,
    seen: Option<T>,
    note: &mut dyn FnMut(String),
) {
    if let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != seen) {
        let seen = seen.map_or_else(|| "not set".to_owned(), |seen| seen.to_string());
        note(format!("{what} is {seen}, not {wanted}"));
    }
}

fn communities(what: &str, wanted: Option<&Vec<String>>, seen: &[&String], note: &mut dyn FnMut(String)) {
    let Some(wanted) = wanted else { return };
    let all: BTreeSet<String> = seen.iter().map(|text| plain(text)).collect();
    if all != wanted.iter().map(|text| plain(text)).collect() {
        let seen = if seen.is_empty() {
            format!("no {what} are there")
        } else {
            format!("{what} are {}", listed(seen))
        };
        note(format!("{seen}, not {}", listed(wanted)));
    }
}

/// Well-known communities are `no-export` to people and `noExport` to FRR's JSON.
fn plain(community: &str) -> String {
    community.replace(['-', '_'], "").to_ascii_lowercase()
}

fn is_from(path: &Path, source: &WantedSource) -> bool {
    match source {
        WantedSource::Myself => path.from_self(),
        WantedSource::Neighbor(name) => {
            let PathPeer { address, neighbor, hostname } = &path.peer;
            let by_address = || name.parse::<IpAddr>().is_ok_and(|wanted| *address == Some(wanted));
            !path.from_self()
                && (hostname.as_deref().is_some_and(|seen| super::same_node(seen, name))
                    || neighbor.as_ref() == Some(name)
                    || by_address())
        }
    }
}

fn wanted_origin(origin: Origin) -> WantedOrigin {
    match origin {
        Origin::Igp => WantedOrigin::Igp,
        Origin::Egp => WantedOrigin::Egp,
        Origin::Incomplete => WantedOrigin::Incomplete,
    }
}

/// `AS path 65000 65010`, or `an empty AS path`.
fn as_path_text(path: &[u32]) -> String {
    if path.is_empty() {
        return "an empty AS path".to_owned();
    }
    format!("AS path {}", path.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
}

/// `next hop a`, or `next hops a and b`.
fn one_or_each<T>(what: &str, values: &OneOrEach<T>, text: impl Fn(&T) -> String) -> String {
    match values {
        OneOrEach::One(one) => format!("{what} {}", text(one)),
        OneOrEach::Each(all) => format!("{what}s {}", listed(all.iter().map(text))),
    }
}

impl WantedPath {
    /// The path as a phrase: `from tor0 with next hop tor0:net0, AS path 65010 and origin IGP`.
    pub fn phrase(&self) -> String {
        let over = self.paths.map(|count| format!("over {}", counted(count, "path", "paths")));
        let from = self
            .from
            .as_ref()
            .map(|from| format!("from {}", listed(from.values().iter().map(WantedSource::to_string))));
        let as_path = self.as_path.as_ref().map(|as_path| match as_path {
            OneOrEach::One(one) => as_path_text(one),
            OneOrEach::Each(all) => {
                let text = |path: &Vec<u32>| as_path_text(path).trim_start_matches("AS path ").to_owned();
                format!("AS paths {}", listed(all.iter().map(text)))
            }
        });
        let carried = |what: &str, all: &Option<Vec<String>>| {
            let all = all.as_ref()?;
            Some(if all.is_empty() {
                format!("no {what}")
            } else {
                format!("{what} {}", listed(all).replace(" and ", ", "))
            })
        };
        let with = [
            self.next_hop.as_ref().map(|hops| one_or_each("next hop", hops, Symbol::to_string)),
            as_path,
            self.local_pref.map(|pref| format!("local preference {pref}")),
            self.med.map(|med| format!("MED {med}")),
            carried("communities", &self.communities),
            carried("large communities", &self.large_communities),
            self.origin.map(|origin| format!("origin {origin}")),
        ];
        let with: Vec<String> = with.into_iter().flatten().collect();
        let with = (!with.is_empty()).then(|| format!("with {}", listed(with)));
        [over, from, with].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
#[path = "attributes_tests.rs"]
mod tests;
