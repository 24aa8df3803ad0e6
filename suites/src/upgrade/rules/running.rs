//! The upgrade itself, and what stands around the fabric: agents that restart, kernels, metrics, other daemons, steps that nothing is
//! known of.

use fabric_harness::cilium::{Promises, newest_known, promises};

use super::super::finding::line;
use super::super::look::fields;
use super::super::{Asked, Finding, Severity};

const RESTARTS: [&str; 2] = ["spec.virtualRouters.[].neighbors.[].gracefulRestart", "spec.gracefulRestart"];

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(not_known(asked));
    findings.extend(skipped(asked));
    if asked.objects.iter().any(|object| object.kind.starts_with("CiliumBGP")) {
        findings.extend(restart(asked));
        findings.extend(families(asked));
        findings.extend(metrics(asked));
    }
    findings.extend(kernel(asked));
    findings.extend(daemons(asked));
    findings
}

fn not_known(asked: &Asked) -> Option<Finding> {
    let newest = newest_known();
    (asked.to.line() > newest).then(|| {
        let what = format!(
            "nothing is known of Cilium {}: what it changes is not said here, and is not nothing",
            asked.to
        );
        Finding::new("not-known", Severity::Changes, asked.to.line(), what)
            .instead(format!("read its upgrade notes; ask here for {} or earlier", line(newest)))
            .source("the version table of this program")
    })
}

fn skipped(asked: &Asked) -> Option<Finding> {
    let (from, to) = (asked.from.line(), asked.to.line());
    let steps = if from.0 == to.0 { to.1.saturating_sub(from.1) } else { to.1 + 1 };
    (steps > 1).then(|| {
        let what = format!(
            "{steps} minor versions in one go: Cilium supports an upgrade, and a way back, by one at a time"
        );
        Finding::new("steps-skipped", Severity::Note, to, what)
            .instead("go through the latest release of each line in between")
            .source("Documentation/operations/upgrade.rst")
            .always()
    })
}

/// Every agent is replaced, and its speaker with it.
fn restart(asked: &Asked) -> Option<Finding> {
    let graceful = |object: &serde_json::Value| {
        let found: Vec<_> = RESTARTS.iter().flat_map(|pattern| fields(object, pattern)).collect();
        found.iter().any(|(_, value)| value.get("enabled").is_some_and(|on| on == true))
    };
    let has = asked.objects.iter().any(|object| graceful(&object.object)) && asked.from.line() >= (1, 14);
    let row: &Promises = promises(&asked.to).ok()?;
    let first = &row.first_connect;
    let what = if has {
        "each agent is replaced, and its sessions end with it; with graceful restart a neighbor keeps the routes for the restart time, if \
         both ends negotiated it"
            .to_owned()
    } else {
        format!(
            "each agent is replaced, and its sessions end with it: a node's routes are gone until the new agent runs and has dialed \
             ({} to {} s after its start)",
            first.min.as_secs_f64(),
            first.max.as_secs_f64()
        )
    };
    let instead = if has {
        "see that the routers are configured as helpers, and that the restart time is longer than an agent's start"
    } else {
        "set `gracefulRestart: { enabled: true }` on both ends before (from 1.14), or drain racks one by one"
    };
    let severity = if has { Severity::Note } else { Severity::Changes };
    Some(
        Finding::new("agents-restart", severity, asked.to.line(), what)
            .instead(instead)
            .source("5596464596; seen on an upgrade in place: sessions end node by node, within 34 s")
            .always(),
    )
}

/// With graceful restart, a family that only one end has delays the routes of the others.
fn families(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    for object in &asked.objects {
        let policy = fields(&object.object, "spec.virtualRouters.[].neighbors.[]");
        let neighbors: Vec<(String, &serde_json::Value)> =
            if object.kind == "CiliumBGPPeerConfig" { fields(&object.object, "spec") } else { policy };
        for (path, neighbor) in neighbors {
            let on = neighbor.pointer("/gracefulRestart/enabled").is_some_and(|on| on == true);
            let said = neighbor
                .get("families")
                .and_then(|families| families.as_array())
                .is_some_and(|all| !all.is_empty());
            if on && !said {
                let what = format!(
                    "`{}` has graceful restart and no families: IPv6 is offered beside IPv4, and after a restart a router may wait for an \
                     End-of-RIB of the one it does not have (FRR: up to 300 s) before it takes routes",
                    object.name
                );
                findings.push(
                    Finding::new("gr-families", Severity::Note, asked.to.line(), what)
                        .of(object, &format!("{path}.gracefulRestart"))
                        .instead("write the `families` that the router has")
                        .source("RFC 4724 section 4.1; bgpd's deferral timer")
                        .always(),
                );
            }
        }
    }
    findings
}

fn metrics(asked: &Asked) -> Option<Finding> {
    asked.crosses((1, 18)).then(|| {
        let what = "metrics of BGP reconciliation have other names from Cilium 1.18 on (`..._reconcile_errors_total`); alerts on the old names \
                    are silent"
            .to_owned();
        Finding::new("metrics-renamed", Severity::Note, (1, 18), what)
            .instead("write alerts for both names before, and take the old ones away after")
            .source("notes of 1.18; pkg/bgp/metrics/metrics.go")
    })
}

fn kernel(asked: &Asked) -> Option<Finding> {
    asked.crosses((1, 18)).then(|| {
        Finding::new(
            "kernel",
            Severity::Note,
            (1, 18),
            "Cilium 1.18 asks for a kernel of 5.10 or later on every node".to_owned(),
        )
        .instead("`kubectl get nodes -o wide` shows each node's kernel")
        .source("notes of 1.18")
    })
}

/// A routing daemon beside Cilium's, on a node.
fn daemons(asked: &Asked) -> Vec<Finding> {
    if !asked.crosses((1, 14)) {
        return Vec::new();
    }
    let each = asked.daemons.iter().map(|at| {
        let what = "a node runs a routing daemon of its own: from Cilium 1.14 on routes of the agent carry another protocol number, and a daemon \
                    that takes over routes of protocol kernel takes over others than before"
            .to_owned();
        Finding::new("proto-kernel", Severity::Changes, (1, 14), what)
            .at(at)
            .instead("look at what the daemon redistributes (`show ip route kernel`) before and after")
            .source("issue 31243")
    });
    each.collect()
}
