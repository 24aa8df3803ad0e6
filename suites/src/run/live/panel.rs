//! What is to be known of one box: its sessions, tables, interfaces and pods, as tables for people.

use std::fmt::Write as _;
use std::sync::Arc;

use fabric_harness::router::{Fib, Path, Rib, Sessions};
use fabric_reports::live::{Panel, Section, State};
use fabric_reports::record::{Node, Role};

use super::super::atlas::Atlas;
use super::follow::Snapshots;
use super::seen::{is_ready, word};

/// A table is not longer; what is left out is said.
const LONGEST: usize = 400;

/// The panel of a box.
pub(super) fn of(node: &Node, state: &State, atlas: &Atlas, snapshots: &Snapshots) -> Panel {
    let mut about = vec![word(node.role).to_owned()];
    about.extend(node.asn.map(|asn| format!("AS {asn}")));
    about.extend(node.also.iter().map(|also| format!("also {also}")));
    about.extend(node.rack.iter().map(|rack| format!("rack {rack}")));
    let mut sections = Vec::new();
    match snapshots.get(&node.name) {
        Some(Ok(snapshot)) => {
            sections.push(either("Sessions", &snapshot.sessions, |seen| sessions(&node.name, seen, state)));
            sections.push(either("BGP table (RIB)", &snapshot.rib, rib));
            sections.push(either("Kernel routes (FIB)", &snapshot.fib, fib));
        }
        Some(Err(why)) => sections.push(noted("Sessions", why)),
        None => {}
    }
    if node.role == Role::ClusterNode {
        sections.extend(kubernetes(&node.name, atlas));
    }
    sections.push(interfaces(&node.name, atlas));
    Panel { node: node.name.clone(), about: about.join(", "), sections }
}

/// The kernel's table of a box that no observer follows, as it was just read.
pub(super) fn kernel(read: Result<Fib, String>) -> Section {
    let mut section = either("Kernel routes (FIB)", &read.map(Arc::new), fib);
    if section.note.is_empty() {
        section.note = "as they were when the box was selected".to_owned();
    }
    section
}

fn noted(title: &str, note: &str) -> Section {
    Section { title: title.to_owned(), note: note.to_owned(), ..Section::default() }
}

fn either<T>(title: &str, seen: &Result<Arc<T>, String>, table: impl Fn(&T) -> Section) -> Section {
    match seen {
        Ok(seen) => {
            let mut section = Section { title: title.to_owned(), ..table(seen) };
            let all = section.rows.len();
            if all > LONGEST {
                section.rows.truncate(LONGEST);
                section.note = format!("the first {LONGEST} of {all}");
            } else if all == 0 {
                section.note = "none".to_owned();
            }
            section
        }
        Err(why) => noted(title, why),
    }
}

fn sessions(router: &str, sessions: &Sessions, state: &State) -> Section {
    let peer = |neighbor: &str| {
        let found = state.sessions.iter().find(|now| now.node == router && now.neighbor == neighbor);
        found.and_then(|now| now.peer.clone()).unwrap_or_else(|| "?".to_owned())
    };
    let rows = sessions.iter().map(|(neighbor, session)| {
        let families = || session.families.values();
        let received: u64 = families().map(|family| family.accepted).sum();
        // Of a session that is there and was never lost, it is only what it waited for once.
        let reason = session.last_reset.as_ref().filter(|_| session.dropped_count > 0 || !session.is_up());
        let sent: u64 = families().filter_map(|family| family.sent).sum();
        vec![
            neighbor.clone(),
            peer(neighbor),
            session.remote_as.map_or_else(String::new, |asn| asn.to_string()),
            session.state.to_string(),
            received.to_string(),
            sent.to_string(),
            session.dropped_count.to_string(),
            reason.map(ToString::to_string).unwrap_or_default(),
        ]
    });
    Section {
        columns: vec!["Neighbor", "Peer", "AS", "State", "Received", "Sent", "Lost", "Why"],
        rows: rows.collect(),
        ..Section::default()
    }
}

fn rib(rib: &Rib) -> Section {
    let rows = rib.routes.iter().flat_map(|(prefix, paths)| {
        paths.iter().map(move |path| {
            let mark = match (path.best, path.multipath, path.valid) {
                (true, ..) => "best",
                (false, true, true) => "multipath",
                (false, _, true) => "",
                (false, _, false) => "not valid",
            };
            vec![prefix.to_string(), mark.to_owned(), path.peer.to_string(), next_hop(path), as_path(path)]
        })
    });
    Section {
        columns: vec!["Prefix", "Path", "From", "Next hop", "AS path"],
        rows: rows.collect(),
        ..Section::default()
    }
}

