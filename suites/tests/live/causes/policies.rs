//! Cilium that is told wrong things, or none: what is to blame is the policy, the node, or the pod.

use super::super::support::{Ground, Record, article, copy};
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
