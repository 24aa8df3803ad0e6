//! How soon and how often Cilium dials, and what it says when it stops.

use std::time::Duration;

use fabric_harness::cilium::{AgentStop, ConnectRange, Promises, known_lines, promises};

use super::super::finding::line;
use super::super::look::fields;
use super::super::{Asked, Finding, Severity};

/// Where a ConnectRetry time is written, in either API.
const RETRIES: [&str; 2] =
    ["spec.virtualRouters.[].neighbors.[].connectRetryTimeSeconds", "spec.timers.connectRetryTimeSeconds"];

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (Ok(now), Ok(_)) = (promises(&asked.from), promises(&asked.to)) else { return findings };
    if asked.objects.iter().all(|object| !object.kind.starts_with("CiliumBGP")) {
        return findings;
    }
    let mut before = now;
    for row in known_lines().filter(|row| asked.crosses(row.line)) {
        if row.first_connect != before.first_connect {
            findings.push(first_connect(row, before));
        }
        if row.retry != before.retry {
            findings.push(retry(asked, row, before));
        }
        if row.stop != before.stop {
            findings.push(stop(row));
        }
        before = row;
    }
    findings
}

fn first_connect(row: &Promises, before: &Promises) -> Finding {
    let what = format!(
        "after a start, Cilium {} (GoBGP {}) dials for the first time after {}; before, after {}",
        line(row.line),
        row.gobgp,
        range(&row.first_connect),
        range(&before.first_connect)
    );
    Finding::new("first-connect", Severity::Changes, row.line, what)
        .instead(
            "nothing, unless something stands on the delay; the deadlines of `fabric` follow by themselves",
        )
        .source("osrg/gobgp 3a8f4fb0 (in 3.35), pkg/server/fsm.go; measured")
}

fn retry(asked: &Asked, row: &Promises, before: &Promises) -> Finding {
    let written = asked.objects.iter().flat_map(|object| {
        let seconds = RETRIES.iter().flat_map(|pattern| fields(&object.object, pattern));
        seconds.filter_map(|(_, value)| value.as_u64())
    });
    let t = written.min().map_or(Promises::CONNECT_RETRY, Duration::from_secs);
    let what = format!(
        "after a failed attempt, Cilium {} dials again after {}; before, after {} (ConnectRetry {})",
        line(row.line),
        range(&row.retry_range(t)),
        range(&before.retry_range(t)),
        seconds(t)
    );
    Finding::new("retry-range", Severity::Changes, row.line, what)
        .instead("nothing: a session that was missed comes back sooner")
        .source("osrg/gobgp 140fe728 (in 4.0), pkg/server/fsm.go")
}

fn stop(row: &Promises) -> Finding {
    let what = match row.stop {
        AgentStop::Close => format!(
            "an agent of Cilium {} that is stopped closes its connections without a NOTIFICATION: neighbors log a closed connection, not \
             Cease / Peer De-configured",
            line(row.line)
        ),
        AgentStop::Cease => {
            format!("an agent of Cilium {} that is stopped says Cease / Peer De-configured", line(row.line))
        }
    };
    Finding::new("stop-word", Severity::Changes, row.line, what)
        .instead("nothing, unless alerts stand on the word of the NOTIFICATION")
        .source("pull request 25660; measured on 1.12.1 and 1.20-dev")
}

fn range(range: &ConnectRange) -> String {
    let ConnectRange { min, max } = range;
    if min == max {
        seconds(*min)
    } else {
        format!("{} to {}", seconds(*min).trim_end_matches(" s"), seconds(*max))
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
