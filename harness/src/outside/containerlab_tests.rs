//! Reading containerlab's log.

use rstest::rstest;

use super::*;

fn topology() -> Topology {
    let text = "name: demo\ntopology:\n  nodes:\n    tor0: {kind: linux, image: frr}\n    l1: {kind: linux, image: a}\n";
    let mut ctx = crate::lab::Diagnostics::new();
    crate::lab::topology::read(Path::new("topo.yaml"), text, Path::new("/"), &|_| None, &mut ctx).unwrap()
}

fn one_line(line: &str) -> Vec<Ran> {
    ran(&[line.to_owned()], &topology())
}

#[rstest]
#[case::old(
    r#"ERRO[0083] Failed to execute command "./ifcfg add eth1 10.1.1.1 24" on the node "ixia-c". rc=1,"#,
    "ixia-c",
    "./ifcfg add eth1 10.1.1.1 24",
    1
)]
#[case::oldest("INFO[0001] Executed command 'fools -la' on l1. stdout:", "l1", "fools -la", 0)]
#[case::well(
    r#"INFO[0002] Executed command "ip addr add 10.0.0.1/32 dev lo" on the node "tor0". stdout:"#,
    "tor0",
    "ip addr add 10.0.0.1/32 dev lo",
    0
)]
#[case::new(
    r#"12:43:21 INFO Executed command node=clab-demo-tor0 command="vtysh -c \"conf t\"" stdout="x""#,
    "tor0",
    "vtysh -c \"conf t\"",
    0
)]
#[case::new_failed(r#"12:43:21 ERRO Failed to execute command command="ip link del eth0" node=tor0 rc=2 stdout="" stderr="Cannot find device""#, "tor0", "ip link del eth0", 2)]
fn lines_as_containerlab_tells_of_them(
    #[case] line: &str,
    #[case] node: &str,
    #[case] command: &str,
    #[case] code: i32,
) {
    let found = one_line(line);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].node.as_str(), found[0].line.as_str(), found[0].code), (node, command, code));
}

#[rstest]
#[case("INFO[0000] Creating container: \"tor0\"")]
#[case("Executed command")]
#[case("Executed command \"x")]
#[case("")]
fn what_tells_of_no_line_is_passed_over(#[case] line: &str) {
    assert!(one_line(line).is_empty());
}

#[test]
fn why_a_line_failed_is_kept() {
    let found =
        one_line(r#"ERRO Failed to execute command command="x" node=tor0 rc=2 stdout="a" stderr="one\ntwo""#);
    assert_eq!(found[0].said, "one\ntwo");
}
