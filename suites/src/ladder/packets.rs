//! What is to blame for packets that do not arrive: from what the kernels on the way say.
//!
//! What lives here: reading counters and settings, and what a refusal means. What does not: asking the boxes
//! (`run::ladder::packets`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use fabric_harness::router::{FibRoute, Packet, RouteKind, Way};
use fabric_reports::record::{Content, RungName};
use ipnet::IpNet;

use super::routes::{kind_word, word_kind};
use super::{Blame, Proof};

/// A kernel that drops a packet, and all that was asked to find out why.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The box.
    pub node: String,
    /// The packet.
    pub packet: Packet,
    /// What the kernel says of it.
    pub why: String,
    /// The route of the main table that it matches, if any.
    pub matched: Option<(IpNet, FibRoute)>,
    /// Where a packet of the box's own would go to the same target.
    pub own: Way,
    /// By which interface the box would send to the packet's source.
    pub back: Option<Way>,
    /// `rp_filter` and `forwarding` of the interface and of `all`, by path below `/proc/sys/net`.
    pub settings: BTreeMap<String, i64>,
    /// How many packets the kernel has dropped for their source (`IPReversePathFilter`).
    pub reverse_path_drops: Option<u64>,
}

impl Refusal {
    fn setting(&self, of: &str, name: &str) -> Option<i64> {
        let family = if self.packet.to.is_ipv6() { "ipv6" } else { "ipv4" };
        self.settings.get(&format!("{family}/conf/{of}/{name}")).copied()
    }

    /// `rp_filter` as it is in force: the larger of the interface's and of `all` (Linux, ip-sysctl).
    fn reverse_path_filter(&self) -> i64 {
        let of = |name: &str| self.setting(name, "rp_filter").unwrap_or(0);
        of("all").max(self.packet.arrives.as_deref().map_or(0, of))
    }

    fn proof(&self) -> Proof {
        let line = self.packet.by_hand();
        text_proof(&format!("the way of the packet in {}", self.node), &self.node, line, self.why.clone())
    }
}

/// What a refusal comes from: no route that forwards, a source that comes by the wrong way, or forwarding switched off.
pub fn refused(refusal: &Refusal) -> Blame {
    if let Way::Refused { .. } = refusal.own {
        return no_way(refusal);
    }
    if let Some(blame) = wrong_source(refusal) {
        return blame;
    }
    let Refusal { node, packet, why, .. } = refusal;
    let arrives = packet.arrives.clone().unwrap_or_default();
    if refusal.setting(&arrives, "forwarding") == Some(0) {
        let family = if packet.to.is_ipv6() { "ipv6" } else { "ipv4" };
        let line = format!("sysctl net.{family}.conf.{arrives}.forwarding");
        let said = format!("net.{family}.conf.{arrives}.forwarding = 0\n");
        return Blame {
            kind: "not-forwarding",
            rung: RungName::Forwarding,
            title: format!("{node} does not forward what comes in by {arrives}"),
            text: "Forwarding is switched off there.".to_owned(),
            node: Some(node.clone()),
            about: Some(arrives),
            proofs: vec![
                refusal.proof(),
                text_proof(&format!("{node}'s settings"), node, line.clone(), said),
            ],
            next: Some(line),
        };
    }
    let through = if arrives.is_empty() { String::new() } else { format!(" that come in by {arrives}") };
    Blame {
        kind: "packets-refused",
        rung: RungName::Forwarding,
        title: format!("{node}'s kernel drops packets to {}{through}: {why}", packet.to),
        text: "A packet of its own would go on.".to_owned(),
        node: Some(node.clone()),
        about: Some(if arrives.is_empty() { packet.to.to_string() } else { arrives }),
        proofs: vec![refusal.proof()],
        next: Some(packet.by_hand()),
    }
}

/// Nothing leads to the target from there, whoever sends.
fn no_way(refusal: &Refusal) -> Blame {
    let Refusal { node, packet, matched, .. } = refusal;
    let to = packet.to;
    let six = if to.is_ipv6() { "-6 " } else { "" };
    let drops = matched.as_ref().filter(|(_, route)| route.kind != RouteKind::Unicast);
    let (kind, rung, title, text, about) = match drops {
        Some((prefix, route)) => (
            word_kind(route.kind),
            RungName::Forwarding,
            format!("{node} drops packets to {to}: its route to {prefix} is {}", kind_word(route.kind)),
            format!("No more specific route leads there. It was put there by {}.", route.protocol),
            prefix.to_string(),
        ),
        None => (
            "no-route",
            RungName::Kernel,
            format!("{node} has no route to {to}"),
            String::new(),
            to.to_string(),
        ),
    };
    Blame {
        kind,
        rung,
        title,
        text,
        node: Some(node.clone()),
        about: Some(about),
        proofs: vec![refusal.proof()],
        next: Some(format!("ip {six}route")),
    }
}

