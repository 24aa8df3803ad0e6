use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::lab::cluster::KindCluster;
use crate::lab::yaml::Diagnostics;

fn noted(text: &str, dir: &Path, cluster: Option<&KindCluster>) -> (Option<Topology>, Vec<String>) {
    let mut ctx = Diagnostics::new();
    let lookup = |name: &str| (name == "ASN").then(|| "65000".to_owned());
    let topology = read(Path::new("topo.yaml"), text, dir, &lookup, &mut ctx);
    if let Some(topology) = &topology {
        check_containers(topology, cluster, &mut ctx);
    }
    let lines = ctx.into_sorted().into_iter().map(|noted| match &noted.help {
        Some(help) => format!("{noted:#} ({help})"),
        None => format!("{noted:#}"),
    });
    (topology, lines.collect())
}

fn sound(text: &str) -> Topology {
    let (topology, lines) = noted(text, Path::new("/"), None);
    assert_eq!(lines, Vec::<String>::new());
    topology.expect("a topology")
}

/// Nodes a and b of kind linux, and whatever else.
fn two(rest: &str) -> String {
    format!("name: x\ntopology:\n  nodes:\n    a: {{kind: linux}}\n    b: {{kind: linux}}\n{rest}")
}

#[test]
fn levels_combine_as_in_containerlab() {
    let topology = sound(
        "name: x
topology:
  defaults: {kind: linux, image: d, env: {A: d, B: d}, exec: [echo d]}
  kinds:
    linux: {image: k, cmd: bash, env: {B: k, C: 1.10}, exec: [echo k], sysctls: {net.ipv4.ip_forward: 1}}
  groups:
    spine: {image: g, labels: {tier: spine}, exec: [echo g], startup-delay: 3}
  nodes:
    a: {group: spine, exec: ['echo \"n ${ASN}\"'], env: {A: n, E: }}
    b: {image: n}
",
    );
    let [a, b] = &topology.nodes[..] else { panic!("two nodes") };
    assert_eq!(
        (a.image.as_deref(), a.cmd.as_deref(), b.image.as_deref()),
        (Some("g"), Some("bash"), Some("n"))
    );
    let words: Vec<&str> = a.exec.iter().map(|line| line.argv[1].as_str()).collect();
    assert_eq!(words, ["d", "k", "g", "n 65000"]);
    let env: Vec<String> = a.env.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(env, ["A=n", "B=k", "C=1.10", "E="]);
    assert_eq!((a.startup_delay, b.startup_delay), (Duration::from_secs(3), Duration::ZERO));
    assert_eq!((a.labels.len(), b.labels.len(), b.exec.len()), (1, 0, 2));
    assert_eq!(a.sysctls["net.ipv4.ip_forward"], "1");
    assert_eq!(a.at.to_string(), "topo.yaml:9:5");
}

#[rstest]
#[case("", "clab-x-a")]
#[case("prefix: lab\n", "lab-x-a")]
#[case("prefix: \"\"\n", "a")]
#[case("prefix: __lab-name\n", "x-a")]
fn container_names(#[case] prefix: &str, #[case] name: &str) {
    assert_eq!(sound(&format!("{prefix}{}", two(""))).container_name("a"), name);
}

#[rstest]
#[case("", Some("172.20.20.0/24"), Some("3fff:172:20:20::/64"))]
#[case("mgmt: {ipv4-subnet: 10.9.0.0/24}\n", Some("10.9.0.0/24"), None)]
#[case("mgmt: {ipv4_subnet: 10.9.0.0/24}\n", Some("10.9.0.0/24"), None)]
#[case("mgmt: {ipv6-subnet: 'fd00::/64'}\n", None, Some("fd00::/64"))]
fn management_subnets(#[case] mgmt: &str, #[case] v4: Option<&str>, #[case] v6: Option<&str>) {
    let mgmt = sound(&format!("{mgmt}{}", two(""))).mgmt;
    assert_eq!(mgmt.network, "clab");
    assert_eq!(mgmt.ipv4_subnet.map(|net| net.to_string()).as_deref(), v4);
    assert_eq!(mgmt.ipv6_subnet.map(|net| net.to_string()).as_deref(), v6);
}

