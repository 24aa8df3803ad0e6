//! containerlab's command lines, and what it says of the `exec:` lines it ran.
//!
//! What lives here: the lines and reading its log. What does not: taking its containers over (`crate::world`).

use std::path::Path;
use std::time::Duration;

use super::command::Outside;
use super::limits::Limit;
use super::spec::LabSpec;
use crate::lab::Topology;

/// `containerlab deploy -t topo.yaml`.
pub(crate) fn deploy(program: &Path, spec: &LabSpec, topology: &Topology, lab: &Path) -> Outside {
    let args = ["deploy".to_owned(), "-t".to_owned(), spec.topology_file.display().to_string()];
    let mut images: Vec<&str> = topology.nodes.iter().filter_map(|node| node.image.as_deref()).collect();
    images.sort_unstable();
    images.dedup();
    let mut limit = Limit::of(
        Duration::from_secs(120),
        "containerlab's own limit for one request to the engine",
    )
    .and(Duration::from_secs(10 * topology.nodes.len() as u64), "10 s for each node's start and lines");
    for image in images {
        limit = limit.and_pull(300, image);
    }
    let delays: Duration = topology.nodes.iter().map(|node| node.startup_delay).sum();
    Outside::new(program, args, lab, limit.and(delays, "the lab's startup-delay"))
}

/// `containerlab destroy -t topo.yaml --cleanup`.
pub(crate) fn destroy(program: &Path, spec: &LabSpec, lab: &Path) -> Outside {
    let topology = spec.topology_file.display().to_string();
    let args = ["destroy", "-t", &topology, "--cleanup"];
    Outside::new(
        program,
        args,
        lab,
        Limit::of(Duration::from_secs(120), "containerlab's own limit for one request"),
    )
}

/// An `exec:` line as containerlab's log tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The node, by its name in the topology.
    pub(crate) node: String,
    /// The line, its words with single spaces between them.
    pub(crate) line: String,
    /// Its exit code.
    pub(crate) code: i32,
    /// What it said, as far as the log has it on the same line.
    pub(crate) said: String,
}

/// What containerlab's log tells of the lines it ran: `Executed command "X" on the node "N". stdout:` up to 0.6x, key=value pairs
/// since.
pub(crate) fn ran(log: &[String], topology: &Topology) -> Vec<Ran> {
    log.iter().filter_map(|line| one(line, topology)).collect()
}

fn one(line: &str, topology: &Topology) -> Option<Ran> {
    let (failed, rest) =
        match (line.split_once("Failed to execute command "), line.split_once("Executed command ")) {
            (Some((_, rest)), _) => (true, rest),
            (None, Some((_, rest))) => (false, rest),
            (None, None) => return None,
        };
    let (command, node, after) = match (pair(rest, "command"), pair(rest, "node")) {
        (Some(command), Some(node)) => (command, node, rest),
        _ => quoted(rest)?,
    };
    let code = pair(after, "rc").and_then(|rc| rc.trim_end_matches(',').parse().ok());
    let known =
        topology.nodes.iter().find(|known| known.name == node || topology.container_of(known) == node);
    let said = pair(after, "stderr").or_else(|| pair(after, "stdout")).unwrap_or_default();
    let code = if failed { code.unwrap_or(1) } else { 0 };
    Some(Ran { node: known.map_or(node, |known| known.name.clone()), line: command, code, said })
}

/// `"X" on the node "N". ...`, and with single quotes in the oldest: `'X' on N. ...`.
fn quoted(rest: &str) -> Option<(String, String, &str)> {
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (command, rest) = rest[1..].split_once(&format!("{quote} on "))?;
    let rest = rest.strip_prefix("the node ").unwrap_or(rest);
    let (node, after) = rest.split_once(". ").or_else(|| Some((rest.strip_suffix('.')?, "")))?;
    Some((command.to_owned(), node.trim_matches(['"', '\'']).to_owned(), after))
}

/// The value of `key=`: a word, or a quoted text with escapes.
fn pair(text: &str, key: &str) -> Option<String> {
    let wanted = format!("{key}=");
    let at = text.match_indices(&wanted).map(|(at, _)| at);
    let at = at.into_iter().find(|at| *at == 0 || text[..*at].ends_with(' '))?;
    let value = &text[at + wanted.len()..];
    let Some(inside) = value.strip_prefix('"') else {
        return Some(value.split(' ').next().unwrap_or_default().to_owned());
    };
    let mut plain = String::new();
    let mut chars = inside.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return Some(plain),
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                other => plain.extend(other),
            },
            other => plain.push(other),
        }
    }
    Some(plain)
}

#[cfg(test)]
#[path = "containerlab_tests.rs"]
mod tests;
