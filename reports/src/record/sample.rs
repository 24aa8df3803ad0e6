//! Records of runs that did not happen, for the tests of every face.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::*;
use crate::times::{Interval, split};

pub(crate) fn started() -> DateTime<Utc> {
    "2026-11-23T07:00:00Z".parse().unwrap()
}

pub(crate) fn environment() -> Environment {
    Environment {
        env: Kind::Twin,
        runtime: Runtime::Netns,
        cluster: Cluster::Twin,
        rootless: true,
        kernel: "6.1.0".into(),
        distro: "Debian GNU/Linux 12 (bookworm)".into(),
        cpus: 2,
        versions: [("frr", "8.4.4"), ("gobgp", "3.10.0"), ("cilium", "1.12.1 (modelled)")]
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .into(),
        notes: vec!["the eBPF datapath, network policy and services' load balancing are not modelled".into()],
    }
}

pub(crate) fn check(phase: &str, kind: &str, node: &str, what: &str, verdict: Verdict) -> Check {
    Check {
        name: format!("{phase}::{kind}::{node}::{what}"),
        phase: phase.into(),
        kind: kind.into(),
        node: Some(node.into()),
        verdict,
        reason: None,
        started_ms: 600.0,
        duration_ms: 2_200.5,
        waited_ms: 2_100.0,
        written_at: Some(Place { file: "fixtures/cilium-bgp/lab.yaml".into(), line: 33, column: 11 }),
        deadline: Some(Deadline::of([("unnumbered session", 5_000.0), ("margin", 1_000.0)])),
        expected: json!({"count": 8}),
        seen: json!({"count": 8}),
        evidence: vec![Evidence {
            title: format!("{node}'s BGP table"),
            command: Some(format!("fabric exec {node} -- vtysh -c 'show bgp ipv4 unicast json'")),
            content: Content::Json(json!({"routes": {"10.0.0.0/32": []}})),
            taken_ms: 2_800.0,
        }],
        failure: None,
        next_command: None,
        ladder: vec![],
        cause: None,
        paths: vec![],
    }
}

pub(crate) fn topology() -> Topology {
    let node = |name: &str, asn, role| Node { name: name.into(), asn, role, ..Node::default() };
    let end = |node: &str, interface: &str| LinkEnd { node: node.into(), interface: interface.into() };
    Topology {
        nodes: vec![
            node("router0", Some(65_000), Role::Router),
            node("tor0", Some(65_010), Role::Router),
            node("tor1", Some(65_011), Role::Router),
        ],
        links: vec![
            Link { ends: [end("router0", "net0"), end("tor0", "net0")] },
            Link { ends: [end("router0", "net1"), end("tor1", "net0")] },
        ],
    }
}

pub(crate) fn passed() -> Record {
    let step = |name: &str, phase: &str, started_ms, duration_ms, detail: &str| Step {
        name: name.into(),
        phase: phase.into(),
        started_ms,
        duration_ms,
        detail: detail.into(),
        ok: true,
        output: Vec::new(),
    };
    let phase = |name: &str, actions: &[&str], started_ms, duration_ms| Phase {
        name: name.into(),
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
        started_ms,
        duration_ms,
        protocol_ms: duration_ms * 0.875,
        reached: true,
        unreached_reason: None,
    };
    let waits = [
        Interval { what: "unnumbered sessions".into(), from_ms: 600.0, to_ms: 2_800.0, protocol: true },
        Interval { what: "GoBGP's first connect".into(), from_ms: 3_000.0, to_ms: 12_200.0, protocol: true },
    ];
    Record {
        schema_version: SCHEMA_VERSION,
        tool_version: "0.1.0".into(),
        run_id: "20261123T070000000-0a1b2c3d".into(),
        lab: Lab {
            name: "cilium-bgp-lab".into(),
            dir: "fixtures/cilium-bgp".into(),
            content: None,
            description: "A spine, two ToRs, a cluster of four nodes.".into(),
            cilium: None,
        },
        environment: environment(),
        started: started(),
        finished: at(started(), 12_410.0),
        duration_ms: 12_410.0,
        outcome: Outcome::Passed,
        exit_code: 0,
        error: None,
        warnings: vec![],
        left_out: vec![],
        topology: Some(topology()),
        causes: vec![],
        bundle: None,
        steps: vec![
            step("namespaces", "bring-up", 0.0, 80.25, "7 nodes"),
            step("links", "bring-up", 80.25, 90.0, "6 veth pairs"),
            step("everything", "teardown", 12_380.0, 30.0, "nothing left behind"),
        ],
        phases: vec![
            phase("underlay", &[], 170.0, 2_630.0),
            phase("policy", &["apply cilium-bgp-peering-policies.yaml"], 2_800.0, 9_560.0),
        ],
        checks: vec![
            check("underlay", "sessions", "router0", "net0 is established", Verdict::Passed),
            check("underlay", "routes", "router0", "rib has the 8 prefixes", Verdict::Passed),
            check("policy", "routes", "router0", "rib has the 12 prefixes", Verdict::Passed),
        ],
        events: vec![Moment {
            ms: 2_700.0,
            source: "router0".into(),
            what: "net0: Established".into(),
            of: None,
        }],
        states: vec![State {
            ms: 2_800.0,
            when: "end of phase underlay".into(),
            node: "router0".into(),
            kind: "sessions".into(),
            json: json!({"net0": {"state": "Established"}}),
        }],
        times: split(&waits, 12_410.0),
    }
}