#[test]
fn links_in_both_forms() {
    let topology = sound(&two("  links:
  - {endpoints: ['a:eth1', 'b:eth1'], mtu: 1500}
  - {endpoints: ['host:vh1', 'a:eth2']}
  - {endpoints: ['a:eth3', 'mgmt-net:vm1']}
  - type: veth
    endpoints: [{node: a, interface: eth4, mac: 'AA:c1:ab:00:00:01'}, {node: b, interface: eth4}]
  - {type: host, endpoint: {node: b, interface: eth5}, host-interface: vh2}
  - {type: mgmt-net, endpoint: {node: b, interface: eth6}, host-interface: vm2}
"));
    let shown: Vec<String> =
        topology.links.iter().map(|link| format!("{} {} {:?}", link.a, link.b, link.mtu)).collect();
    assert_eq!(
        shown,
        [
            "a:eth1 b:eth1 Some(1500)",
            "a:eth2 host:vh1 None",
            "a:eth3 mgmt-net:vm1 None",
            "a:eth4 b:eth4 None",
            "b:eth5 host:vh2 None",
            "b:eth6 mgmt-net:vm2 None",
        ]
    );
    let Endpoint::Node { mac, .. } = &topology.links[3].a else { panic!("a node") };
    assert_eq!(mac.as_deref(), Some("aa:c1:ab:00:00:01"));
}

#[test]
fn stages_in_both_forms() {
    let topology = sound(
        "name: x
topology:
  nodes:
    a:
      kind: linux
      stages:
        create: {wait-for: [{node: b, stage: healthy}], exec: {on-enter: [echo 1], on-exit: [echo 2]}}
        configure: {exec: [{command: echo 3}, {command: echo 4, phase: on-exit, target: container}]}
    b: {kind: linux}
    c: {kind: linux, wait-for: [a]}
",
    );
    let stages = &topology.nodes[0].stages;
    let texts = |lines: &[ExecLine]| lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>();
    assert_eq!(stages.create.wait_for[0].stage, StageName::Healthy);
    assert_eq!(
        (texts(&stages.create.on_enter), texts(&stages.create.on_exit)),
        (vec!["echo 1".into()], vec!["echo 2".into()])
    );
    assert_eq!(
        (texts(&stages.configure.on_enter), texts(&stages.configure.on_exit)),
        (vec!["echo 3".into()], vec!["echo 4".into()])
    );
    assert_eq!(topology.nodes[2].stages.create.wait_for[0].node, "a");
    let lines: Vec<&str> = topology.nodes[0].lines().map(|line| line.text.as_str()).collect();
    assert_eq!(
        lines,
        ["echo 2", "echo 3", "echo 4"],
        "on entering `create` there is nothing to run a line in"
    );
}

#[rstest]
#[case::two(
    "a: {kind: linux, wait-for: [b]}",
    "b: {kind: linux, wait-for: [a]}",
    Some("b waits for a waits for b")
)]
#[case::a_later_stage_of_itself(
    "a: {kind: linux, stages: {create: {wait-for: [{node: b, stage: configure}]}}}",
    "b: {kind: linux, stages: {create-links: {wait-for: [{node: a, stage: create}]}}}",
    Some("b waits for a waits for b")
)]
#[case::an_earlier_stage_is_no_circle(
    "a: {kind: linux, stages: {configure: {wait-for: [{node: b, stage: create-links}]}}}",
    "b: {kind: linux, stages: {configure: {wait-for: [{node: a, stage: create-links}]}}}",
    None
)]
fn nobody_waits_in_a_circle(#[case] a: &str, #[case] b: &str, #[case] round: Option<&str>) {
    let text = format!("name: x\ntopology:\n  nodes:\n    {a}\n    {b}\n");
    let (_, lines) = noted(&text, Path::new("/"), None);
    match round {
        None => assert!(lines.is_empty(), "{lines:#?}"),
        Some(round) => assert!(lines.len() == 1 && lines[0].contains(round), "{lines:#?}"),
    }
}

#[test]
fn binds_and_env_files_are_taken_from_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("frr.conf"), "").expect("written");
    std::fs::write(dir.path().join("a.env"), "A=file\nB=file\n").expect("written");
    let text = "name: x
