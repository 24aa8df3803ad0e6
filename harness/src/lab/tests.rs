use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp")
}

/// A folder with the article's files, and a lab.yaml if one is given.
fn article(lab_yaml: Option<&str>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for name in
        ["topo.yaml", "cluster.yaml", "values.yaml", "cilium-bgp-peering-policies.yaml", "nettool.yaml"]
    {
        fs::copy(fixture().join(name), dir.path().join(name)).expect("copied");
    }
    if let Some(text) = lab_yaml {
        fs::write(dir.path().join("lab.yaml"), text).expect("written");
    }
    dir
}

const LAB: &str = "topology: topo.yaml
cluster: cluster.yaml
cilium: { version: v1.12.1, values: values.yaml }
phases:
- name: cluster
- name: underlay
- name: cni
- name: policy
  apply: [cilium-bgp-peering-policies.yaml]
- name: workload
  apply: nettool.yaml
- name: break
  run: [{ node: tor0, command: ip link set net0 down }, { node: worker3, command: 'ip link' }]
  label: { worker3: { rack: rack0, spare: } }
- name: withdraw
  delete: [cilium-bgp-peering-policies.yaml]
";

fn problems(result: Result<Lab<()>, LoadError>) -> Vec<String> {
    let error = result.expect_err("refused");
    error.diagnostics().iter().map(|noted| format!("{noted:#}")).collect()
}

