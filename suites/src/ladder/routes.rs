//! What is to blame for a route that is not where it should be: from its origin to the kernel that should have it.
//!
//! What lives here: what the facts mean, in words. What does not: finding out where on the way it stops
//! (`run::ladder::routes`).

use fabric_harness::router::{FibRoute, Path, RouteKind, ZebraRoute};
use fabric_reports::record::RungName;
use ipnet::IpNet;

use super::{Blame, Proof};

/// A step of a route's way: from a speaker that has it to a router that should.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// The speaker that has it.
    pub from: &'a str,
    /// What `from` calls its session with `to`.
    pub key: &'a str,
    /// The router that should have it.
    pub to: &'a str,
    /// What `to` calls its session with `from`.
    pub back_key: &'a str,
    /// The prefix, with its name.
    pub prefix: &'a str,
    /// The filters on this way, at the end in question: `prefix-list NO-PODS`.
    pub filters: &'a [String],
}

/// The speaker has the route and does not announce it to the router.
pub fn kept_back(step: &Step<'_>, internal: bool, proofs: Vec<Proof>, next: Option<String>) -> Blame {
    let Step { from, key, to, prefix, filters, .. } = step;
    let (kind, title, text) = if !filters.is_empty() {
        let filters = filters.join(" and ");
        let title = format!("{from}'s {filters} keeps routes from {to}, {prefix} among them");
        ("export-filtered", title, format!("{from} has the route and announces it to others as it should."))
    } else if internal {
        let title = format!("{from} has {prefix} over iBGP, and must not pass it on to {to} over iBGP");
        let text =
            "A speaker passes a route of its own AS on to its AS only as a route reflector (RFC 4456).";
        ("internal-not-passed-on", title, text.to_owned())
    } else {
        let title = format!("{from} does not announce {prefix} to {to}, though it has it");
        ("export-filtered", title, String::new())
    };
    Blame {
        kind,
        rung: RungName::Update,
        title,
        text,
        node: Some((*from).to_owned()),
        about: Some((*key).to_owned()),
        proofs,
        next,
    }
}

/// The route is announced to the router, which does not take it.
pub fn kept_out(step: &Step<'_>, looped: Option<u32>, proofs: Vec<Proof>, next: Option<String>) -> Blame {
    let Step { from, to, back_key, prefix, filters, .. } = step;
    let (kind, title, text) = if let Some(own) = looped {
        let title = format!("{to} refuses {prefix} from {from}: its AS path holds {to}'s own AS {own}");
        ("as-loop", title, "A path with the own AS in it is a loop (RFC 4271, section 9.1.2).".to_owned())
    } else if filters.is_empty() {
        let title = format!("{to} drops {prefix}, which {from} announces to it");
        ("import-filtered", title, format!("No filter for routes from {back_key} was found on {to}."))
    } else {
        let title = format!(
            "{to}'s {} lets no such route in from {from}: {prefix} among them",
            filters.join(" and ")
        );
        ("import-filtered", title, format!("{from} announces it, and {to} has no path to it."))
    };
    Blame {
        kind,
        rung: RungName::Filter,
        title,
        text,
        node: Some((*to).to_owned()),
        about: Some((*back_key).to_owned()),
        proofs,
        next,
    }
}

/// Nobody announces the prefix: the box it belongs to does not.
pub fn not_announced(node: &str, prefix: &str, why: &[String], proofs: Vec<Proof>, next: String) -> Blame {
    Blame {
        kind: "not-announced",
        rung: RungName::Update,
        title: format!("{node} does not announce {prefix}"),
        text: why.join(" "),
        node: Some(node.to_owned()),
        about: Some(prefix.split(' ').next().unwrap_or(prefix).to_owned()),
        proofs,
        next: Some(next),
    }
}

/// The only paths a router has lead by next hops it cannot reach.
pub fn next_hop_unreachable(router: &str, prefix: &str, path: &Path, proof: Proof, next: String) -> Blame {
    let (hop, about) = match path.next_hop() {
        Some(hop) => (hop.ip.to_string(), hop.ip.to_string()),
        None => ("none".to_owned(), prefix.to_owned()),
    };
    Blame {
        kind: "next-hop-unreachable",
        rung: RungName::NextHop,
        title: format!("{router} cannot reach {hop}, the next hop of {prefix} from {}", path.peer),
        text: format!(
            "A path whose next hop has no route is not used: {router} holds it, and marks it invalid."
        ),
        node: Some(router.to_owned()),
        about: Some(about),
        proofs: vec![proof],
        next: Some(next),
    }
}

/// The router has the wanted path and prefers another one.
pub fn not_best(router: &str, prefix: &str, wanted: &Path, best: &Path, proof: Proof, next: String) -> Blame {
    let why = match best.why_best.as_deref() {
        Some(why) => format!(": {why}"),
        None => String::new(),
    };
    Blame {
        kind: "not-best",
        rung: RungName::BestPath,
        title: format!("{router} prefers {}'s path to {prefix} over {}'s{why}", best.peer, wanted.peer),
        text: compared(wanted, best),
        node: Some(router.to_owned()),
        about: Some(prefix.split(' ').next().unwrap_or(prefix).to_owned()),
        proofs: vec![proof],
        next: Some(next),
    }
}

