//! The ways that packets took, as the record has them: who answered, hop by hop, with names.

use std::net::IpAddr;

use fabric_harness::probe::{ConnectReport, PingReport, TraceReport};
use fabric_reports::record::{Hop, Path};

use super::super::atlas::Atlas;

/// What senders set a TTL to: 64 (Linux, RFC 1700), 128, 255.
const FIRST_TTLS: [u8; 3] = [64, 128, 255];

fn owner(atlas: &Atlas, address: IpAddr) -> String {
    atlas.owner(address).unwrap_or_else(|| address.to_string())
}

fn ms(rtt: Option<std::time::Duration>) -> Option<f64> {
    rtt.map(|rtt| (rtt.as_secs_f64() * 1e6).round() / 1e3)
}

/// The way a trace showed.
pub(in crate::run) fn by_trace(atlas: &Atlas, from: &str, report: &TraceReport) -> Path {
    let hops = report.hops.iter().flat_map(|hop| {
        let answered: Vec<Hop> = hop
            .responders()
            .into_iter()
            .map(|address| Hop {
                ttl: hop.ttl,
                address: Some(address.to_string()),
                node: atlas.owner(address),
                rtt_ms: ms(hop.rtt.filter(|_| hop.responder == Some(address))),
            })
            .collect();
        if answered.is_empty() { vec![Hop { ttl: hop.ttl, ..Hop::default() }] } else { answered }
    });
    Path { from: from.to_owned(), to: owner(atlas, report.to), hops: hops.collect() }
}

/// What a ping shows of a way: its end.
pub(in crate::run) fn by_ping(atlas: &Atlas, from: &str, report: &PingReport) -> Path {
    let last = report.replies.last().and_then(|reply| {
        let first = FIRST_TTLS.into_iter().find(|first| Some(*first) >= reply.ttl)?;
        Some(Hop {
            ttl: (first - reply.ttl?).saturating_add(1),
            address: Some(reply.from.to_string()),
            node: atlas.owner(reply.from),
            rtt_ms: ms(reply.rtt),
        })
    });
    Path { from: from.to_owned(), to: owner(atlas, report.to), hops: last.into_iter().collect() }
}

/// What connections show of a way: its ends.
pub(in crate::run) fn by_connection(atlas: &Atlas, from: &str, report: &ConnectReport) -> Path {
    Path { from: from.to_owned(), to: owner(atlas, report.to.ip()), hops: Vec::new() }
}
