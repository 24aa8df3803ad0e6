//! The article's lab, up and about to be broken, and what its records must say of it.

use std::path::PathBuf;

use serde_json::Value;

use super::super::support::{Ground, Record, SOON, article, copy, until};

/// The article's lab, up, and a copy of it that does not wait for what will not come.
pub(super) struct Up {
    pub(super) ground: Ground,
    pub(super) lab: PathBuf,
}

impl Up {
    pub(super) fn to(test: &str, phase: &str) -> Option<Self> {
        let ground = Ground::new(test)?;
        ground.run(&["up", article().to_str().unwrap(), "--name", "w", "--to", phase]).code(0);
        let lab = ground.path("quick");
        copy(&article(), &lab);
        let file = lab.join("lab.yaml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        for phase in ["policy", "workload"] {
            let (before, after) = text.split_once(&format!("- name: {phase}")).unwrap();
            let after = after.replacen("expect:\n", "expect:\n      within: 2s\n", 1);
            text = format!("{before}- name: {phase}{after}");
        }
        std::fs::write(&file, text).unwrap();
        Some(Self { ground, lab })
    }

    /// Every check of these names passes.
    #[track_caller]
    pub(super) fn passes(&self, only: &str) {
        self.ground.run(&["test", self.lab.to_str().unwrap(), "--name", "w", "--only", only]).code(0);
    }

    #[track_caller]
    pub(super) fn sh(&self, node: &str, line: &str) {
        self.ground.exec("w", node, &["sh", "-c", line]);
    }

    /// Configures FRR.
    #[track_caller]
    pub(super) fn frr(&self, node: &str, lines: &[&str]) {
        let lines: Vec<&str> = ["conf t"].iter().chain(lines).flat_map(|line| ["-c", *line]).collect();
        self.ground.exec("w", node, &[&["vtysh"], lines.as_slice()].concat());
    }

    /// Waits until a BGP table has a best path to a prefix, or has none.
    #[track_caller]
    pub(super) fn best(&self, node: &str, prefix: &str, there: bool) {
        let seen = until(SOON * 10, || {
            let line = format!("show bgp ipv4 unicast {prefix} json");
            let said = self.ground.exec("w", node, &["vtysh", "-c", &line]);
            let best = said.out.contains("\"overall\":true");
            if best == there { Ok(()) } else { Err(format!("{node}, best path to {prefix}: {best}")) }
        });
        seen.unwrap();
    }

    /// Waits until a kernel's way to an address has a word in it.
    #[track_caller]
    pub(super) fn way(&self, node: &str, to: &str, word: &str) {
        let seen = until(SOON * 10, || {
            let line = format!("ip route get {to} 2>&1; true");
            let said = self.ground.exec("w", node, &["sh", "-c", &line]);
            if said.out.contains(word) { Ok(()) } else { Err(format!("{node} to {to}: {}", said.out)) }
        });
        seen.unwrap();
    }

    /// Judges checks, of which some fail, and has what the record says.
    #[track_caller]
    pub(super) fn judged(&self, only: &str) -> Record {
        let arguments = ["test", self.lab.to_str().unwrap(), "--name", "w", "--only", only];
        let done = self.ground.run(&arguments).code(1);
        assert!(done.err.contains("         Why "), "{}", done.err);
        Record::read(&self.ground.path("target/fabric/latest"))
    }

    /// The pod CIDR of a node, and the address of a pod.
    #[track_caller]
    pub(super) fn pod_cidr(&self, tor: &str, node: &str) -> String {
        let table =
            self.ground.exec("w", tor, &["ip", "-json", "route", "show", "proto", "bgp", "via", node]);
        table.json()[0]["dst"].as_str().unwrap().to_owned()
    }

    pub(super) fn address(&self, pod: &str) -> String {
        let said =
            self.ground.exec("w", pod, &["ip", "-json", "-4", "address", "show", "dev", "eth0"]).json();
        said[0]["addr_info"][0]["local"].as_str().unwrap().to_owned()
    }
}

/// The one cause there is: of this kind, in this box, about this; with evidence, and a line to type.
#[track_caller]
pub(super) fn the_cause<'r>(record: &'r Record, kind: &str, node: &str, about: &str) -> &'r Value {
    let causes = record.0["causes"].as_array().unwrap();
    let told = serde_json::to_string_pretty(causes).unwrap();
    assert_eq!(causes.len(), 1, "{told}");
    of_kind(record, kind, node, about)
}

#[track_caller]
pub(super) fn of_kind<'r>(record: &'r Record, kind: &str, node: &str, about: &str) -> &'r Value {
    let causes = record.0["causes"].as_array().unwrap();
    let told = serde_json::to_string_pretty(causes).unwrap();
    let is = |cause: &&Value| {
        cause["kind"] == kind
            && cause["node"].as_str().unwrap_or_default().ends_with(node)
            && cause["about"].as_str().unwrap_or_default().contains(about)
    };
    let cause =
        causes.iter().find(is).unwrap_or_else(|| panic!("no {kind} of {node} about {about}:\n{told}"));
    assert!(!cause["evidence"].as_array().unwrap().is_empty(), "{told}");
    assert!(!cause["victims"].as_array().unwrap().is_empty(), "{told}");
    cause
}

/// Every check that failed has this cause, and there are so many of them at least.
#[track_caller]
pub(super) fn explains_all(record: &Record, cause: &Value, least: usize) {
    let failed = record.names("failed").len();
    let victims = cause["victims"].as_array().unwrap().len();
    assert!(victims == failed && victims >= least, "{victims} of {failed}: {:#?}", record.names("failed"));
}
