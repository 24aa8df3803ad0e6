//! An upgrade before it happens, and while it does: the article's lab written for a later Cilium passes on the twin of that version;
//! what goes and comes back when agents are replaced is told with its cause; and so is what does not come back.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::support::{Ground, Record, SOON, article, copy};

#[test]
fn the_articles_lab_written_for_a_later_cilium_passes() {
    let Some(ground) = Ground::new("the_articles_lab_written_for_a_later_cilium_passes") else { return };
    let article = article();
    let (lab, to) = (article.to_str().unwrap(), ground.path("later"));
    let to = to.to_str().unwrap();
    // What breaks is a failed check; what is written is whole all the same.
    let checked = ground.run(&["upgrade", "check", lab, "--to", "1.20.0", "--write", to]).code(1);
    assert!(checked.out.contains("4 nodes speak BGP now, 0 will if nothing is done"), "{}", checked.out);
    assert!(checked.out.contains("+routingMode: native"), "{}", checked.out);
    ground.run(&["test", to, "--fresh"]).code(0);
    // Once more into the same folder: it is left alone.
    let again = ground.run(&["upgrade", "check", lab, "--to", "1.20.0", "--write", to]).code(2);
    assert!(again.err.contains("is there already, and is not empty"), "{}", again.err);
    let matrix =
        ["matrix", lab, "--cilium", "1.18.0,1.19.0", "--migrate", "--only", "policy::routes::router0"];
    let matrix = ground.run(&matrix).code(0);
    assert!(matrix.out.contains("passed on 2 of 2 versions"), "{}", matrix.out);
}

/// The article's lab with one phase more, which goes to a version; the lab's folder.
fn with_upgrade(ground: &Ground, upgrade: &str, expect: &str) -> PathBuf {
    let lab = ground.path("lab");
    copy(&article(), &lab);
    let values = std::fs::read_to_string(lab.join("values.yaml")).unwrap();
    let later = values.replace("tunnel: disabled", "routingMode: native");
    std::fs::write(lab.join("values-later.yaml"), later).unwrap();
    let file = lab.join("lab.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, _) = text.split_once("  - name: withdraw").unwrap();
    std::fs::write(
        &file,
        format!("{before}  - name: upgrade\n    upgrade: {upgrade}\n    expect: {expect}\n"),
    )
    .unwrap();
    lab
}

/// What was away, by the names of the checks that watched it.
fn outages<'r>(record: &'r Record, check: &str) -> &'r Vec<Value> {
    let checks = record.0["checks"].as_array().unwrap();
    let check = checks.iter().find(|one| one["name"] == check).unwrap_or_else(|| panic!("no check {check}"));
    check["seen"]["detail"]["outages"].as_array().unwrap()
}

#[test]
fn two_upgrades_and_the_migration_between_them() {
    let Some(ground) = Ground::new("two_upgrades_and_the_migration_between_them") else { return };
    let lab = article().with_file_name("cilium-bgp-upgrade");
    ground.run(&["test", lab.to_str().unwrap(), "--fresh"]).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    // Each agent's end is told as the cause of what went with it, and everything came back.
    for (phase, from) in [("to-1.18", "1.16.7"), ("to-1.20", "1.18.5")] {
        let budget = if phase == "to-1.18" { "30s" } else { "10s" };
        let name = format!("{phase}::throughout::router0::each prefix is absent for at most {budget}");
        let gone = outages(&record, &name);
        assert_eq!(gone.len(), 4, "the four nodes' pods, once each: {gone:#?}");
        for outage in gone {
            let cause = outage["cause"].as_str().unwrap();
            assert!(cause.contains(&format!("the agent of Cilium {from} is ended")), "{outage}");
            assert!(cause.contains("lost its session with") && outage["back"] == true, "{outage}");
        }
        let name = format!("{phase}::throughout::router0::each session is down for at most {budget}");
        assert!(outages(&record, &name).is_empty(), "routers lose nothing among themselves");
        let name = format!(
            "{phase}::throughout::nettool-1::nettool-2 leaves it without answers for at most {budget}"
        );
        let lost = outages(&record, &name);
        assert!(!lost.is_empty() && lost.iter().all(|gap| gap["back"] == true), "{lost:#?}");
        assert!(lost[0]["cause"].as_str().unwrap().contains("had no route to"), "{lost:#?}");
    }
}

