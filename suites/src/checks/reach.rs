//! Judging whether packets arrive, and with which TTL.

use fabric_harness::probe::{PingFault, PingReport};

use super::verdict::{Verdict, listed};
use crate::expect::{Prober, Symbol, WantedFamily};

/// What one check wants of a ping.
#[derive(Debug, Clone, PartialEq)]
pub struct ReachSpec {
    /// Who sends.
    pub from: Symbol,
    /// Who answers.
    pub to: Symbol,
    /// In which family; that of the first address of `to` when not said.
    pub family: Option<WantedFamily>,
    /// The TCP port to connect to, instead of pinging.
    pub port: Option<u16>,
    /// How large each request is as a packet that may not be cut, in bytes, headers included.
    pub size: Option<u16>,
    /// Who probes.
    pub prober: Prober,
    /// Requests per attempt.
    pub count: u32,
    /// The fact.
    pub fact: ReachFact,
}

/// One fact of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReachFact {
    /// Answers come, and no more than this many of a hundred are lost.
    Reaches {
        /// Allowed loss in percent.
        loss: u8,
    },
    /// No request is answered.
    Silence,
    /// Every answer arrives with one of these TTLs, all with the same.
    Ttl(Vec<u8>),
}

/// Judges one fact.
pub fn judge_reach(spec: &ReachSpec, seen: &PingReport) -> Verdict {
    let subject = format!("{} to {}", spec.from.short(), spec.to.short());
    let (sent, received) = (seen.sent, seen.received);
    let mut lines = Vec::new();
    if sent == 0 {
        lines.push("no request was sent, so nothing is known".to_owned());
    }
    let answers = format!("{received} of {sent} requests answered");
    let (expected, phrase) = match &spec.fact {
        ReachFact::Reaches { loss } => {
            let lost = sent.saturating_sub(received);
            if u32::from(lost) * 100 > u32::from(*loss) * u32::from(sent) || received == 0 {
                lines.push(format!("{lost} of {sent} requests got no answer"));
                lines.extend(instead(&seen.errors));
            }
            let expected = match loss {
                0 => "every request answered".to_owned(),
                some => format!("at most {some} % of the requests lost"),
            };
            (expected, answers)
        }
        ReachFact::Silence => {
            if received > 0 {
                lines.push(format!("{received} of {sent} requests were answered"));
            }
            ("no request answered".to_owned(), answers)
        }
        ReachFact::Ttl(wanted) => {
            let mut kinds: Vec<u8> = seen.replies.iter().filter_map(|reply| reply.ttl).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let wrong: Vec<u8> = kinds.iter().copied().filter(|ttl| !wanted.contains(ttl)).collect();
            let wanted = listed(wanted.iter().map(u8::to_string)).replace(" and ", " or ");
            if kinds.is_empty() {
                lines.push("no answer arrived, so there is no TTL".to_owned());
            } else if !wrong.is_empty() {
                let wrong = listed(wrong.iter().map(u8::to_string));
                lines.push(format!("answers arrived with TTL {wrong}, not {wanted}"));
            } else if kinds.len() > 1 {
                let kinds = listed(kinds.iter().map(u8::to_string));
                lines.push(format!("answers arrived with different TTLs: {kinds}; they took different ways"));
            }
            (format!("TTL {wanted}"), format!("TTL {}", listed(kinds.iter().map(u8::to_string))))
        }
    };
    Verdict::of(&subject, expected, phrase, lines).detail(seen)
}

/// What came instead of answers, each said once.
fn instead(errors: &[PingFault]) -> Vec<String> {
    let mut lines: Vec<String> = errors
        .iter()
        .map(|fault| match fault.from {
            Some(from) => format!("instead: {} from {from}", fault.error),
            None => format!("instead: {}", fault.error),
        })
        .collect();
    lines.sort();
    lines.dedup();
    lines
}
