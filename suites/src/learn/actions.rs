//! A phase, and a whole lab.yaml, as text.
//!
//! What lives here: putting what the fabric shows behind what the phase does. What does not: what the fabric shows.

use fabric_harness::lab::{Lab, LoadedPhase, Manifest};

use super::page::{Line, list, mapping, scalar, write};
use super::seen::Seen;
use super::{packets, routes, sessions};

/// A phase and what was seen at its end; nothing where nothing was looked at.
#[derive(Debug, Clone)]
pub struct LearnedPhase<'a, E> {
    /// The phase.
    pub phase: &'a LoadedPhase<E>,
    /// What was seen.
    pub seen: Option<Seen>,
}

/// A whole lab.yaml.
pub fn lab<E>(lab: &Lab<E>, phases: &[LearnedPhase<'_, E>]) -> String {
    let mut lines = Vec::new();
    let head = format!(
        "Learned from a fabric of {} as it was: what stands here was true then. Read it before you rely on it.",
        lab.name
    );
    let files = &lab.files;
    let path = |path: &std::path::Path| scalar(&path.display().to_string());
    lines.push(Line::new(0, format!("topology: {}", path(&files.topology))));
    if let Some(cluster) = &files.cluster {
        lines.push(Line::new(0, format!("cluster: {}", path(cluster))));
    }
    if let Some(cilium) = &lab.cilium {
        let mut pairs = vec![("version", scalar(&cilium.version))];
        pairs.extend(files.values.as_ref().map(|values| ("values", path(values))));
        lines.push(Line::new(0, format!("cilium: {}", mapping(&pairs))));
    }
    lines.push(Line::new(0, "phases:"));
    for learned in phases {
        lines.extend(of_phase(learned, 1));
    }
    format!("# {head}\n{}", write(&lines))
}

/// One phase, as an entry of `phases:`.
pub fn phase<E>(learned: &LearnedPhase<'_, E>) -> String {
    write(&of_phase(learned, 1))
}

fn of_phase<E>(learned: &LearnedPhase<'_, E>, depth: usize) -> Vec<Line> {
    let phase = learned.phase;
    let mut lines = vec![Line::new(depth, format!("- name: {}", scalar(&phase.name)))];
    let mut add = |text: String| lines.push(Line::new(depth + 1, text));
    if let Some(up) = phase.up.filter(|up| up.as_str() != phase.name) {
        add(format!("up: {}", up.as_str()));
    }
    for (key, manifests) in [("apply", &phase.apply), ("delete", &phase.delete)] {
        let files = files(manifests);
        if !files.is_empty() {
            add(format!("{key}: {}", list(files)));
        }
    }
    for labels in &phase.label {
        let set = labels.set.iter().map(|(key, value)| format!("{}: {}", scalar(key), scalar(value)));
        let all: Vec<String> =
            set.chain(labels.remove.iter().map(|key| format!("{}: null", scalar(key)))).collect();
        add(format!("label: {{ {}: {{ {} }} }}", scalar(&labels.node), all.join(", ")));
    }
    if !phase.run.is_empty() {
        add("run:".to_owned());
        for run in &phase.run {
            let pairs = [("node", scalar(&run.node.value)), ("command", scalar(&run.command.text))];
            lines.push(Line::new(depth + 2, format!("- {}", mapping(&pairs))));
        }
    }
    if let Some(seen) = &learned.seen {
        let expected = expected(seen, depth + 2);
        if !expected.is_empty() {
            lines.push(Line::new(depth + 1, "expect:"));
            lines.extend(expected);
        }
    }
    lines
}

/// The files that manifests stand in, in their order, each once.
fn files(manifests: &[Manifest]) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for manifest in manifests {
        // The place names the file as the user named the lab's folder.
        let name = manifest.at.file.file_name().map(|name| scalar(&name.to_string_lossy()));
        files.extend(name.filter(|name| !files.contains(name)));
    }
    files
}

fn expected(seen: &Seen, depth: usize) -> Vec<Line> {
    let mut lines = packets::cluster(seen, depth);
    let of_sessions = seen.routers.iter().filter_map(|(name, router)| {
        Some(sessions::lines(seen, name, router.sessions.as_deref()?, depth + 1))
    });
    let of_sessions: Vec<Line> = of_sessions.flatten().collect();
    if !of_sessions.is_empty() {
        lines.push(Line::new(depth, "sessions:"));
        lines.extend(of_sessions);
    }
    let of_routes = seen.routers.iter().filter_map(|(name, router)| {
        Some(routes::lines(seen, name, router.rib.as_deref()?, router.fib.as_deref(), depth + 1))
    });
    let of_routes: Vec<Line> = of_routes.flatten().collect();
    if !of_routes.is_empty() {
        lines.push(Line::new(depth, "routes:"));
        lines.extend(of_routes);
    }
    lines.extend(packets::lines(seen, depth));
    lines
}
