//! What a node's kernel says of itself, by the programs everybody knows.

use fabric_harness::node::NodeRef;

use super::part::Part;

/// Runs a program and says so; one that is not there is said to be missing, and the next goes on.
pub(super) const RUN: &str = "run() { echo \"# $*\"; if command -v \"$1\" >/dev/null 2>&1; then \"$@\" 2>&1; \
                              else echo \"($1 is not in this node)\"; fi; echo; }; ";

struct Question {
    file: &'static str,
    about: &'static str,
    lines: &'static [&'static str],
}

const INTERFACES: Question = Question {
    file: "interfaces.txt",
    about: "interfaces with counters and addresses, queues, ports of bridges",
    lines: &["ip -s -d address show", "tc -s qdisc show", "bridge -d link show"],
};

const ROUTES: Question = Question {
    file: "routes.txt",
    about: "rules, and the routes of all tables",
    lines: &[
        "ip rule show",
        "ip -6 rule show",
        "ip -d route show table all",
        "ip -6 -d route show table all",
        "ip nexthop show",
    ],
};

const NEIGHBORS: Question = Question {
    file: "neighbors.txt",
    about: "ARP and neighbor discovery, and who is behind which port of a bridge",
    lines: &["ip -s neighbor show", "bridge fdb show"],
};

const SOCKETS: Question =
    Question { file: "sockets.txt", about: "who listens and who is connected", lines: &["ss -tuwanpieom"] };

const COUNTERS: Question = Question {
    file: "counters.txt",
    about: "the kernel's counters of IP, ICMP, TCP and UDP",
    lines: &[
        "cat /proc/net/snmp",
        "cat /proc/net/snmp6",
        "cat /proc/net/netstat",
        "cat /proc/net/dev",
        "cat /proc/net/sockstat",
        "cat /proc/net/sockstat6",
    ],
};

const SETTINGS: Question = Question {
    file: "settings.txt",
    about: "sysctls of forwarding, rp_filter, ICMP, neighbors and paths",
    lines: &[
        "grep -s . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_default_ttl",
        "grep -s . /proc/sys/net/ipv4/conf/*/rp_filter /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv4/conf/*/accept_local /proc/sys/net/ipv4/conf/*/arp_ignore /proc/sys/net/ipv4/conf/*/arp_filter /proc/sys/net/ipv4/conf/*/proxy_arp",
        "grep -s . /proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/disable_ipv6 /proc/sys/net/ipv6/conf/*/accept_ra /proc/sys/net/ipv6/conf/*/mtu",
        "grep -s . /proc/sys/net/ipv4/icmp_echo_ignore_all /proc/sys/net/ipv4/icmp_ratelimit /proc/sys/net/ipv4/icmp_ratemask /proc/sys/net/ipv4/icmp_msgs_per_sec /proc/sys/net/ipv4/icmp_msgs_burst /proc/sys/net/ipv6/icmp/ratelimit /proc/sys/net/ipv6/icmp/echo_ignore_all",
        "grep -s . /proc/sys/net/ipv4/fib_multipath_hash_policy /proc/sys/net/ipv4/fib_multipath_use_neigh /proc/sys/net/ipv6/fib_multipath_hash_policy /proc/sys/net/ipv4/tcp_syn_retries /proc/sys/net/ipv4/tcp_retries2",
    ],
};

const FILTERS: Question = Question {
    file: "filters.txt",
    about: "packet filters with their counters",
    lines: &["iptables-save -c", "ip6tables-save -c", "nft list ruleset"],
};

/// What runs, by `/proc` alone: ps is in few containers.
const PROCESSES: &str = "for process in /proc/[0-9]*; do printf '%s\\t%s\\t' \"${process#/proc/}\" \
                         \"$(cat $process/comm)\"; tr '\\0' ' ' < $process/cmdline; echo; done 2>/dev/null";

/// What is asked of a node with a network namespace of its own.
pub(super) fn of_node(folder: &str, node: &NodeRef) -> Vec<Part> {
    let all = [INTERFACES, ROUTES, NEIGHBORS, SOCKETS, COUNTERS, SETTINGS, FILTERS];
    let mut parts = questions(folder, node, &all);
    parts.push(processes(folder, node));
    parts
}

/// What is asked of a pod.
pub(super) fn of_pod(folder: &str, node: &NodeRef) -> Vec<Part> {
    questions(folder, node, &[INTERFACES, ROUTES, NEIGHBORS, COUNTERS])
}

/// What runs in a node.
pub(super) fn processes(folder: &str, node: &NodeRef) -> Part {
    let file = format!("{folder}/processes.txt");
    Part::script(file, "what runs: pid, name, command line", node, "/proc/*/cmdline", PROCESSES)
}

fn questions(folder: &str, node: &NodeRef, all: &[Question]) -> Vec<Part> {
    let part = |question: &Question| {
        let (path, lines) = (format!("{folder}/{}", question.file), question.lines);
        Part::script(path, question.about, node, &lines.join("; "), &script(lines))
    };
    all.iter().map(part).collect()
}

/// A script that runs lines one after the other, each under its own name.
pub(super) fn script(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|line| format!("run {line}")).collect();
    // The last one's failure is not the script's.
    format!("{RUN}{}; true", lines.join("; "))
}
