//! Cilium that is told wrong things, or none: what is to blame is the policy, the node, or the pod.

use super::super::support::{Ground, Record, article, copy, impatient};
use super::of;

const POLICIES: &str = r#"
apiVersion: cilium.io/v2alpha1
kind: CiliumBGPPeeringPolicy
metadata: { name: typo }
spec:
  nodeSelector: { matchLabels: { rack: rack9 } }
  virtualRouters: [{ localASN: 65010, neighbors: [{ peerAddress: 10.0.0.1/32, peerASN: 65010 }] }]
---
apiVersion: cilium.io/v2alpha1
kind: CiliumBGPPeeringPolicy
metadata: { name: elsewhere }
spec:
  nodeSelector: { matchLabels: { speaks: elsewhere } }
  virtualRouters: [{ localASN: 65010, neighbors: [{ peerAddress: 10.0.0.99/32, peerASN: 65010 }] }]
---
apiVersion: cilium.io/v2alpha1
kind: CiliumBGPPeeringPolicy
metadata: { name: number }
spec:
  nodeSelector: { matchLabels: { rack: rack1 } }
  virtualRouters: [{ localASN: 65011, neighbors: [{ peerAddress: 10.0.0.2/32, peerASN: 65099 }] }]
"#;

const LAB: &str = "
topology: topo.yaml
cluster: cluster.yaml
cilium: { version: 1.12.1, values: values.yaml }
phases:
- { name: cluster, up: cluster }
- { name: underlay, up: underlay }
- { name: cni, up: cni }
- name: told
  apply: [policies.yaml, nettool.yaml]
  expect:
    within: 4s
    sessions:
      tor0: { 10.0.1.2: established, 10.0.2.2: established }
      tor1: { 10.0.3.2: established, 10.0.4.2: { state: established, hold: 9s, received: 1 } }
    pods: { nettool-2: { phase: Running } }
";

#[test]
fn what_cilium_is_told_is_told_apart() {
    let Some(ground) = Ground::new("what_cilium_is_told_is_told_apart") else { return };
    let lab = ground.path("told");
    copy(&article(), &lab);
    std::fs::write(lab.join("lab.yaml"), LAB).unwrap();
    std::fs::write(lab.join("policies.yaml"), POLICIES).unwrap();
    let change = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(lab.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(lab.join(file), text.replacen(from, to, 1)).unwrap();
    };
    // The second node of rack 0 is elsewhere's, the first of rack 1 is nobody's.
    let at = "node-ip: 10.0.2.2\n        node-labels: \"rack=rack0\"";
    change("cluster.yaml", at, "node-ip: 10.0.2.2\n        node-labels: \"speaks=elsewhere\"");
    let at = "node-ip: 10.0.3.2\n        node-labels: \"rack=rack1\"";
    change("cluster.yaml", at, "node-ip: 10.0.3.2\n        node-labels: \"shelf=rack1\"");
    change("nettool.yaml", "rack: rack1", "rack: rack7");
    ground.run(&["test", lab.to_str().unwrap(), "--only", "told::"]).code(1);
    let record = Record::read(&ground.path("target/fabric/latest"));
    let worker2 = "clab-bgp-cplane-demo-worker2";
    let typo = "CiliumBGPPeeringPolicy/typo";
    let elsewhere = "CiliumBGPPeeringPolicy/elsewhere";
    let number = "CiliumBGPPeeringPolicy/number";
    for (check, kind, node, about) in [
        ("sessions::tor0::10.0.1.2 is established", "policy-selects-no-node", None, Some(typo)),
        ("sessions::tor0::10.0.2.2 is established", "wrong-peer-address", None, Some(elsewhere)),
        ("sessions::tor1::10.0.3.2 is established", "node-not-labelled", Some(worker2), Some("rack")),
        ("sessions::tor1::10.0.4.2 is established", "wrong-as", None, Some(number)),
        ("sessions::tor1::10.0.4.2 negotiated hold 9 s", "wrong-as", None, Some(number)),
        ("sessions::tor1::10.0.4.2 gives 1 IPv4 prefix", "wrong-as", None, Some(number)),
        ("pods::nettool-2::is Running", "pod-not-scheduled", None, Some("default/nettool-2")),
    ] {
        let name = format!("told::{check}");
        let wanted = (kind.to_owned(), node.map(str::to_owned), about.map(str::to_owned));
        let text = record.failure(&name);
        assert_eq!(of(&record, &name), Some(wanted), "{name}\n{text}");
    }
    let all = record.0["causes"].as_array().unwrap();
    assert_eq!(all.len(), 5, "one cause explains its victims once: {all:#?}");
    for cause in all {
        let next = cause["next_command"].as_str().unwrap();
        assert!(next.contains("kubectl "), "{next}");
    }
}

#[test]
fn a_router_that_does_not_listen() {
    let Some(ground) = Ground::new("a_router_that_does_not_listen") else { return };
    let starts =
        "      - sed -i -e 's/bgpd=no/bgpd=yes/g' /etc/frr/daemons\n      - /usr/lib/frr/frrinit.sh start";
    let deaf = starts.replace("-e 's/bgpd=no", "-e '/^bgpd_options/s/-A/-p 0 -A/' -e 's/bgpd=no");
    let check = "policy::sessions::tor0::10.0.1.2 is established with AS 65010";
    // Neither end listens: Cilium never does.
    let lab = impatient(&ground, "4s");
    let topo = std::fs::read_to_string(lab.join("topo.yaml")).unwrap();
    assert!(topo.contains(starts), "{topo}");
    std::fs::write(lab.join("topo.yaml"), topo.replacen(starts, &deaf, 1)).unwrap();
    ground.run(&["test", lab.to_str().unwrap(), "--only", check]).code(1);
    let record = Record::read(&ground.path("target/fabric/latest"));
    let wanted = ("peer-not-listening".to_owned(), Some("tor0".to_owned()), Some("tcp/179".to_owned()));
    assert_eq!(of(&record, check), Some(wanted), "{}", record.failure(check));
}

#[test]
fn a_node_that_announces_nothing() {
    let Some(ground) = Ground::new("a_node_that_announces_nothing") else { return };
    let lab = ground.path("silent");
    copy(&article(), &lab);
    let file = lab.join("cilium-bgp-peering-policies.yaml");
    let policies = std::fs::read_to_string(&file).unwrap();
    assert!(policies.contains("exportPodCIDR: true"), "{policies}");
    std::fs::write(&file, policies.replacen("exportPodCIDR: true", "exportPodCIDR: false", 1)).unwrap();
    let check = "policy::routes::router0::rib has the 12 prefixes";
    let only = ["--only", check, "--only", "policy::sessions::tor0::10.0"];
    ground.run(&[&["test", lab.to_str().unwrap()][..], &only[..]].concat()).code(1);
    let record = Record::read(&ground.path("target/fabric/latest"));
    let (kind, ..) = of(&record, check).unwrap();
    assert_eq!(kind, "not-announced", "{}", record.failure(check));
    let text = record.failure("policy::sessions::tor0::10.0.1.2 gives 1 IPv4 prefix");
    assert!(text.contains("waiting does not help"), "{text}");
}