/// One check failed, one was skipped, and the last phase was never reached.
pub(crate) fn failed() -> Record {
    let mut record = passed();
    record.outcome = Outcome::Failed;
    record.exit_code = 1;
    record.warnings.push("topo.yaml:12:5: `startup-delay` is not honoured by the netns runtime".into());
    let culprit = &mut record.checks[2];
    culprit.verdict = Verdict::Failed;
    culprit.started_ms = 2_900.0;
    culprit.duration_ms = 9_400.0;
    culprit.expected = json!({"count": 12, "prefixes": ["10.1.0.0/24", "10.1.1.0/24"]});
    culprit.seen = json!({"count": 9});
    culprit.failure = Some(
        "router0's RIB has 9 of 12 prefixes after 9.4 s\n\nmissing: 10.1.1.0/24, 10.1.2.0/24, 10.1.3.0/24\n\
         tor1 <-> 10.0.4.2: Active, TCP refused: nothing listens on 10.0.4.2:179"
            .into(),
    );
    culprit.next_command = Some("fabric exec tor1 -- vtysh -c 'show bgp neighbors 10.0.4.2'".into());
    culprit.evidence.push(Evidence {
        title: "tor1's log".into(),
        command: None,
        content: Content::Text(
            "\u{1b}[31mBGP\u{1b}[0m: 10.0.4.2\tconnect refused & <dropped> ]]>\u{0}\u{ffff}\r\n".into(),
        ),
        taken_ms: 12_300.0,
    });
    culprit.ladder = vec![
        Rung { name: RungName::Link, standing: Standing::Holds, seen: "tor1's net1 is up".into() },
        Rung {
            name: RungName::Tcp,
            standing: Standing::Broken,
            seen: "10.0.4.2 refuses connections to port 179".into(),
        },
    ];
    culprit.cause = Some("c1".into());
    record.causes.push(Cause {
        id: "c1".into(),
        kind: "peer-not-listening".into(),
        rung: RungName::Tcp,
        title: "nothing listens on 10.0.4.2:179".into(),
        text: "tor1 dials it, and the kernel of worker3 answers with a reset.".into(),
        node: Some("worker3".into()),
        about: Some("10.0.4.2".into()),
        evidence: vec![Evidence {
            title: "worker3's sockets".into(),
            command: Some("fabric exec worker3 -- ss -tln".into()),
            content: Content::Text("State Local\n".into()),
            taken_ms: 12_300.0,
        }],
        next_command: Some("fabric exec worker3 -- ss -tln".into()),
        victims: vec![culprit.name.clone()],
    });
    record.swap_first_and_culprit();
    let mut skipped = check("policy", "routes", "tor0", "fib has the 12 prefixes", Verdict::Skipped);
    skipped.reason = Some("filtered out".into());
    record.checks.push(skipped);
    let unreached = "kubectl apply of nettool.yaml: nettool.yaml:3:1: no such kind `Podd`; write `Pod`";
    for what in ["nettool-1 reaches nettool-2", "nettool-2 reaches nettool-1"] {
        let mut check = check("workload", "reach", "nettool-1", what, Verdict::NotRun);
        check.reason = Some(format!("phase workload was not reached: {unreached}"));
        (check.duration_ms, check.waited_ms, check.evidence) = (0.0, 0.0, vec![]);
        record.checks.push(check);
    }
    record.phases.push(Phase {
        name: "workload".into(),
        actions: vec!["apply nettool.yaml".into()],
        started_ms: 12_360.0,
        duration_ms: 4.0,
        protocol_ms: 0.0,
        reached: false,
        unreached_reason: Some(unreached.into()),
    });
    record
}

impl Record {
    /// Puts the failed check first, so that tests find it at a known place.
    fn swap_first_and_culprit(&mut self) {
        self.checks.swap(0, 2);
    }
}

pub(crate) fn bring_up_failed() -> Record {
    let mut record = passed();
    record.outcome = Outcome::BringUpFailed;
    record.exit_code = Outcome::BringUpFailed.exit_code();
    record.error = Some(Failure {
        phase: "router0: exec lines".into(),
        text: "router0: `usr/lib/frr/frrinit.sh start` exited with 1: bgpd: no such file\n\
               install FRR, or let fabric fetch it: fabric doctor"
            .into(),
    });
    record.steps[1].ok = false;
    record.steps[1].detail = "bgpd: no such file".into();
    record.phases.clear();
    record.events.clear();
    record.states.clear();
    record.times = split(&[], 412.0);
    record.duration_ms = 412.0;
    record.finished = at(started(), 412.0);
    for check in &mut record.checks {
        check.verdict = Verdict::NotRun;
        check.reason = Some("the fabric could not be brought up".into());
        (check.started_ms, check.duration_ms, check.waited_ms) = (412.0, 0.0, 0.0);
        check.evidence.clear();
    }
    record
}
