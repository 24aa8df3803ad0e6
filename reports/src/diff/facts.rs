//! A record as what can be compared: sessions, routes and paths by phase, without what moves while nothing happens.
//!
//! What lives here: reading states and checks into facts, and leaving noise out: uptimes, running timers, counters,
//! link-local addresses, which end dialled, in which order equal paths came. What does not: comparing (`compare`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::names::{Names, is_link_local};
use crate::record::shape::is_last_reason;
use crate::record::{Check, Record};

/// What one record says of one phase's end.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) names: Names,
    /// By router and neighbor.
    pub(super) sessions: BTreeMap<(String, String), SessionFact>,
    /// By router and prefix.
    pub(super) rib: BTreeMap<(String, String), RouteFact>,
    /// By router and prefix.
    pub(super) fib: BTreeMap<(String, String), KernelFact>,
    /// By check: the hops that were seen.
    pub(super) paths: BTreeMap<String, Vec<String>>,
    /// What could be read, by router and kind of state.
    pub(super) read: BTreeSet<(String, String)>,
    /// What could not, with the reason.
    pub(super) unreadable: BTreeMap<(String, String), String>,
}

/// What is compared of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SessionFact {
    pub(super) up: bool,
    /// The state's own word, for telling.
    pub(super) state: String,
    pub(super) shutdown: bool,
    pub(super) hostname: Option<String>,
    pub(super) address: Option<String>,
    pub(super) drops: u64,
    pub(super) reset: Option<String>,
    /// By what is told: `AS`, `hold time`.
    pub(super) attributes: BTreeMap<&'static str, String>,
}

/// What is compared of a route of a BGP table: the paths in use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct RouteFact {
    /// The neighbors they are from; none is the router itself.
    pub(super) from: BTreeSet<Option<String>>,
    /// What each says, in a line.
    pub(super) paths: BTreeSet<String>,
    /// The choice among equal ones fell to the one heard first: it says nothing.
    pub(super) by_age: bool,
}

/// What is compared of a route of the kernel's.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct KernelFact {
    pub(super) ways: BTreeSet<String>,
    pub(super) devices: BTreeSet<String>,
    /// The kernel itself put it there: an interface has an address in it.
    pub(super) connected: bool,
}

/// The facts of every phase, by the occasion, in the run's order.
pub(super) fn by_phase(record: &Record) -> Vec<(String, Facts)> {
    let mut all: Vec<(String, Facts)> = Vec::new();
    for state in &record.states {
        let Some(phase) = state.when.strip_prefix("end of phase ") else { continue };
        if !all.iter().any(|(name, _)| name == phase) {
            all.push((phase.to_owned(), Facts::default()));
        }
    }
    for (phase, facts) in &mut all {
        let when = format!("end of phase {phase}");
        let states = || record.states.iter().filter(|state| state.when == when);
        // Names first: they say how the rest is read.
        facts.names = states().find_map(|state| Names::read(&state.kind, &state.json)).unwrap_or_default();
        for state in states() {
            facts.take(&state.node, &state.kind, &state.json);
        }
        for check in record.checks_of(phase) {
            facts.take_path(check);
        }
    }
    all
}

/// Prefixes that a router was connected to and is not any more, by router and prefix.
pub(super) type Cut = BTreeSet<(String, String)>;

/// What was cut off between two views of one phase.
pub(super) fn cut(old: &Facts, new: &Facts) -> Cut {
    let readable = |node: &str| new.read.contains(&(node.to_owned(), "fib".to_owned()));
    let lost = old
        .fib
        .iter()
        .filter(|(key, fact)| fact.connected && !new.fib.contains_key(*key) && readable(&key.0));
    lost.map(|(key, _)| key.clone()).collect()
}

impl Facts {
    fn take(&mut self, node: &str, kind: &str, json: &Value) {
        let key = (node.to_owned(), kind.to_owned());
        if let Some(why) = json.get("unreadable").and_then(Value::as_str) {
            self.unreadable.insert(key, why.to_owned());
            return;
        }
        let at = |name: &str| (node.to_owned(), name.to_owned());
        match kind {
            "sessions" => {
                for (neighbor, session) in json.as_object().into_iter().flatten() {
                    self.sessions.insert(at(neighbor), session_fact(session, &self.names));
                }
            }
            "rib" => {
                for (prefix, paths) in routes(json) {
                    let Some(fact) = route_fact(paths, &self.names) else { continue };
                    self.rib.insert(at(&self.names.prefix(prefix)), fact);
                }
            }
            "fib" => {
                for (prefix, ways) in routes(json).filter(|(prefix, _)| !is_of_a_link(prefix)) {
                    let fact = kernel_fact(ways, &self.names);
                    if !fact.ways.is_empty() {
                        self.fib.insert(at(&self.names.prefix(prefix)), fact);
                    }
                }
            }
            _ => return,
        }
        self.read.insert(key);
    }

