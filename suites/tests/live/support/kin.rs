//! The processes of one test's fabrics, and the network namespaces they are in.
//!
//! A process belongs to a test when it carries the test's mark in its environment or descends from one that does:
//! daemons in a node have a clean environment, but their node's first process has the mark.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Name of the mark in the environment.
pub(crate) const MARK: &str = "FABRIC_LIVE_TEST";

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) command: String,
    parent: i32,
    zombie: bool,
    /// Tells a process from a later one with the same pid.
    started: u64,
    network: Option<String>,
}

/// The processes of one test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kin(BTreeMap<i32, Process>);

impl Kin {
    /// Those that live now and carry the mark, or descend from one that does.
    pub(crate) fn of(mark: &str) -> Self {
        let all = everybody();
        let wanted = format!("{MARK}={mark}");
        let carries = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
        };
        let mut ours: BTreeSet<i32> = all.keys().copied().filter(carries).collect();
        loop {
            let children =
                all.iter().filter(|(pid, process)| ours.contains(&process.parent) && !ours.contains(pid));
            let more: Vec<i32> = children.map(|(pid, _)| *pid).collect();
            if more.is_empty() {
                break;
            }
            ours.extend(more);
        }
        ours.remove(&std::process::id().cast_signed());
        Self(all.into_iter().filter(|(pid, _)| ours.contains(pid)).collect())
    }

    /// Both.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pids of those called so.
    pub(crate) fn named(&self, name: &str) -> Vec<i32> {
        self.0.iter().filter(|(_, process)| process.name == name).map(|(pid, _)| *pid).collect()
    }

    /// The keepers' pids.
    pub(crate) fn keepers(&self) -> Vec<i32> {
        let keeper = |process: &Process| process.command.starts_with("fabric-keeper");
        let all = self.0.iter().filter(|(_, process)| keeper(process));
        // The zygote is a copy of its keeper, command line included.
        all.filter(|(_, one)| !self.0.get(&one.parent).is_some_and(keeper)).map(|(pid, _)| *pid).collect()
    }

    /// Their network namespaces, the host's excepted.
    pub(crate) fn networks(&self) -> BTreeSet<String> {
        let host = network_of("self");
        self.0
            .values()
            .filter_map(|process| process.network.clone())
            .filter(|own| Some(own) != host.as_ref())
            .collect()
    }

    /// What of these is still there: processes, and processes of anybody in their network namespaces.
    pub(crate) fn remains(&self) -> Vec<String> {
        let all = everybody();
        let networks = self.networks();
        let same = |pid: &i32, now: &Process| self.0.get(pid).is_some_and(|then| then.started == now.started);
        // An orphan that is dead waits for the machine's own first process: not ours to hurry.
        let dead = |process: &Process| process.zombie && !self.0.contains_key(&process.parent);
        let inside =
            |process: &Process| process.network.as_ref().is_some_and(|network| networks.contains(network));
        all.iter()
            .filter(|(pid, process)| (same(pid, process) || inside(process)) && !dead(process))
            .map(|(pid, process)| format!("{pid} {} ({})", process.name, process.command))
            .collect()
    }
}

fn everybody() -> BTreeMap<i32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, process(pid)?))).collect()
}

fn process(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `pid (name) state ppid ...`: the name may hold anything, a bracket included.
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Some(Process {
        name: name.to_owned(),
        command: String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned(),
        zombie: fields.first() == Some(&"Z"),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        network: network_of(&pid.to_string()),
    })
}

fn network_of(pid: &str) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/ns/net")).ok()?.to_string_lossy().into_owned())
}