#[test]
fn an_upgrade_that_silences_policies_is_named_as_what_it_is() {
    let Some(ground) = Ground::new("an_upgrade_that_silences_policies_is_named_as_what_it_is") else {
        return;
    };
    let expect = "{ routes: { router0: { count: 12 } }, throughout: { loss: 1s, absent: 1s } }";
    let lab =
        with_upgrade(&ground, "{ to: 1.20.0, values: values-later.yaml, first: agents, at-once: 1 }", expect);
    let begun = std::time::Instant::now();
    ground.run(&["test", lab.to_str().unwrap(), "--only", "upgrade::"]).code(1);
    assert!(begun.elapsed() < SOON * 90, "it waited for what cannot come: {:?}", begun.elapsed());
    let record = Record::read(&ground.path("target/fabric/latest"));
    let causes = record.0["causes"].as_array().unwrap();
    assert_eq!(causes.len(), 1, "{causes:#?}");
    assert_eq!(causes[0]["kind"], "api-not-served");
    assert_eq!(
        causes[0]["title"],
        "Cilium 1.20.0 does not act on CiliumBGPPeeringPolicy: rack0, rack1 are ignored"
    );
    assert!(causes[0]["text"].as_str().unwrap().contains("fabric upgrade check LAB --to 1.20.0 --write DIR"));
    // It explains what did not come back as well.
    assert_eq!(causes[0]["victims"].as_array().unwrap().len(), record.names("failed").len(), "{causes:#?}");
    let text = record.failure("upgrade::routes::router0::rib has 12 prefixes");
    assert!(text.contains("8 of 12 prefixes") && text.contains("waiting does not help"), "{text}");
    let gone = outages(&record, "upgrade::throughout::router0::each prefix is absent for at most 1s");
    assert!(gone.len() == 4 && gone.iter().all(|outage| outage["back"] == false), "{gone:#?}");
    // One after the other, as they were ended.
    let began: Vec<f64> = gone.iter().map(|outage| outage["began_ms"].as_f64().unwrap()).collect();
    assert!(began.windows(2).all(|two| two[0] <= two[1]), "{began:?}");
}

#[test]
fn values_that_the_new_chart_refuses_are_told_before_anything_begins() {
    let Some(ground) = Ground::new("values_that_the_new_chart_refuses_are_told_before_anything_begins")
    else {
        return;
    };
    let lab = with_upgrade(&ground, "{ to: 1.20.0 }", "{ throughout: { absent: 1s } }");
    let refused = ground.run(&["test", lab.to_str().unwrap()]).code(2);
    assert!(refused.err.contains("values.yaml:2:1"), "{}", refused.err);
    assert!(refused.err.contains("the chart of Cilium 1.20 refuses this"), "{}", refused.err);
}

/// A fabric that is up to a phase of the article's lab, and its kubeconfig.
fn up(ground: &Ground, lab: &Path, to: &str) -> String {
    ground.run(&["up", lab.to_str().unwrap(), "--name", "there", "--to", to]).code(0);
    let status = ground.run(&["status", "--name", "there", "--format", "json"]).code(0).json();
    status["kubeconfig"].as_str().unwrap().to_owned()
}

#[test]
fn a_live_cluster_is_asked_what_an_upgrade_would_do_to_it() {
    let Some(ground) = Ground::new("a_live_cluster_is_asked_what_an_upgrade_would_do_to_it") else { return };
    let lab = ground.path("lab");
    copy(&article(), &lab);
    // What helm keeps of a release: JSON, gzipped, in base64 of its own.
    let release = serde_json::json!({ "name": "cilium", "config": { "tunnel": "disabled", "bgpControlPlane": { "enabled": true } } });
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(release.to_string().as_bytes()).unwrap();
    let packed = STANDARD.encode(zip.finish().unwrap());
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": { "name": "sh.helm.release.v1.cilium.v1", "namespace": "kube-system",
                      "labels": { "owner": "helm", "name": "cilium", "version": "1" } },
        "data": { "release": STANDARD.encode(packed) },
    });
    let file = lab.join("cilium-bgp-peering-policies.yaml");
    let policies = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{policies}\n---\n{secret}\n")).unwrap();
    let kubeconfig = up(&ground, &lab, "policy");
    let asked = ["upgrade", "check", "--kubeconfig", &kubeconfig, "--from", "1.12.1", "--to", "1.20.0"];
    let said = ground.run(&asked).code(1).out;
    // The release's values, the objects and the nodes with their labels, each where it is.
    assert!(said.contains("helm get values cilium") && said.contains("tunnel"), "{said}");
    assert!(
        said.contains("ciliumbgppeeringpolicy/rack0") && said.contains("ciliumbgppeeringpolicy/rack1"),
        "{said}"
    );
    assert!(said.contains("4 nodes speak BGP now, 0 will if nothing is done"), "{said}");
    // And nothing was changed by it.
    ground
        .run(&["test", lab.to_str().unwrap(), "--name", "there", "--only", "policy::routes::router0"])
        .code(0);
}

