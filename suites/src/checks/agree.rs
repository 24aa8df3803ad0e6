//! Judging whether a sender's own `ping` and `traceroute` say the same as the probes sent for it: two ways to look at
//! one thing, so that neither can be wrong unnoticed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Deref;

use fabric_harness::probe::{PingReport, TraceReport};
use serde_json::json;

use super::flows::together;
use super::verdict::{Verdict, listed};
use crate::expect::{Resolver, Symbol, WantedFamily, known_as};

/// Two probes of one thing that must agree.
#[derive(Debug, Clone, PartialEq)]
pub struct AgreeSpec {
    /// Who sends.
    pub from: Symbol,
    /// Where to.
    pub to: Symbol,
    /// In which family; that of the first address of `to` when not said.
    pub family: Option<WantedFamily>,
    /// By which probe.
    pub on: AgreeOn,
}

/// The probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreeOn {
    /// `ping`: both reach or neither does, and answers arrive with the same TTL.
    Ping {
        /// Requests per attempt, each.
        count: u32,
    },
    /// `traceroute`: the same responders at the same distances.
    Trace {
        /// How many flows are traced natively: the program's own may take the way of any.
        flows: u16,
    },
}

impl AgreeSpec {
    fn subject(&self) -> String {
        format!("{} to {}", self.from.short(), self.to.short())
    }
}

/// Judges two pings.
pub fn judge_pings_agree(spec: &AgreeSpec, native: &PingReport, own: &PingReport) -> Verdict {
    let mut lines = Vec::new();
    if native.sent == 0 || own.sent == 0 {
        lines.push("one of the two sent nothing, so they cannot agree".to_owned());
    }
    if (native.received == 0) != (own.received == 0) {
        lines.push(format!(
            "{} of {} were answered natively, {} of {} of its own",
            native.received, native.sent, own.received, own.sent
        ));
    }
    let ttls = |report: &PingReport| -> BTreeSet<u8> {
        report.replies.iter().filter_map(|reply| reply.ttl).collect()
    };
    let (here, there) = (ttls(native), ttls(own));
    let text = |ttls: &BTreeSet<u8>| listed(ttls.iter().map(u8::to_string));
    // Some programs print no TTL: nothing to compare then.
    if !here.is_empty() && !there.is_empty() && here != there {
        lines.push(format!(
            "answers arrive with TTL {} natively, with TTL {} of its own",
            text(&here),
            text(&there)
        ));
    }
    let seen = format!("TTL {} natively, TTL {} of its own", text(&here), text(&there));
    let detail = json!({ "native": native, "own": own });
    Verdict::of(&spec.subject(), "the same from both pings", seen, lines).detail(&detail)
}

/// Judges the traces of the native flows and one of its own.
pub fn judge_traces_agree<T: Deref<Target = TraceReport>>(
    spec: &AgreeSpec,
    native: &[T],
    own: &TraceReport,
    resolver: &dyn Resolver,
) -> Verdict {
    let mut lines = Vec::new();
    let Some(native) = together(native) else {
        let lines = vec!["nothing was traced natively".to_owned()];
        return Verdict::of(&spec.subject(), "the same hops from both traceroutes", "nothing", lines);
    };
    if native.hops.is_empty() || own.hops.is_empty() {
        lines.push("one of the two saw no hop, so they cannot agree".to_owned());
    }
    let at = |report: &TraceReport, ttl: u8| -> Vec<IpAddr> {
        report
            .hops
            .iter()
            .filter(|hop| hop.ttl == ttl)
            .flat_map(fabric_harness::probe::Hop::responders)
            .collect()
    };
    let text = |all: &[IpAddr]| match all {
        [] => "nobody".to_owned(),
        some => listed(some.iter().map(|address| known_as(resolver, *address))),
    };
    let ttls: BTreeSet<u8> = native.hops.iter().chain(&own.hops).map(|hop| hop.ttl).collect();
    for ttl in ttls {
        let (here, there) = (at(&native, ttl), at(own, ttl));
        // Where paths are spread, each probe may see another of the responders.
        let agree =
            here.iter().any(|address| there.contains(address)) || (here.is_empty() && there.is_empty());
        if !agree {
            lines.push(format!(
                "TTL {ttl}: {} answers natively, {} answers its own",
                text(&here),
                text(&there)
            ));
        }
    }
    if native.reached != own.reached {
        let who = if native.reached { "the native one alone" } else { "its own alone" };
        lines.push(format!("{who} reaches {}", spec.to));
    }
    let seen = format!("{} hops natively, {} of its own", native.hops.len(), own.hops.len());
    let detail = json!({ "native": native, "own": own });
    Verdict::of(&spec.subject(), "the same hops from both traceroutes", seen, lines).detail(&detail)
}