    /// Leaves out what is not to count.
    pub(super) fn forget(&mut self, past: bool, silent_hops: bool) {
        for session in self.sessions.values_mut().filter(|_| !past) {
            (session.drops, session.reset) = (0, None);
        }
        for hops in self.paths.values_mut().filter(|_| !silent_hops) {
            hops.retain(|hop| hop != "*");
        }
    }

    fn take_path(&mut self, check: &Check) {
        // Of several ways that are all right, which one a flow takes is chance.
        if check.kind != "paths" || check.expected.as_str().is_some_and(|hops| hops.contains('{')) {
            return;
        }
        // Two ways to look that agree may both have seen a path that was not whole yet.
        if check.seen.pointer("/detail/native").is_some() && check.seen.pointer("/detail/own").is_some() {
            return;
        }
        let Some((from, to)) = ends(check) else { return };
        let seen: Vec<Option<String>> = match check.paths.first() {
            Some(path) => path.hops.iter().map(|hop| hop.address.clone()).collect(),
            None => {
                let hops = check.seen.pointer("/detail/hops").and_then(Value::as_array).into_iter().flatten();
                hops.map(|hop| hop.get("responder").and_then(Value::as_str).map(str::to_owned)).collect()
            }
        };
        if seen.is_empty() {
            return;
        }
        let name = |address: Option<String>| {
            address.map_or_else(|| "*".to_owned(), |address| self.names.hop(&address, &from, &to))
        };
        self.paths.insert(check.name.clone(), seen.into_iter().map(name).collect());
    }
}

/// Who asks whom, by a path's or a reach check's name: `policy::paths::nettool-1::... to nettool-2 goes through`.
pub(super) fn ends(check: &Check) -> Option<(String, String)> {
    if let Some(path) = check.paths.first() {
        return Some((path.from.clone(), path.to.clone()));
    }
    let text = check.name.splitn(3, "::").nth(2)?;
    let from = check.node.clone()?;
    let rest = text.split_once(" to ").or_else(|| text.split_once(" pings "));
    let rest = rest.or_else(|| text.split_once(" reaches ")).or_else(|| text.split_once(" from "));
    let to = rest?.1.split([' ', ',']).next()?.to_owned();
    Some((from, to))
}

fn routes(json: &Value) -> impl Iterator<Item = (&String, &Value)> {
    json.get("routes").and_then(Value::as_object).into_iter().flatten()
}

/// Every interface has these, and they come and go with it.
fn is_of_a_link(prefix: &str) -> bool {
    let net = prefix.split('/').next().unwrap_or_default();
    is_link_local(net) || net.starts_with("ff00:")
}

fn text<'a>(json: &'a Value, key: &str) -> Option<&'a str> {
    json.get(key).and_then(Value::as_str)
}

fn number(json: &Value, key: &str) -> Option<u64> {
    json.get(key).and_then(Value::as_u64)
}

/// A length of time as a record holds it.
fn seconds(json: &Value, key: &str) -> Option<String> {
    let length = json.get(key)?;
    let (secs, nanos) = (length.get("secs")?.as_u64()?, number(length, "nanos").unwrap_or(0));
    Some(if nanos == 0 { format!("{secs} s") } else { format!("{secs}.{:03} s", nanos / 1_000_000) })
}

fn session_fact(session: &Value, names: &Names) -> SessionFact {
    let state = text(session, "state").unwrap_or_default().to_owned();
    let up = state == "Established";
    let mut attributes = BTreeMap::new();
    let mut put = |what, value: Option<String>| {
        attributes.extend(value.map(|value| (what, value)));
    };
    let plain = |key| number(session, key).map(|number| number.to_string());
    // The configuration is there whether the session is up or not; what was negotiated is only while it is.
    put("own AS", plain("local_as"));
    put("type", text(session, "kind").map(str::to_owned));
    put("configured hold time", seconds(session, "configured_hold"));
    put("configured keepalive", seconds(session, "configured_keepalive"));
    put("connect retry", seconds(session, "connect_retry"));
    if up {
        put("AS", plain("remote_as"));
        put("hold time", seconds(session, "hold"));
        put("keepalive", seconds(session, "keepalive"));
        put("host name", text(session, "hostname").map(str::to_owned));
        put("BGP identifier", text(session, "remote_id").map(|id| names.address(id)));
        let families = session.get("families").and_then(Value::as_object).into_iter().flatten();
        let negotiated =
            families.filter(|(_, family)| family.get("negotiated").and_then(Value::as_bool).unwrap_or(false));
        let negotiated: Vec<&str> = negotiated.map(|(name, _)| name.as_str()).collect();
        put("families", Some(negotiated.join(", ")));
    }
    let reset = session.get("last_reset").filter(|reset| !reset.is_null());
    let reset = reset.and_then(|reset| {
        let reason = text(reset, "reason")?;
        Some(match text(reset, "notification") {
            Some(notification) => format!("{reason} ({notification})"),
            None => reason.to_owned(),
        })
    });
    SessionFact {
        up,
        state,
        shutdown: session.get("shutdown").and_then(Value::as_bool).unwrap_or(false),
        hostname: text(session, "hostname").map(str::to_owned),
        address: text(session, "address").map(str::to_owned),
        drops: number(session, "dropped_count").unwrap_or(0),
        reset,
        attributes,
    }
}