topology:
  defaults: {kind: linux, binds: ['frr.conf:/etc/frr/frr.conf']}
  nodes:
    a:
      binds: ['frr.conf:/etc/frr/frr.conf:ro', '__clabNodeDir__/x:/x', '/nowhere/at/all:/y']
      env-files: [a.env]
      env: {B: own}
    b: {binds: [missing.conf:/z]}
";
    let (topology, lines) = noted(text, dir.path(), None);
    let missing = dir.path().join("missing.conf");
    assert_eq!(
        lines,
        [
            format!(
                "topo.yaml:6:48: warning: {} does not exist: this bind is left out",
                dir.path().join("clab-x/a/x").display()
            ),
            "topo.yaml:6:72: warning: /nowhere/at/all does not exist: this bind is left out".to_owned(),
            format!(
                "topo.yaml:9:17: error: {} does not exist (sources are taken from the folder of the topology file)",
                missing.display()
            ),
        ]
    );
    let a = &topology.expect("a topology").nodes[0];
    assert_eq!(a.binds.len(), 1);
    assert_eq!((a.binds[0].source.clone(), a.binds[0].read_only), (dir.path().join("frr.conf"), true));
    assert_eq!((a.env["A"].as_str(), a.env["B"].as_str()), ("file", "own"));
}

#[rstest]
#[case::vendor(
    "c: {kind: arista_ceos}",
    "topo.yaml:6:15: error: a node of kind `arista_ceos` cannot be run (it would need the container image of Arista cEOS"
)]
#[case::machine(
    "c: {kind: vr-sros}",
    "topo.yaml:6:15: error: a node of kind `vr-sros` cannot be run (it would need Nokia SR OS as a virtual machine (KVM"
)]
#[case::typo(
    "c: {kind: linus}",
    "topo.yaml:6:15: error: containerlab has no kind of node `linus` (did you mean `linux`?"
)]
#[case::no_kind("c: {}", "topo.yaml:6:5: error: the node `c` has no kind")]
#[case::unknown_key(
    "c: {kind: linux, exce: [a]}",
    "topo.yaml:6:22: error: a node has no key `exce` (did you mean `exec`?)"
)]
#[case::known_key(
    "c: {kind: linux, ports: ['80:80']}",
    "topo.yaml:6:22: warning: `ports` of a node is not honoured: nothing of a node is published on the host"
)]
#[case::quote(
    "c: {kind: linux, exec: [\"echo 'a\"]}",
    "topo.yaml:6:29: error: this command has a quote that is never closed"
)]
#[case::empty_command("c: {kind: linux, exec: ['']}", "topo.yaml:6:29: error: this command is empty")]
#[case::mode(
    "c: {kind: linux, network-mode: containr}",
    "topo.yaml:6:36: error: \"containr\" is not a network mode"
)]
#[case::missing_container(
    "c: {kind: linux, network-mode: 'container:z9'}",
    "topo.yaml:6:36: error: there is no container `clab-x-z9`, nor one called `z9` (this lab has no cluster"
)]
#[case::circle(
    "c: {kind: linux, network-mode: 'container:c'}",
    "topo.yaml:6:36: error: the network mode of `c` leads back to itself"
)]
#[case::external(
    "c: {kind: ext-container}",
    "topo.yaml:6:5: error: there is no container `c` for this external node"
)]
#[case::address(
    "c: {kind: linux, mgmt-ipv4: 10.0.0.1}",
    "topo.yaml:6:5: error: the address 10.0.0.1 of `c` is not on the management network"
)]
#[case::gateway(
    "c: {kind: linux, mgmt-ipv4: 172.20.20.1}",
    "topo.yaml:6:5: error: the address 172.20.20.1 of `c` is already that of the gateway"
)]
#[case::not_an_address(
    "c: {kind: linux, mgmt-ipv4: 1.2.3}",
    "topo.yaml:6:33: error: expected an IPv4 address, found \"1.2.3\""
)]
#[case::reserved("host: {kind: linux}", "topo.yaml:6:5: error: a node cannot be called `host`")]
#[case::bad_name("'a b': {kind: linux}", "topo.yaml:6:5: error: \"a b\" cannot be a node's name")]
#[case::long_bridge(
    "a-very-long-bridge: {kind: bridge}",
    "topo.yaml:6:5: error: the interface name \"a-very-long-bridge\" has 18 characters"
)]
#[case::wait(
    "c: {kind: linux, wait-for: [aa]}",
    "topo.yaml:6:33: error: there is no node `aa` (did you mean `a`?)"
)]
#[case::host_command(
    "c: {kind: linux, stages: {exit: {exec: [{command: ls, target: host}]}}}",
    "topo.yaml:6:67: error: commands on the host are not run"
)]
#[case::bind("c: {kind: linux, binds: [x]}", "topo.yaml:6:30: error: a bind is `source:target`")]
fn nodes_that_are_refused(#[case] node: &str, #[case] message: &str) {
    let (_, lines) = noted(&two(&format!("    {node}\n")), Path::new("/"), None);
    assert!(lines.iter().any(|line| line.starts_with(message)), "{lines:#?}");
    assert_eq!(lines.len(), 1, "{lines:#?}");
}

