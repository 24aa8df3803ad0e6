//! The host as it is: what no fabric may change.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A picture of the host's own network and mounts, fact by fact.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host(BTreeMap<String, String>);

impl Host {
    /// Takes the picture. Needs no program but, for root, `iptables-save` and `nft` where they are there.
    pub(crate) fn now() -> Self {
        let mut facts = BTreeMap::new();
        for interface in names("/sys/class/net") {
            for fact in ["address", "mtu", "flags", "operstate", "ifindex"] {
                let path = format!("/sys/class/net/{interface}/{fact}");
                facts.insert(path.clone(), read(&path));
            }
        }
        // Addresses and routes, both families; the second of these has counters in it.
        for path in ["/proc/net/fib_trie", "/proc/net/route", "/proc/net/if_inet6"] {
            facts.insert(path.to_owned(), read(path));
        }
        let routes6: Vec<String> = read("/proc/net/ipv6_route").lines().map(without_counters).collect();
        facts.insert("/proc/net/ipv6_route".into(), routes6.join("\n"));
        for (program, arguments) in [
            ("iptables-save", &[][..]),
            ("ip6tables-save", &[]),
            ("nft", &["--stateless", "list", "ruleset"]),
        ] {
            if nix::unistd::geteuid().is_root()
                && let Ok(output) = Command::new(program).args(arguments).output()
            {
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                // Comments have the time in them, chains their counters.
                let rules = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
                    match line.split_once(" [") {
                        Some((rule, _)) if line.starts_with(':') => rule.to_owned(),
                        _ => line.to_owned(),
                    }
                });
                facts.insert(program.into(), rules.collect::<Vec<_>>().join("\n"));
            }
        }
        // Named namespaces of the host, mounts of ours, and every setting of the network.
        facts.insert("ip netns".into(), names("/run/netns").join(" "));
        let mounts = read("/proc/self/mountinfo");
        let ours: Vec<&str> =
            mounts.lines().filter(|line| line.contains("fabric") || line.contains("nsfs")).collect();
        facts.insert("mounts".into(), ours.join("\n"));
        sysctls(Path::new("/proc/sys/net"), &mut facts);
        Self(facts)
    }

    /// What is not as it was, a line each.
    pub(crate) fn changes(&self, now: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(now.0.keys().filter(|key| !self.0.contains_key(*key)));
        keys.filter(|key| self.0.get(*key) != now.0.get(*key))
            .map(|key| format!("{key}: was {:?}, is {:?}", self.0.get(key), now.0.get(key)))
            .collect()
    }
}

fn read(path: impl AsRef<Path>) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Columns 7 and 8 of a route count its users.
fn without_counters(line: &str) -> String {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let kept =
        columns.iter().enumerate().filter(|(number, _)| !matches!(number, 6 | 7)).map(|(_, column)| *column);
    kept.collect::<Vec<_>>().join(" ")
}

fn sysctls(folder: &Path, facts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sysctls(&path, facts);
        // This one counts the host's connections.
        } else if !path.ends_with("nf_conntrack_count") {
            facts.insert(path.display().to_string(), read(&path));
        }
    }
}