/// The paths in use; none where none is.
fn route_fact(paths: &Value, names: &Names) -> Option<RouteFact> {
    let flag = |path: &Value, key: &str| path.get(key).and_then(Value::as_bool).unwrap_or(false);
    let all: Vec<&Value> = paths.as_array().into_iter().flatten().collect();
    let best = all.iter().find(|path| flag(path, "best"))?;
    let in_use = |path: &Value| flag(path, "best") || (flag(path, "multipath") && flag(path, "valid"));
    // Where all equal paths are in use, which of them is called the best does not matter.
    let alone = all.iter().filter(|path| in_use(path)).count() == 1;
    let by_age = alone
        && text(best, "why_best").is_some_and(is_last_reason)
        && text(best, "source").is_none_or(|source| source == "external");
    let rank = |path: &Value| {
        let length = path.get("as_path").and_then(Value::as_array).map(Vec::len);
        let of = |key| number(path, key);
        (
            of("weight"),
            of("local_pref"),
            length,
            text(path, "origin").map(str::to_owned),
            of("med"),
            flag(path, "valid"),
        )
    };
    let used = all.iter().filter(|path| in_use(path) || (by_age && rank(path) == rank(best)));
    let mut fact = RouteFact { by_age, ..RouteFact::default() };
    for path in used {
        let neighbor = path.pointer("/peer/neighbor").and_then(Value::as_str).map(str::to_owned);
        fact.paths.insert(told(path, neighbor.as_deref(), names));
        fact.from.insert(neighbor);
    }
    Some(fact)
}

/// One path in a line: `from net0, next hop tor0:net0, AS path 65010, igp`.
fn told(path: &Value, neighbor: Option<&str>, names: &Names) -> String {
    let from = match (neighbor, path.pointer("/peer/address").and_then(Value::as_str)) {
        (Some(neighbor), _) => neighbor.to_owned(),
        (None, Some(address)) => names.address(address),
        (None, None) => "itself".to_owned(),
    };
    let mut parts = vec![format!("from {from}")];
    let hops: Vec<&Value> = path.get("next_hops").and_then(Value::as_array).into_iter().flatten().collect();
    let used = hops.iter().find(|hop| hop.get("used") == Some(&Value::Bool(true))).or(hops.first());
    if let Some(hop) = used
        && let Some(ip) = text(hop, "ip")
        && !matches!(ip, "0.0.0.0" | "::")
    {
        parts.push(match text(hop, "interface") {
            // An unnumbered neighbor is its interface.
            Some(interface) if is_link_local(ip) => format!("next hop on {interface}"),
            _ => format!("next hop {}", names.address(ip)),
        });
        if hop.get("accessible") == Some(&Value::Bool(false)) {
            parts.push("which is out of reach".into());
        }
    }
    let numbers = path.get("as_path").and_then(Value::as_array).into_iter().flatten();
    let numbers: Vec<String> = numbers.map(Value::to_string).collect();
    parts.push(if numbers.is_empty() {
        "empty AS path".into()
    } else {
        format!("AS path {}", numbers.join(" "))
    });
    parts.extend(text(path, "origin").map(|origin| format!("origin {origin}")));
    parts.extend(number(path, "local_pref").map(|value| format!("local preference {value}")));
    // A router shows a MED of 0 where there is none.
    parts.extend(number(path, "med").filter(|med| *med != 0).map(|value| format!("MED {value}")));
    let communities = path.get("communities").and_then(Value::as_array).into_iter().flatten();
    let communities: BTreeSet<&str> = communities.filter_map(Value::as_str).collect();
    if !communities.is_empty() {
        parts.push(format!("communities {}", communities.into_iter().collect::<Vec<_>>().join(" ")));
    }
    parts.join(", ")
}

/// The way in force; routes of router advertisements come and go with the advertisements.
fn kernel_fact(ways: &Value, names: &Names) -> KernelFact {
    let mut fact = KernelFact::default();
    let kept = ways.as_array().into_iter().flatten().filter(|way| text(way, "protocol") != Some("ra"));
    let Some(way) = kept.min_by_key(|way| number(way, "metric")) else { return fact };
    let hops: Vec<&Value> = way.get("next_hops").and_then(Value::as_array).into_iter().flatten().collect();
    let kind = text(way, "kind").filter(|kind| *kind != "unicast");
    let protocol = text(way, "protocol").unwrap_or("?");
    fact.connected = protocol == "kernel";
    if let Some(kind) = kind.filter(|_| hops.is_empty()) {
        fact.ways.insert(format!("{kind}, by {protocol}"));
    }
    for hop in hops {
        let dev = text(hop, "dev").unwrap_or("?");
        let via = text(hop, "via").filter(|via| !is_link_local(via));
        let via = via.map(|via| format!("via {} ", names.address(via))).unwrap_or_default();
        fact.ways.insert(format!("{via}through {dev}, by {protocol}"));
        fact.devices.insert(dev.to_owned());
    }
    fact
}