#[rstest]
#[case::one_end("{endpoints: ['a:eth1']}", "topo.yaml:7:17: error: a link has two ends, and here are 1")]
#[case::no_node(
    "{endpoints: ['a:eth1', 'bb:eth1']}",
    "topo.yaml:7:28: error: there is no node `bb` (did you mean `b`?)"
)]
#[case::no_interface("{endpoints: ['a:eth1', 'b']}", "topo.yaml:7:28: error: \"b\" is not an end of a link")]
#[case::long(
    "{endpoints: ['a:eth1', 'b:interface-number1']}",
    "topo.yaml:7:28: error: the interface name \"interface-number1\" has 17 characters"
)]
#[case::eth0("{endpoints: ['a:eth0', 'b:eth1']}", "topo.yaml:7:18: error: eth0 of `a` is taken")]
#[case::no_node_written_out(
    "{type: veth, endpoints: [{node: a, interface: eth1}, {node: bb, interface: eth1}]}",
    "topo.yaml:7:65: error: there is no node `bb` (did you mean `b`?)"
)]
#[case::same(
    "{endpoints: ['a:eth1', 'a:eth1']}",
    "topo.yaml:7:5: error: the interface a:eth1 is already used by the other end"
)]
#[case::dummy(
    "{type: dummy, endpoint: {node: a, interface: d}}",
    "topo.yaml:7:12: error: a link of type `dummy` is not made"
)]
#[case::short_macvlan(
    "{endpoints: ['a:eth1', 'macvlan:eno1']}",
    "topo.yaml:7:28: error: a link of type `macvlan` is not made"
)]
#[case::kind(
    "{type: vet, endpoints: []}",
    "topo.yaml:7:12: error: \"vet\" is not a type of link (did you mean `veth`?"
)]
#[case::two_hosts(
    "{endpoints: ['host:a', 'host:b']}",
    "topo.yaml:7:5: error: a link needs a node at one end at least"
)]
#[case::mtu(
    "{endpoints: ['a:eth1', 'b:eth1'], mtu: 1}",
    "topo.yaml:7:44: error: a link cannot have an MTU of 1"
)]
#[case::mac(
    "{type: veth, endpoints: [{node: a, interface: e, mac: 'x'}, {node: b, interface: e}]}",
    "topo.yaml:7:59: error: \"x\" is not a hardware address"
)]
#[case::group_mac(
    "{type: veth, endpoints: [{node: a, interface: e, mac: '01:00:00:00:00:01'}, {node: b, interface: e}]}",
    "topo.yaml:7:59: error: \"01:00:00:00:00:01\" is not a hardware address"
)]
#[case::labels(
    "{endpoints: ['a:eth1', 'b:eth1'], labels: {x: y}}",
    "topo.yaml:7:39: warning: `labels` of a link is not honoured"
)]
#[case::key(
    "{endpoint: ['a:eth1', 'b:eth1']}",
    "topo.yaml:7:6: error: a link has no key `endpoint` (did you mean `endpoints`?)"
)]
fn links_that_are_refused(#[case] link: &str, #[case] message: &str) {
    let (_, lines) = noted(&two(&format!("  links:\n  - {link}\n")), Path::new("/"), None);
    assert!(lines.iter().any(|line| line.starts_with(message)), "{lines:#?}");
}