#[test]
fn what_others_brought_up_is_upgraded_by_the_labs_own_command() {
    let Some(ground) = Ground::new("what_others_brought_up_is_upgraded_by_the_labs_own_command") else {
        return;
    };
    let kubeconfig = up(&ground, &article(), "cni");
    let lab = ground.path("theirs");
    copy(&article(), &lab);
    let phases = |command: &str| {
        format!(
            "topology: topo.yaml\ncluster: cluster.yaml\ncilium: {{ version: 1.12.1, values: values.yaml }}\nphases:\n\
             - name: policy\n  apply: [cilium-bgp-peering-policies.yaml]\n  expect: {{ routes: {{ router0: {{ count: 12 }} }}, reach: [{{ from: node/worker, to: \"tor1:lo\", via: native }}] }}\n\
             - name: upgrade\n  upgrade: {{ to: 1.14.5{command} }}\n  expect: {{ routes: {{ router0: {{ count: 12 }} }}, throughout: {{ absent: 5s, loss: 1s }} }}\n"
        )
    };
    let mut line =
        vec!["test", lab.to_str().unwrap(), "--env", "attach", "--allow-apply", "--kubeconfig", &kubeconfig];
    let fabric = env!("CARGO_BIN_EXE_fabric");
    let ways: Vec<String> = ["router0", "tor0", "tor1", "control-plane", "worker", "worker2", "worker3"]
        .map(|node| format!("{node}=exec:{fabric} exec --name there {node} --"))
        .into();
    line.extend(ways.iter().flat_map(|way| ["--router", way.as_str()]));
    // Nobody knows how a cluster of others is upgraded.
    std::fs::write(lab.join("lab.yaml"), phases("")).unwrap();
    let left = ground.run(&line).code(0).err;
    assert!(left.contains("nothing says how this cluster's Cilium goes to 1.14.5"), "{left}");
    let command = ", command: 'echo \"$KUBECONFIG\" > upgraded; sleep 2; exit $(cat code)'";
    std::fs::write(lab.join("lab.yaml"), phases(command)).unwrap();
    std::fs::write(lab.join("code"), "0").unwrap();
    ground.run(&line).code(0);
    let told = std::fs::read_to_string(lab.join("upgraded")).unwrap();
    assert_eq!(told.trim(), kubeconfig, "it runs in the lab's folder, with the cluster's kubeconfig");
    let record = Record::read(&ground.path("target/fabric/latest"));
    let watched = "upgrade::throughout::router0::each prefix is absent for at most 5s";
    assert!(record.names("passed").contains(&watched), "{:?}", record.names("passed"));
    // Nothing gives us sockets there: the node's own ping keeps watch.
    let checks = record.0["checks"].as_array().unwrap();
    let flow = checks.iter().find(|one| {
        one["name"] == "upgrade::throughout::node/worker::tor1 leaves it without answers for at most 1s"
    });
    let seen = &flow.unwrap_or_else(|| panic!("{checks:#?}"))["seen"]["detail"];
    assert_eq!(
        (&seen["every_ms"], &seen["outages"]),
        (&serde_json::json!(200.0), &serde_json::json!([])),
        "{seen}"
    );
    // One that fails is told with its code.
    std::fs::write(lab.join("code"), "7").unwrap();
    let failed = ground.run(&line);
    assert!(failed.err.contains("ended with code 7"), "{}", failed.err);
    assert_ne!(failed.code, 0);
}

/// The lab of the second API, of 1.18.9 and upgraded node by node; what was away from tor0 and tor1, and why.
fn rolled(ground: &Ground, to: &str) -> Vec<Value> {
    let lab = ground.path(&format!("to-{to}"));
    copy(&article().with_file_name("cilium-bgp-v2"), &lab);
    let phases = format!(
        "topology: topo.yaml\ncluster: cluster.yaml\ncilium: {{ version: 1.18.9, values: values.yaml }}\nphases:\n\
         - {{ name: cluster, up: cluster }}\n- {{ name: underlay, up: underlay }}\n- {{ name: cni, up: cni }}\n\
         - {{ name: policy, apply: [bgp.yaml, advertisement.yaml], expect: {{ routes: {{ router0: {{ count: 12 }} }} }} }}\n\
         - name: upgrade\n  upgrade: {{ to: {to}, at-once: 1 }}\n  expect:\n    routes: {{ router0: {{ count: 12 }} }}\n\
         \u{20}   throughout: {{ down: 60s }}\n"
    );
    std::fs::write(lab.join("lab.yaml"), phases).unwrap();
    ground.run(&["test", lab.to_str().unwrap(), "--fresh"]).code(0);
    let record = Record::read(&ground.path("target/fabric/latest"));
    ["tor0", "tor1"]
        .iter()
        .flat_map(|tor| {
            let name = format!("upgrade::throughout::{tor}::each session is down for at most 60s");
            outages(&record, &name).clone()
        })
        .collect()
}

#[test]
fn a_chart_that_takes_rights_from_agents_that_still_run_silences_all_at_once() {
    let Some(ground) =
        Ground::new("a_chart_that_takes_rights_from_agents_that_still_run_silences_all_at_once")
    else {
        return;
    };
    let cause = |outage: &Value| outage["cause"].as_str().unwrap_or_default().to_owned();
    let bad = rolled(&ground, "1.19.3");
    assert!(
        bad.len() == 4 && bad.iter().all(|one| cause(one).contains("take the right to watch")),
        "{bad:#?}"
    );
    // The next release gives it back: each node goes when its turn has come.
    let good = rolled(&ground, "1.19.4");
    assert!(
        good.len() == 4 && good.iter().all(|one| cause(one).contains("the agent of Cilium 1.18.9 is ended")),
        "{good:#?}"
    );
}