/// The packet comes in by another way than the one that leads back to its source, and that is filtered.
fn wrong_source(refusal: &Refusal) -> Option<Blame> {
    let Refusal { node, packet, back, .. } = refusal;
    let (arrives, from) = (packet.arrives.clone()?, packet.from?);
    let strict = refusal.reverse_path_filter();
    let dev = match back {
        Some(Way::On { next, .. }) => next.dev.clone(),
        _ => None,
    };
    let drops = match strict {
        1 => dev.as_deref() != Some(arrives.as_str()),
        2 => dev.is_none(),
        _ => false,
    };
    if !drops {
        return None;
    }
    let way = match back {
        Some(Way::On { next, .. }) => format!("leads back {next}"),
        Some(Way::Local { .. }) => "is the box's own".to_owned(),
        _ => "has no route back at all".to_owned(),
    };
    let settings: String =
        refusal.settings.iter().map(|(path, value)| format!("/proc/sys/net/{path} = {value}\n")).collect();
    let counted = refusal.reverse_path_drops.map_or_else(String::new, |count| {
        format!(" Its kernel has dropped {count} packets for this reason (IPReversePathFilter).")
    });
    let shows = format!("sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{arrives}.rp_filter");
    let back_said = format!("{from} {way}\n");
    Some(Blame {
        kind: "rp-filter",
        rung: RungName::Forwarding,
        title: format!("{node}'s reverse path filter drops packets from {from} that come in by {arrives}"),
        text: format!(
            "rp_filter is {strict} there, and {from} {way}: a packet must come in by the way that leads back.{counted}"
        ),
        node: Some(node.clone()),
        about: Some(arrives),
        proofs: vec![
            refusal.proof(),
            text_proof(&format!("{node}'s way back"), node, Packet::to(from).by_hand(), back_said),
            text_proof(&format!("{node}'s settings"), node, shows.clone(), settings),
        ],
        next: Some(shows),
    })
}

/// A piece of evidence that is text, and the line that shows it.
pub fn text_proof(title: &str, node: &str, line: String, text: String) -> Proof {
    let line = (!line.is_empty()).then_some(line);
    Proof { title: title.to_owned(), node: node.to_owned(), line, content: Content::Text(text) }
}

/// A rule that drops packets, and how many it has dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The rule, as `iptables-save` writes it, its table before it: `filter: -A FORWARD -s 10.1.0.0/16 -j DROP`.
    pub text: String,
    /// Its counter of packets.
    pub packets: u64,
}

/// The rules that drop, and the policies of chains that do, of `iptables-save -c`.
pub fn dropping(saved: &str) -> Vec<Rule> {
    let mut table = "";
    let mut rules = Vec::new();
    for line in saved.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        } else if let Some(chain) = line.strip_prefix(':') {
            // `:FORWARD DROP [5:420]`
            let words: Vec<&str> = chain.split_whitespace().collect();
            if let [chain, "DROP", counters] = words.as_slice()
                && let Some(packets) = counted(counters)
            {
                rules.push(Rule { text: format!("{table}: -P {chain} DROP"), packets });
            }
        } else if let Some((counters, rule)) = line.split_once("] ") {
            let words: Vec<&str> = rule.split_whitespace().collect();
            let drops = words.windows(2).any(|two| two[0] == "-j" && matches!(two[1], "DROP" | "REJECT"));
            if drops && let Some(packets) = counted(&format!("{counters}]")) {
                rules.push(Rule { text: format!("{table}: {rule}"), packets });
            }
        }
    }
    rules
}

/// `[5:420]`: packets and bytes.
fn counted(counters: &str) -> Option<u64> {
    counters.strip_prefix('[')?.split_once(':')?.0.parse().ok()
}

/// The rules whose counters have grown, each with by how much.
pub fn grown(before: &[Rule], after: &[Rule]) -> Vec<(Rule, u64)> {
    let more = |rule: &Rule| {
        let was = before.iter().find(|old| old.text == rule.text).map_or(0, |old| old.packets);
        let grown = rule.packets.checked_sub(was).filter(|grown| *grown > 0)?;
        Some((rule.clone(), grown))
    };
    after.iter().filter_map(more).collect()
}

/// A packet filter that dropped what was sent to find out.
pub fn filtered(node: &str, six: bool, rule: &Rule, grown: u64, sent: &str) -> Blame {
    let program = if six { "ip6tables" } else { "iptables" };
    let line = format!("{program}-save -c");
    let said = format!("{}\n{} packets, {grown} more than before {sent}\n", rule.text, rule.packets);
    Blame {
        kind: "packets-filtered",
        rung: RungName::Forwarding,
        title: format!("a packet filter of {node} drops them: {}", rule.text),
        text: format!("Its counter grew by {grown} while {sent} got no answer."),
        node: Some(node.to_owned()),
        about: Some(rule.text.clone()),
        proofs: vec![text_proof(&format!("{node}'s packet filter"), node, line.clone(), said)],
        next: Some(line),
    }
}