#[test]
fn interfaces_are_counted_in_the_namespace_they_are_in() {
    let text = two("    c: {kind: linux, network-mode: 'container:a'}
    br: {kind: bridge}
  links:
  - endpoints: ['a:eth1', 'b:eth1']
  - endpoints: ['c:eth1', 'b:eth2']
  - endpoints: ['br:p1', 'b:eth3']
  - endpoints: ['host:p1', 'b:eth4']
");
    let (_, lines) = noted(&text, Path::new("/"), None);
    let places: Vec<&str> = lines.iter().filter_map(|line| line.split(" (").next()).collect();
    assert_eq!(
        places,
        [
            "topo.yaml:10:5: error: the interface c:eth1 is already used by the link of line 9",
            "topo.yaml:12:5: error: the interface host:p1 is already used by the link of line 11",
        ]
    );
}

#[test]
fn several_mistakes_are_told_in_one_go() {
    let text = "nam: x
mgmt: {ipv4-subnet: here}
topology:
  nodes:
    a: {kind: ceos}
    b: {kind: linux, imag: x}
  links:
  - endpoints: [1]
";
    let (topology, lines) = noted(text, Path::new("/"), None);
    assert!(topology.is_none());
    let places: Vec<&str> = lines.iter().filter_map(|line| line.split(": error").next()).collect();
    assert_eq!(
        places,
        [
            "topo.yaml:1:1",
            "topo.yaml:1:1",
            "topo.yaml:2:21",
            "topo.yaml:5:15",
            "topo.yaml:6:22",
            "topo.yaml:8:16",
            "topo.yaml:8:17"
        ],
        "{lines:#?}"
    );
}

proptest! {
    #[test]
    fn any_small_topology_is_read_or_refused(
        name in "[a-z$:{} ]{0,6}", kind in "linux|bridge|ceos|x", mode in "host|none|container:[ab]|x",
        end in "[abc]?:?[a-z0-9/]{0,17}", exec in "[a-z'\" ]{0,8}", bind in "[a-z/:]{0,8}",
    ) {
        let quoted = |text: &str| serde_json::to_string(text).expect("json");
        let text = format!(
            "name: {}\ntopology:\n  nodes:\n    a: {{kind: {kind}, network-mode: '{mode}', exec: [{}], binds: [{}]}}\n    b: {{kind: linux}}\n  links:\n  - endpoints: [{}, 'b:eth1']\n",
            quoted(&name), quoted(&exec), quoted(&bind), quoted(&end),
        );
        let (topology, lines) = noted(&text, Path::new("/"), None);
        prop_assert!(topology.is_some() || !lines.is_empty());
    }
}

#[test]
fn a_clos_with_mounted_configuration_is_read_without_a_word() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["spine1", "leaf1", "leaf2"] {
        std::fs::create_dir(dir.path().join(name)).expect("made");
        std::fs::write(dir.path().join(name).join("frr.conf"), "").expect("written");
    }
    std::fs::write(dir.path().join("daemons"), "bgpd=yes\n").expect("written");
    let text = "name: clos
mgmt: {network: fabric, bridge: br-fabric, ipv4-subnet: 10.255.0.0/24, mtu: 1500}
topology:
  defaults: &frr
    kind: linux
    image: quay.io/frrouting/frr:9.1.0
    binds: [daemons:/etc/frr/daemons, __clabNodeName__/frr.conf:/etc/frr/frr.conf]
  groups:
    leaf: {sysctls: {net.ipv4.fib_multipath_hash_policy: 1}}
  nodes:
    spine1: {mgmt-ipv4: 10.255.0.11}
    leaf1: {group: leaf, mgmt-ipv4: 10.255.0.21}
    leaf2: {<<: *frr, group: leaf, mgmt-ipv4: 10.255.0.22, network-mode: bridge}
    sw: {kind: bridge}
  links:
    - endpoints: [\"spine1:eth1\", \"leaf1:eth1\"]
    - endpoints: [\"spine1:eth2\", \"leaf2:eth1\"]
    - endpoints: [\"leaf1:eth2\", \"sw:p1\"]
";
    let (topology, lines) = noted(text, dir.path(), None);
    assert_eq!(lines, Vec::<String>::new());
    let topology = topology.expect("a topology");
    assert_eq!(topology.nodes[2].binds[1].source, dir.path().join("leaf2/frr.conf"));
    assert_eq!(topology.nodes[1].sysctls.len(), 1);
    assert_eq!(topology.nodes[3].binds, []);
}
