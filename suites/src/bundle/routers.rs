//! What a routing daemon says of itself: FRR by vtysh, BIRD by birdc; its configuration, its log.

use fabric_harness::node::{Command, NodeRef};

use super::nodes::{RUN, script};
use super::part::Part;

/// What runs in a node, by the sockets that somebody has there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Daemons {
    pub(super) frr: bool,
    pub(super) bird: bool,
    /// The newest socket of each of GoBGP's folders.
    pub(super) gobgp: Vec<String>,
    /// Cilium's own agent.
    pub(super) cilium: bool,
}

const LOOK: &str = "ls -td /run/frr/*.vty /var/run/frr/*.vty /run/bird/bird.ctl /var/run/bird/bird.ctl /run/bird.ctl \
                    /var/run/cilium/cilium.sock /run/gobgp/*/api-*.sock 2>/dev/null; true";

impl Daemons {
    /// Looks into a node.
    pub(super) async fn of(node: &NodeRef) -> Result<Self, String> {
        let output = node.exec(&Command::new(["sh", "-c", LOOK])).await.map_err(|error| error.to_string())?;
        Ok(Self::read(&output.text()))
    }

    fn read(listed: &str) -> Self {
        let mut found = Self::default();
        let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        for path in listed.lines().map(str::trim) {
            if path.ends_with(".vty") {
                found.frr = true;
            } else if path.ends_with("bird.ctl") {
                found.bird = true;
            } else if path.ends_with("cilium.sock") {
                found.cilium = true;
            } else if !path.is_empty() && !found.gobgp.iter().any(|known| folder(known) == folder(path)) {
                // The newest is listed first: a killed speaker leaves its own behind.
                found.gobgp.push(path.to_owned());
            }
        }
        found
    }
}

/// Files of FRR's, each with what it is and what vtysh is asked.
const FRR: [(&str, &str, &[&str]); 11] = [
    ("running-config.txt", "FRR's configuration as it runs", &["show running-config"]),
    (
        "bgp.txt",
        "sessions, tables and next hops of BGP, for people",
        &[
            "show version",
            "show bgp summary",
            "show bgp ipv4 unicast",
            "show bgp ipv6 unicast",
            "show bgp nexthop",
        ],
    ),
    ("neighbors.txt", "each session in detail, for people", &["show bgp neighbors"]),
    ("sessions.json", "sessions, a few words each", &["show bgp summary json"]),
    ("neighbors.json", "each session in detail", &["show bgp neighbors json"]),
    ("rib-ipv4.json", "BGP's table of IPv4, every path", &["show bgp ipv4 unicast json"]),
    ("rib-ipv6.json", "BGP's table of IPv6, every path", &["show bgp ipv6 unicast json"]),
    ("zebra-ipv4.json", "what zebra makes of the routes of IPv4", &["show ip route vrf all json"]),
    ("zebra-ipv6.json", "what zebra makes of the routes of IPv6", &["show ipv6 route vrf all json"]),
    ("interfaces.json", "interfaces as zebra knows them", &["show interface json"]),
    (
        "policy.txt",
        "route maps, prefix lists, other lists, next hops under watch, where the log goes",
        &[
            "show route-map",
            "show ip prefix-list",
            "show ipv6 prefix-list",
            "show bgp as-path-access-list",
            "show bgp community-list",
            "show ip nht",
            "show ipv6 nht",
            "show bfd peers",
            "show logging",
        ],
    ),
];

const FRR_FILES: &str =
    "for file in /etc/frr/daemons /etc/frr/*.conf; do [ -f \"$file\" ] && run cat \"$file\"; done; true";
const FRR_LOG: &str = "found=; for file in /var/log/frr/*.log /var/log/frr.log /var/tmp/frr/*/crashlog; do [ -f \"$file\" ] && \
                       found=1 && run tail -c 1000000 \"$file\"; done; [ -n \"$found\" ] || { echo 'FRR keeps no log in a \
                       file here, and syslog has no reader: `log file /var/log/frr/frr.log` in its configuration makes \
                       one' >&2; exit 1; }";

/// What is asked of FRR.
pub(super) fn frr(folder: &str, node: &NodeRef) -> Vec<Part> {
    let mut parts = Vec::new();
    for (file, about, asked) in FRR {
        let path = format!("{folder}/frr/{file}");
        if let [only] = asked {
            parts.push(Part::command(path, about, node, &["vtysh", "-c", *only]));
        } else {
            let lines: Vec<String> = asked.iter().map(|line| format!("vtysh -c '{line}'")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            parts.push(Part::script(path, about, node, &lines.join("; "), &script(&lines)));
        }
    }
    let files = [
        ("files.txt", "FRR's files", "cat /etc/frr/daemons /etc/frr/*.conf", FRR_FILES),
        ("log.txt", "the end of FRR's log", "tail /var/log/frr/*.log", FRR_LOG),
    ];
    for (file, about, from, lines) in files {
        parts.push(Part::script(format!("{folder}/frr/{file}"), about, node, from, &format!("{RUN}{lines}")));
    }
    parts
}

const BIRD: [(&str, &str, &[&str]); 3] = [
    (
        "protocols.txt",
        "each session, for people",
        &["birdc show status", "birdc show protocols all", "birdc show interfaces"],
    ),
    (
        "routes.txt",
        "every route in detail, and those that filters held back",
        &["birdc show route all", "birdc show route all filtered"],
    ),
    (
        "files.txt",
        "BIRD's files",
        &["cat /etc/bird/bird.conf", "cat /etc/bird.conf", "tail -c 1000000 /var/log/bird.log"],
    ),
];

/// What is asked of BIRD.
pub(super) fn bird(folder: &str, node: &NodeRef) -> Vec<Part> {
    let part = |(file, about, lines): &(&str, &str, &[&str])| {
        Part::script(format!("{folder}/bird/{file}"), about, node, &lines.join("; "), &script(lines))
    };
    BIRD.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_known_by_its_sockets_and_of_speakers_the_newest() {
        let listed = "/run/gobgp/65010/api-2.sock\n/run/gobgp/65010/api-1.sock\n/run/gobgp/7/api-9.sock\n/run/frr/bgpd.vty\n";
        let found = Daemons::read(listed);
        assert_eq!(found.gobgp, ["/run/gobgp/65010/api-2.sock", "/run/gobgp/7/api-9.sock"]);
        assert!(found.frr && !found.bird && !found.cilium);
        assert_eq!(Daemons::read("\n").gobgp, [""; 0]);
    }
}