/// A box that was told not to answer echo requests.
pub fn echo_ignored(node: &str, target: IpAddr, line: String) -> Blame {
    Blame {
        kind: "icmp-ignored",
        rung: RungName::Icmp,
        title: format!("{node} answers no echo requests: it is told not to"),
        text: format!("{target} is its own, and the way there and back is open."),
        node: Some(node.to_owned()),
        about: Some("icmp_echo_ignore_all".to_owned()),
        proofs: vec![text_proof(&format!("{node}'s settings"), node, line.clone(), "1\n".to_owned())],
        next: Some(line),
    }
}

/// The settings of a box that limit what it says about packets it drops; by name below `/proc/sys/net/ipv4`.
pub fn limited(node: &str, ttl: u8, settings: &BTreeMap<String, i64>) -> Option<Blame> {
    /// ICMP's number for "time exceeded", which is its bit in the mask.
    const TIME_EXCEEDED: i64 = 11;
    let of = |name: &str| settings.get(name).copied();
    let masked = of("icmp_ratemask").is_some_and(|mask| mask & (1 << TIME_EXCEEDED) != 0);
    let per_peer = of("icmp_ratelimit").is_some_and(|limit| limit > 0);
    let overall = of("icmp_msgs_per_sec").is_some_and(|most| most < 10) || of("icmp_msgs_burst") == Some(0);
    if !masked || !(per_peer || overall) {
        return None;
    }
    let line = "sysctl net.ipv4.icmp_ratelimit net.ipv4.icmp_ratemask net.ipv4.icmp_msgs_per_sec".to_owned();
    let said: String = settings.iter().map(|(name, value)| format!("net.ipv4.{name} = {value}\n")).collect();
    let how = if per_peer {
        format!(
            "one answer per {} ms and peer, after a few at once",
            of("icmp_ratelimit").unwrap_or_default()
        )
    } else {
        format!("{} answers per second in all", of("icmp_msgs_per_sec").unwrap_or_default())
    };
    Some(Blame {
        kind: "icmp-limited",
        rung: RungName::Icmp,
        title: format!("{node} limits how often it says that a TTL ran out, and was silent at hop {ttl}"),
        text: format!("Packets get through: hops behind it answered. Its kernel allows {how}."),
        node: Some(node.to_owned()),
        about: Some("icmp_ratelimit".to_owned()),
        proofs: vec![text_proof(&format!("{node}'s settings"), node, line.clone(), said)],
        next: Some(line),
    })
}

/// A link that takes no packets of the size in question.
pub fn too_big(node: &str, dev: &str, mtu: u32, size: u32, sent: Proof) -> Blame {
    let line = format!("ip link show dev {dev}");
    Blame {
        kind: "mtu",
        rung: RungName::Mtu,
        title: format!("packets of {size} bytes do not fit {node}'s {dev}, whose MTU is {mtu}"),
        text: "Small packets get through, and large ones that may not be cut do not.".to_owned(),
        node: Some(node.to_owned()),
        about: Some(dev.to_owned()),
        proofs: vec![
            sent,
            text_proof(&format!("{node}'s {dev}"), node, line.clone(), format!("mtu {mtu}\n")),
        ],
        next: Some(line),
    }
}

/// Numbers that a program printed as `path:value` or `path=value`, by path below `/proc/sys/net`.
pub fn settings(said: &str) -> BTreeMap<String, i64> {
    let read = |line: &str| {
        let (path, value) = line.rsplit_once(':')?;
        Some((path.trim().strip_prefix("/proc/sys/net/")?.to_owned(), value.trim().parse().ok()?))
    };
    said.lines().filter_map(read).collect()
}

/// A counter of `/proc/net/netstat` or `/proc/net/snmp`: names in one line, numbers in the next.
pub fn counter(said: &str, name: &str) -> Option<u64> {
    let lines: Vec<&str> = said.lines().collect();
    lines.windows(2).find_map(|two| {
        let (names, values) = (two.first()?.split_whitespace(), two.get(1)?.split_whitespace());
        let at = names.clone().position(|known| known == name)?;
        // Both lines begin with the same word: else the second is not of the first.
        (two[0].split_whitespace().next() == two[1].split_whitespace().next())
            .then(|| values.clone().nth(at)?.parse().ok())?
    })
}

#[cfg(test)]
#[path = "packets_tests.rs"]
mod tests;