#[test]
fn the_article_is_loaded_whole() {
    let dir = article(Some(LAB));
    let lab: Lab<()> = load(dir.path()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((lab.name.as_str(), lab.warnings.len()), ("bgp-cplane-demo", 0));
    let topology = &lab.topology;
    let nodes: Vec<String> =
        topology.nodes.iter().map(|node| format!("{} {}", node.name, node.exec.len())).collect();
    assert_eq!(nodes, ["router0 7", "tor0 8", "tor1 8", "server0 2", "server1 2", "server2 2", "server3 2"]);
    assert_eq!(topology.links.len(), 6);
    assert_eq!(topology.container_name("router0"), "clab-bgp-cplane-demo-router0");
    let router0 = &topology.nodes[0];
    assert_eq!((router0.cmd.as_deref(), router0.labels["app"].as_str()), (Some("bash"), "frr"));
    assert_eq!(router0.exec[5].argv, ["usr/lib/frr/frrinit.sh", "start"]);
    let vtysh = &router0.exec[6].argv;
    assert_eq!(vtysh[..3], ["vtysh", "-c", "conf t"]);
    assert_eq!((vtysh[6].as_str(), vtysh[vtysh.len() - 1].as_str()), (" bgp router-id 10.0.0.0", "!"));
    assert_eq!(topology.nodes[3].network_mode, NetworkMode::Container("control-plane".into()));
    assert_eq!(
        topology.resolve_container(lab.cluster.as_ref(), "worker3").as_deref(),
        Some("clab-bgp-cplane-demo-worker3")
    );
    let cluster = lab.cluster.as_ref().expect("a cluster");
    let shown: Vec<String> = cluster
        .nodes
        .iter()
        .map(|node| {
            format!("{} {} {} {}", node.name, node.node_ips[0], node.labels["rack"], node.taints.len())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "clab-bgp-cplane-demo-control-plane 10.0.1.2 rack0 1",
            "clab-bgp-cplane-demo-worker 10.0.2.2 rack0 0",
            "clab-bgp-cplane-demo-worker2 10.0.3.2 rack1 0",
            "clab-bgp-cplane-demo-worker3 10.0.4.2 rack1 0",
        ]
    );
    assert!(cluster.disable_default_cni);
    assert_eq!(cluster.pod_subnets, ["10.1.0.0/16".parse().expect("a prefix")]);
    let cilium = lab.cilium.as_ref().expect("Cilium");
    assert_eq!((cilium.version.as_str(), cilium.values.bgp_control_plane), ("1.12.1", Some(true)));
    let phases: Vec<String> = lab
        .phases
        .iter()
        .map(|phase| format!("{} {:?} +{} -{}", phase.name, phase.up, phase.apply.len(), phase.delete.len()))
        .collect();
    assert_eq!(
        phases,
        [
            "cluster Some(Cluster) +0 -0",
            "underlay Some(Underlay) +0 -0",
            "cni Some(Cni) +0 -0",
            "policy None +2 -0",
            "workload None +2 -0",
            "break None +0 -0",
            "withdraw None +0 -2",
        ]
    );
    assert_eq!(lab.phases[3].apply[1].to_string(), "ciliumbgppeeringpolicy/rack1");
    let broken = &lab.phases[5];
    assert_eq!(broken.run[0].command.argv, ["ip", "link", "set", "net0", "down"]);
    assert_eq!(broken.run[1].node.value, "clab-bgp-cplane-demo-worker3");
    assert_eq!(
        (broken.label[0].node.as_str(), &broken.label[0].remove[..]),
        ("clab-bgp-cplane-demo-worker3", &["spare".to_owned()][..])
    );
}

#[test]
fn what_crosses_a_process_boundary_comes_back_the_same() {
    let dir = article(Some(LAB));
    let lab: Lab<()> = load(dir.path()).unwrap_or_else(|error| panic!("{error}"));
    let json = serde_json::to_string(&(&lab.topology, &lab.cluster)).expect("json");
    let (topology, cluster): (Topology, Option<KindCluster>) = serde_json::from_str(&json).expect("json");
    assert_eq!((topology, cluster), (lab.topology, lab.cluster));
}

#[test]
fn a_folder_without_lab_yaml_and_a_file_alone() {
    let dir = article(None);
    for path in [dir.path().to_path_buf(), dir.path().join("topo.yaml")] {
        let lab: Lab<()> = load(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((lab.topology.nodes.len(), lab.cluster.is_some(), lab.phases.len()), (7, true, 0));
        assert_eq!(lab.dir, dir.path().canonicalize().expect("a folder"));
        assert_eq!(lab.topology.nodes[0].at.file, dir.path().join("topo.yaml"));
    }
    fs::rename(dir.path().join("topo.yaml"), dir.path().join("anything.yaml")).expect("renamed");
    assert!(load::<()>(dir.path()).is_ok());
    fs::write(dir.path().join("other.yaml"), "topology: {nodes: {a: {kind: linux}}}").expect("written");
    let error = load::<()>(dir.path()).expect_err("two").to_string();
    assert!(error.contains("several containerlab topologies (anything.yaml, other.yaml)"), "{error}");
    fs::write(dir.path().join("x.clab.yml"), "name: x\ntopology: {nodes: {a: {kind: linux}}}")
        .expect("written");
    assert_eq!(load::<()>(dir.path()).expect("the one called so").name, "x");
}

#[test]
fn the_real_fixture_has_the_articles_files() {
    let text = |name: &str| fs::read_to_string(fixture().join(name)).expect("there");
    let mut ctx = Diagnostics::new();
    assert!(topology::read(Path::new("t"), &text("topo.yaml"), &fixture(), &|_| None, &mut ctx).is_some());
    assert_eq!(
        manifests::read(Path::new("n"), &text("nettool.yaml"), &mut ctx).map(|pods| pods.len()),
        Some(2)
    );
    assert!(ctx.is_empty());
}

#[test]
fn the_wrong_container_is_told_with_its_line() {
    let dir = article(Some(LAB));
    let text = fs::read_to_string(dir.path().join("topo.yaml")).expect("there");
    fs::write(dir.path().join("topo.yaml"), text.replace("container:worker3", "container:worker4"))
        .expect("written");
    let error = load::<()>(dir.path()).expect_err("refused");
    let shown = error.to_string().replace(&dir.path().display().to_string(), "LAB");
    insta::assert_snapshot!(shown, @"
    error: there is no container `clab-bgp-cplane-demo-worker4`, nor one called `worker4`
       --> LAB/topo.yaml:127:21
        |
    127 |       network-mode: container:worker4
        |                     ^^^^^^^^^^^^^^^^^
        |
        = help: the cluster's containers are `clab-bgp-cplane-demo-control-plane`, `clab-bgp-cplane-demo-worker`, `clab-bgp-cplane-demo-worker2`, `clab-bgp-cplane-demo-worker3`

    the lab cannot be used: 1 error
    ");
}

#[rstest]
#[case::no_file("topology: topo.yml\n", "lab.yaml:1:11: error: there is no file topo.yml")]
#[case::unknown_key("topologie: topo.yaml\n", "lab.yaml:1:1: error: lab.yaml has no key `topologie`")]
#[case::no_cluster(
    "phases: [{name: cluster}]\n",
    "lab.yaml:1:17: error: this lab has no cluster to bring up"
)]
#[case::no_cilium(
    "cluster: cluster.yaml\nphases: [{name: x, up: cni}]\n",
    "lab.yaml:2:24: error: this lab has no Cilium to install"
)]
#[case::step("phases: [{name: x, up: cnii}]\n", "lab.yaml:1:24: error: \"cnii\" is not a step")]
#[case::no_cluster_to_apply(
    "phases: [{name: x, apply: nettool.yaml}]\n",
    "lab.yaml:1:27: error: this lab has no cluster to which objects could be applied"
)]
#[case::twice(
    "phases: [{name: x}, {name: x}]\n",
    "lab.yaml:1:21: error: there are two phases called `x`; the first is on line 1"
)]
#[case::no_name("phases: [{expect: {}}]\n", "lab.yaml:1:10: error: a phase needs the key `name`")]
#[case::colons("phases: [{name: 'a::b'}]\n", "lab.yaml:1:17: error: \"a::b\" cannot be the name of a phase")]
#[case::version(
    "cilium: {version: latest}\n",
    "lab.yaml:1:19: error: \"latest\" is not a version of Cilium: `latest` is not a number"
)]
#[case::early_version(
    "cluster: cluster.yaml\ncilium: {version: 1.11.3}\n",
    "lab.yaml:2:19: error: Cilium 1.11.3 has no BGP control plane (it came with 1.12); use 1.12 or later"
)]
#[case::node(
    "cluster: cluster.yaml\nphases: [{name: x, run: [{node: tor9, command: ls}]}]\n",
    "lab.yaml:2:33: error: the lab has no node `tor9`"
)]
#[case::label(
    "cluster: cluster.yaml\nphases: [{name: x, label: {tor0: {a: b}}}]\n",
    "lab.yaml:2:28: error: the cluster has no node `tor0`"
)]
#[case::command(
    "phases: [{name: x, run: [{node: tor0, command: 'a \"b'}]}]\n",
    "lab.yaml:1:48: error: this command has a quote that is never closed"
)]
#[case::syntax("phases: [\n", "lab.yaml:")]
fn a_wrong_lab_yaml(#[case] text: &str, #[case] message: &str) {
    let dir = article(Some(text));
    let lines = problems(load(dir.path()));
    let wanted = format!("{}/{message}", dir.path().display());
    assert!(lines.iter().any(|line| line.starts_with(&wanted)), "{lines:#?}");
}

