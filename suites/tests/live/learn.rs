//! `fabric learn`: what is written passes on the same fabric and on a new one, and fails on one that was changed.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Ground, Record, article, copy};

/// A copy of the article's lab without its lab.yaml: what somebody has who has not written one yet.
fn without_expectations(ground: &Ground) -> PathBuf {
    let lab = ground.path("plain");
    copy(&article(), &lab);
    fs::remove_file(lab.join("lab.yaml")).unwrap();
    lab
}

/// The learned phase in place of the one of that name in a copy of the article's lab.
fn put(ground: &Ground, name: &str, phase: &str) -> PathBuf {
    let lab = ground.path(&format!("with-{name}"));
    copy(&article(), &lab);
    let file = lab.join("lab.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let at = text.find(&format!("  - name: {name}\n")).unwrap();
    let rest = &text[at + 4..];
    let end = rest.find("\n  - name: ").map_or(rest.len(), |end| end + 1);
    // Comments above the next phase stay with it or go: they say nothing to the program.
    fs::write(&file, format!("{}{}{}", &text[..at], phase, &rest[end..])).unwrap();
    lab
}

#[test]
fn a_phase_that_was_learned_passes_and_notices_what_changes() {
    let Some(ground) = Ground::new("a_phase_that_was_learned_passes_and_notices_what_changes") else {
        return;
    };
    let lab = article();
    let lab = lab.to_str().unwrap();
    ground.run(&["up", lab, "--name", "l", "--to", "workload"]).code(0);
    let phase = ground.run(&["learn", "--name", "l"]).code(0).out;
    for wanted in [
        "- name: workload",
        "apply: [nettool.yaml]",
        "node/worker: { state: established, as: 65010, type: internal, hold: 9s",
        "podCIDR(rack=rack0): { from: tor0, next-hop: tor0:net0, as-path: [65010], origin: igp, out: net0 }",
        "mgmt: { from: self",
        "default: { from: router0",
        "both: true",
        "gateway(nettool-1)",
        "count: 12",
    ] {
        assert!(phase.contains(wanted), "{wanted} is not in:\n{phase}");
    }
    // Nothing that a run decides, and a reason behind what is expected.
    assert!(!phase.contains("10.1.") && !phase.contains("fe80"), "{phase}");
    let bare = phase.lines().filter(|line| line.contains("state:") && !line.contains('#'));
    assert!(
        bare.count() <= phase.lines().filter(|line| line.trim_start().starts_with('#')).count(),
        "{phase}"
    );

    let learned = put(&ground, "workload", &phase);
    let learned = learned.to_str().unwrap();
    let judge = |folder: &str| {
        let done =
            ground.run(&["test", learned, "--name", "l", "--only", "workload::", "--report-dir", folder]);
        (done.code, Record::read(&ground.path(folder)), done.err)
    };
    let (code, record, said) = judge("same");
    assert_eq!(code, 0, "{said}\n{phase}");
    assert!(record.names("passed").len() > 60, "{:?}", record.names("passed"));

    // Another AS on one session, one community on what a router sends, a link that is down: each is noticed.
    let conf = |router: &str, lines: &[&str]| {
        let mut command = vec!["vtysh", "-c", "conf t"];
        command.extend(lines.iter().flat_map(|line| ["-c", line]));
        ground.exec("l", router, &command);
    };
    conf(
        "tor0",
        &["router bgp 65010", "no neighbor 10.0.2.2 peer-group SERVERS", "neighbor 10.0.2.2 remote-as 65999"],
    );
    let hasty = ground.path("hasty");
    copy(Path::new(learned), &hasty);
    let file = hasty.join("lab.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = text.split_once("- name: workload").unwrap();
    let after = after.replacen("expect:\n", "expect:\n      within: 3s\n", 1);
    fs::write(&file, format!("{before}- name: workload{after}")).unwrap();
    let hasty = hasty.to_str().unwrap();
    let done = ground
        .run(&["test", hasty, "--name", "l", "--only", "workload::", "--report-dir", "changed"])
        .code(1);
    let record = Record::read(&ground.path("changed"));
    let failed = record.names("failed");
    assert!(
        failed.iter().any(|name| name.contains("tor0::node/worker is established")),
        "{failed:?} {}",
        done.err
    );
    assert!(failed.iter().any(|name| name.contains("router0::rib has")), "{failed:?}");
}

#[test]
fn a_folder_without_a_lab_yaml_gets_one_that_passes_on_a_new_fabric() {
    let Some(ground) = Ground::new("a_folder_without_a_lab_yaml_gets_one_that_passes_on_a_new_fabric") else {
        return;
    };
    let lab = without_expectations(&ground);
    let lab = lab.to_str().unwrap();
    let refused = ground.run(&["learn", lab]).code(2);
    assert!(refused.err.contains("say it, as `--cilium 1.12.1`"), "{}", refused.err);
    let file = ground.path("plain/lab.yaml");
    let line = ["learn", lab, "--cilium", "1.12.1", "-o", file.to_str().unwrap()];
    ground.run(&line).code(0);
    let text = fs::read_to_string(&file).unwrap();
    for wanted in [
        "- name: underlay",
        "- name: cni",
        "apply: [cilium-bgp-peering-policies.yaml]",
        "apply: [nettool.yaml]",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in:\n{text}");
    }
    let again = ground.run(&line).code(2);
    assert!(again.err.contains("is not overwritten"), "{}", again.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    let passed = ground.run(&["test", lab, "--report-dir", "new"]);
    assert_eq!(passed.code, 0, "{}\n{text}", passed.err);
    assert!(Record::read(&ground.path("new")).names("passed").len() > 150);
}

/// Two spines, two leaves with an AS each and a host behind them: equal ways.
const ECMP: &str = r#"name: ecmp
prefix: ""
topology:
  defaults: { kind: linux, image: "frrouting/frr:v8.4.1", cmd: bash }
  nodes:
SPINES    leaf1:
      exec:
        - ip addr add 10.255.1.1/32 dev lo
        - ip addr add 172.31.1.1/24 dev eth3
        - sysctl -w net.ipv4.fib_multipath_hash_policy=1
        - touch /etc/frr/vtysh.conf
        - sed -i s/bgpd=no/bgpd=yes/ /etc/frr/daemons
        - /usr/lib/frr/frrinit.sh start
        - >-
          vtysh -c 'configure terminal' -c 'router bgp 4200001001' -c ' bgp router-id 10.255.1.1' -c ' no bgp ebgp-requires-policy'
          -c ' bgp bestpath as-path multipath-relax' -c ' neighbor eth1 interface remote-as external'
          -c ' neighbor eth2 interface remote-as external' -c ' address-family ipv4 unicast' -c '  network 10.255.1.1/32'
          -c '  network 172.31.1.0/24'
    leaf2:
      exec:
        - ip addr add 10.255.1.2/32 dev lo
        - ip addr add 172.31.2.1/24 dev eth3
        - sysctl -w net.ipv4.fib_multipath_hash_policy=1
        - touch /etc/frr/vtysh.conf
        - sed -i s/bgpd=no/bgpd=yes/ /etc/frr/daemons
        - /usr/lib/frr/frrinit.sh start
        - >-
          vtysh -c 'configure terminal' -c 'router bgp 4200001002' -c ' bgp router-id 10.255.1.2' -c ' no bgp ebgp-requires-policy'
          -c ' bgp bestpath as-path multipath-relax' -c ' neighbor eth1 interface remote-as external'
          -c ' neighbor eth2 interface remote-as external' -c ' address-family ipv4 unicast' -c '  network 10.255.1.2/32'
          -c '  network 172.31.2.0/24'
    h1:
      image: alpine:3
      cmd: sleep infinity
      exec: [ip addr add 172.31.1.10/24 dev eth1, ip route replace 172.31.0.0/16 via 172.31.1.1]
    h2:
      image: alpine:3
      cmd: sleep infinity
      exec: [ip addr add 172.31.2.10/24 dev eth1, ip route replace 172.31.0.0/16 via 172.31.2.1]
  links:
    - endpoints: ["spine1:eth1", "leaf1:eth1"]
    - endpoints: ["spine1:eth2", "leaf2:eth1"]
    - endpoints: ["spine2:eth1", "leaf1:eth2"]
    - endpoints: ["spine2:eth2", "leaf2:eth2"]
    - endpoints: ["leaf1:eth3", "h1:eth1"]
    - endpoints: ["leaf2:eth3", "h2:eth1"]
"#;

fn ecmp(ground: &Ground) -> PathBuf {
    let spine = |number: u32| {
        format!(
            r"    spine{number}:
      exec:
        - ip addr add 10.255.0.{number}/32 dev lo
        - touch /etc/frr/vtysh.conf
        - sed -i s/bgpd=no/bgpd=yes/ /etc/frr/daemons
        - /usr/lib/frr/frrinit.sh start
        - >-
          vtysh -c 'configure terminal' -c 'router bgp 42000000{number:02}' -c ' bgp router-id 10.255.0.{number}'
          -c ' no bgp ebgp-requires-policy' -c ' neighbor eth1 interface remote-as external'
          -c ' neighbor eth2 interface remote-as external' -c ' address-family ipv4 unicast' -c '  network 10.255.0.{number}/32'
"
        )
    };
    let lab = ground.path("ecmp");
    fs::create_dir_all(&lab).unwrap();
    fs::write(lab.join("ecmp.clab.yml"), ECMP.replace("SPINES", &(spine(1) + &spine(2)))).unwrap();
    lab
}

#[test]
fn equal_ways_are_learned_as_such() {
    let Some(ground) = Ground::new("equal_ways_are_learned_as_such") else { return };
    let lab = ecmp(&ground);
    let file = lab.join("lab.yaml");
    let lab = lab.to_str().unwrap();
    ground.run(&["learn", lab, "-o", file.to_str().unwrap()]).code(0);
    let text = fs::read_to_string(&file).unwrap();
    for wanted in [
        "leaf2:eth3: { from: [spine1, spine2], next-hop: [spine1:eth1, spine2:eth1], \
         as-path: [[4200000001, 4200001002], [4200000002, 4200001002]], paths: 2",
        "out: [eth1, eth2] }",
        "{spine1:lo|spine2:lo}",
        "flows: 16",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in:\n{text}");
    }
    let passed = ground.run(&["test", lab, "--report-dir", "same"]);
    assert_eq!(passed.code, 0, "{}\n{text}", passed.err);

    // One of the two ways is gone: packets still arrive, and it is noticed.
    ground.run(&["up", lab, "--name", "e"]).code(0);
    ground.exec("e", "spine2", &["ip", "link", "set", "eth1", "down"]);
    let quick = text.replacen("expect:\n", "expect:\n      within: 3s\n", 1);
    fs::write(&file, quick).unwrap();
    ground.run(&["test", lab, "--name", "e", "--report-dir", "changed"]).code(1);
    let record = Record::read(&ground.path("changed"));
    let failed = record.names("failed");
    let of = |part: &str| failed.iter().any(|name| name.contains(part));
    assert!(
        of("sessions::leaf1::eth2 is established") && of("leaf2:eth3 leaves through eth1 and eth2"),
        "{failed:?}"
    );
    assert!(record.names("passed").iter().any(|name| name.contains("reach::h1")), "packets still arrive");
}