fn next_hop(path: &Path) -> String {
    let Some(hop) = path.next_hop() else { return String::new() };
    let mut text = hop.ip.to_string();
    if let Some(interface) = &hop.interface {
        let _ = write!(text, " {interface}");
    }
    text
}

fn as_path(path: &Path) -> String {
    path.as_path.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

fn fib(fib: &Fib) -> Section {
    let rows = fib.routes.iter().flat_map(|(prefix, routes)| {
        routes.iter().map(move |route| {
            let hops: Vec<String> = route.next_hops.iter().map(ToString::to_string).collect();
            let hops =
                if hops.is_empty() { format!("{:?}", route.kind).to_lowercase() } else { hops.join(", ") };
            vec![prefix.to_string(), hops, route.protocol.clone(), route.metric.to_string()]
        })
    });
    Section {
        columns: vec!["Prefix", "Leads to", "By", "Metric"],
        rows: rows.collect(),
        ..Section::default()
    }
}

fn interfaces(name: &str, atlas: &Atlas) -> Section {
    let Some(seen) = atlas.interfaces.get(name) else {
        return noted("Interfaces", "nothing leads into this box, or it is not there");
    };
    let rows = seen.links.iter().map(|link| {
        let state = match (link.up, link.carrier) {
            (true, true) => "up",
            (true, false) => "no carrier",
            (false, _) => "down",
        };
        let own = seen.addresses.iter().filter(|own| own.dev == link.name);
        let addresses: Vec<String> = own.map(|own| own.address.to_string()).collect();
        vec![link.name.clone(), state.to_owned(), link.mtu.to_string(), addresses.join(", ")]
    });
    Section {
        title: "Interfaces".to_owned(),
        columns: vec!["Interface", "State", "MTU", "Addresses"],
        rows: rows.collect(),
        ..Section::default()
    }
}

fn kubernetes(name: &str, atlas: &Atlas) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(node) = atlas.nodes.iter().flatten().find(|node| node.metadata.name.as_deref() == Some(name))
    {
        let status = node.status.as_ref();
        let addresses = status.and_then(|status| status.addresses.clone()).unwrap_or_default();
        let addresses: Vec<String> = addresses.into_iter().map(|one| one.address).collect();
        let cidrs = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
        let labels = node.metadata.labels.clone().unwrap_or_default();
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let row = |key: &str, value: String| vec![key.to_owned(), value];
        sections.push(Section {
            title: "Node".to_owned(),
            columns: vec!["What", "Value"],
            rows: vec![
                row("Ready", if is_ready(node) { "yes".to_owned() } else { "no".to_owned() }),
                row("Addresses", addresses.join(", ")),
                row("Pod CIDRs", cidrs.join(", ")),
                row("Labels", labels.join(", ")),
            ],
            ..Section::default()
        });
    }
    if let Some(agent) = atlas.agents.iter().flatten().find(|agent| agent.info.node == name) {
        let silences = agent.silences();
        let said: Vec<&str> = agent.info.problems.iter().chain(&silences).map(String::as_str).collect();
        let rows = agent.info.neighbors.iter().map(|neighbor| {
            let asn = if neighbor.asn == 0 { "any".to_owned() } else { neighbor.asn.to_string() };
            vec![
                neighbor.address.to_string(),
                asn,
                neighbor.local_asn.to_string(),
                neighbor.families.join(", "),
            ]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let note = match (said.is_empty(), rows.is_empty()) {
            (true, true) => "no policy makes it speak".to_owned(),
            _ => said.join("; "),
        };
        sections.push(Section {
            title: "Cilium's BGP neighbors".to_owned(),
            note,
            columns: vec!["Neighbor", "AS", "Own AS", "Families"],
            rows,
        });
    }
    let pods = atlas
        .pods
        .iter()
        .flatten()
        .filter(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(name));
    let rows: Vec<Vec<String>> = pods
        .map(|pod| {
            let status = pod.status.clone().unwrap_or_default();
            let addresses: Vec<String> = status.pod_ips.into_iter().flatten().map(|one| one.ip).collect();
            let namespace = pod.metadata.namespace.clone().unwrap_or_default();
            let own = pod.metadata.name.clone().unwrap_or_default();
            vec![format!("{namespace}/{own}"), status.phase.unwrap_or_default(), addresses.join(", ")]
        })
        .collect();
    let note = if rows.is_empty() { "none".to_owned() } else { String::new() };
    sections.push(Section {
        title: "Pods".to_owned(),
        note,
        columns: vec!["Pod", "Phase", "Addresses"],
        rows,
    });
    sections
}