#[rstest]
#[case("nettol.yaml", "did you mean `nettool.yaml`?")]
#[case("policies.yaml", "did you mean `cilium-bgp-peering-policies.yaml`?")]
#[case("pods.yaml", "of the files there, `cilium-bgp-peering-policies.yaml`, `nettool.yaml` would do")]
fn a_manifest_that_is_not_there_names_those_that_are(#[case] named: &str, #[case] help: &str) {
    let text = format!(
        "topology: topo.yaml\ncluster: cluster.yaml\ncilium: {{version: 1.12.1, values: values.yaml}}\nphases: [{{name: x, apply: {named}}}]\n"
    );
    let dir = article(Some(&text));
    let Err(LoadError::Invalid { diagnostics }) = load::<()>(dir.path()) else { panic!("{named}") };
    let said: Vec<_> = diagnostics.iter().filter_map(|one| one.help.as_deref()).collect();
    assert_eq!(said, [help]);
}

#[rstest]
#[case("nowhere", "there is no lab at")]
#[case("", "holds no lab")]
fn nothing_there(#[case] below: &str, #[case] message: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let error = load::<()>(&dir.path().join(below)).expect_err("nothing").to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn a_node_of_kind_k8s_kind_brings_its_cluster() {
    let dir = article(None);
    let text = "name: x
topology:
  nodes:
    k1: {kind: k8s-kind, startup-config: cluster.yaml}
    k1-worker: {kind: ext-container, exec: [ip addr add 10.0.2.2/24 dev eth1]}
    a: {kind: linux}
  links:
  - endpoints: ['a:eth1', 'k1-worker:eth1']
";
    fs::write(dir.path().join("k.clab.yml"), text).expect("written");
    let lab: Lab<()> = load(&dir.path().join("k.clab.yml")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(lab.cluster.as_ref().map(|cluster| cluster.nodes[1].name.as_str()), Some("k1-worker"));
    assert_eq!(lab.resolve_node("worker3").as_deref(), Some("k1-worker3"));
}