/// What of two paths differs, of the things that decide, in the order in which they do.
fn compared(wanted: &Path, best: &Path) -> String {
    let mut lines = Vec::new();
    let mut line = |what: &str, wanted: String, best: String| {
        if wanted != best {
            lines.push(format!("{what} {wanted}, against {best} of the best path"));
        }
    };
    let pref = |path: &Path| path.local_pref.unwrap_or(100).to_string();
    line("weight", wanted.weight.to_string(), best.weight.to_string());
    line("local preference", pref(wanted), pref(best));
    line("an AS path of length", wanted.as_path.len().to_string(), best.as_path.len().to_string());
    let origin = |path: &Path| path.origin.map_or_else(|| "none".to_owned(), |origin| origin.to_string());
    line("origin", origin(wanted), origin(best));
    line("MED", wanted.med.unwrap_or(0).to_string(), best.med.unwrap_or(0).to_string());
    if lines.is_empty() { String::new() } else { format!("It has {}.", lines.join("; ")) }
}

/// What the daemon that fills the kernel's table says of a prefix that BGP has a best path to, where the kernel has no
/// route of BGP's; `kernel` is what the kernel has instead.
pub fn not_in_kernel(
    router: &str,
    prefix: &str,
    zebra: &[ZebraRoute],
    kernel: Option<&FibRoute>,
    proofs: Vec<Proof>,
    next: String,
) -> Blame {
    let bgp = zebra.iter().find(|route| route.protocol == "bgp");
    let other = zebra.iter().find(|route| route.selected && route.protocol != "bgp");
    let distance = |route: &ZebraRoute| format!("distance {}", route.distance);
    let (kind, title, text) = match (bgp, other, kernel) {
        (_, _, Some(route)) if route.kind != RouteKind::Unicast => {
            let word = kind_word(route.kind);
            let title =
                format!("{router}'s kernel route to {prefix} is {word}, put there by {}", route.protocol);
            (word_kind(route.kind), title, "It wins over BGP's, and drops what matches it.".to_owned())
        }
        (bgp, Some(other), _) => {
            let against =
                bgp.map_or_else(String::new, |bgp| format!(" over BGP's (distance {})", bgp.distance));
            let title = format!(
                "{router} prefers a {} route ({}) to {prefix}{against}",
                other.protocol,
                distance(other)
            );
            ("other-protocol-preferred", title, "The lower administrative distance wins.".to_owned())
        }
        (None, None, _) => {
            let title = format!("{router}'s bgpd has a best path to {prefix} that zebra knows nothing of");
            ("not-in-zebra", title, "bgpd does not install it, or the two do not talk.".to_owned())
        }
        (Some(bgp), None, _) if bgp.installed => {
            let title = format!("{prefix} is gone from {router}'s kernel, and zebra believes it is there");
            let text = "Somebody took it out behind zebra's back, or zebra hears no events of the kernel.";
            ("kernel-lost-route", title, text.to_owned())
        }
        (Some(_), None, _) => {
            let title = format!("{router}'s kernel did not take the route to {prefix}");
            ("kernel-refused-route", title, "zebra has it, and has it marked as not installed.".to_owned())
        }
    };
    Blame {
        kind,
        rung: RungName::Kernel,
        title,
        text,
        node: Some(router.to_owned()),
        about: Some(prefix.split(' ').next().unwrap_or(prefix).to_owned()),
        proofs,
        next: Some(next),
    }
}

/// A daemon that does not answer: `why` is how the question failed.
pub fn daemon_silent(router: &str, daemon: &str, why: &str) -> Blame {
    let proof = Proof {
        title: format!("asking {router}'s {daemon}"),
        node: router.to_owned(),
        line: None,
        content: fabric_reports::record::Content::Text(why.to_owned()),
    };
    Blame {
        kind: "daemon-silent",
        rung: if daemon == "bgpd" { RungName::Update } else { RungName::Kernel },
        title: format!("{router}'s {daemon} does not answer"),
        text: "What it should do since it fell silent is not done.".to_owned(),
        node: Some(router.to_owned()),
        about: Some(daemon.to_owned()),
        proofs: vec![proof],
        next: Some("ps -eo pid,stat,args".to_owned()),
    }
}

/// What such a route is: `its route is a blackhole`.
pub(super) fn kind_word(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Blackhole => "a blackhole",
        RouteKind::Unreachable => "marked unreachable",
        RouteKind::Prohibit => "prohibited",
        RouteKind::Unicast | RouteKind::Other => "of a strange kind",
    }
}

/// The kind of cause that such a route is.
pub(super) fn word_kind(kind: RouteKind) -> &'static str {
    match kind {
        RouteKind::Blackhole => "blackhole",
        RouteKind::Unreachable => "unreachable-route",
        RouteKind::Prohibit => "prohibit-route",
        RouteKind::Unicast | RouteKind::Other => "strange-route",
    }
}

/// True where the router is one that the path has been through already.
pub fn loops(best: &Path, own: u32) -> bool {
    own != 0 && best.as_path.contains(&own)
}

/// A prefix with its name, as titles say it.
pub fn called(prefix: IpNet, name: Option<String>) -> String {
    match name {
        Some(name) if name != prefix.to_string() => format!("{prefix} ({name})"),
        _ => prefix.to_string(),
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
