use std::path::Path;

use super::*;
use crate::lab::Lab;

fn lab(files: &[(&str, &str)]) -> (tempfile::TempDir, Topology, String) {
    let room = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = room.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let lab: Lab<()> = crate::lab::load(&room.path().join("site.clab.yml")).unwrap();
    let text = fs::read_to_string(room.path().join("site.clab.yml")).unwrap();
    (room, lab.topology, text)
}

const TWO: &str = "\
name: two
# said by its author
topology:
  nodes:
    r1: { kind: linux, image: frr, binds: [\"r1/frr.conf:/etc/frr/frr.conf\", \"scripts:/scripts\"] }
    r2: { kind: linux, image: frr }
  links:
    - endpoints: [\"r1:eth1\", \"r2:eth1\"]
";

#[test]
fn a_topology_goes_as_its_file_has_it_with_the_files_that_are_bound() {
    let (room, topology, text) =
        lab(&[("site.clab.yml", TWO), ("r1/frr.conf", "router bgp 1\n"), ("scripts/a b.sh", "#!/bin/sh\n")]);
    let script = room.path().join("scripts/a b.sh");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let dir = room.path().canonicalize().unwrap();
    let all = objects("c9s.run/v1alpha1", &topology, &dir, &text).unwrap();
    let [files, two] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(files.object["data"], json!({"0-frr.conf": "router bgp 1\n", "1-a-b.sh": "#!/bin/sh\n"}));
    assert_eq!((two.namespace.as_deref(), two.name.as_str()), (Some("c9s-two"), "two"));
    assert_eq!(two.object["spec"]["definition"]["containerlab"], json!(TWO));
    assert_eq!(two.object["spec"]["expose"], json!({"disableExpose": true}));
    assert_eq!(
        two.object["spec"]["deployment"]["filesFromConfigMap"],
        json!({"r1": [
            {"filePath": "r1/frr.conf", "configMapName": "two-r1-files", "configMapPath": "0-frr.conf", "mode": "read"},
            {"filePath": "scripts/a b.sh", "configMapName": "two-r1-files", "configMapPath": "1-a-b.sh", "mode": "execute"},
        ]})
    );
}

#[test]
fn what_is_no_text_goes_as_bytes() {
    let (room, topology, text) = lab(&[("site.clab.yml", TWO), ("r1/frr.conf", ""), ("scripts/x", "")]);
    fs::write(room.path().join("scripts/x"), [0xff, 0x00]).unwrap();
    let all = objects("c9s.run/v1alpha1", &topology, room.path(), &text).unwrap();
    assert_eq!(all[0].object["binaryData"], json!({"1-x": "/wA="}));
}

#[test]
fn what_cannot_be_a_pod_is_refused_at_its_place_before_anything_is_applied() {
    let text = "\
name: Site
topology:
  nodes:
    R1: { kind: linux, image: frr }
    sw: { kind: bridge }
    srv:
      kind: linux
      image: tools
      network-mode: host
  links:
    - endpoints: [\"R1:eth1\", \"mgmt-net:r1\"]
    - endpoints: [\"R1:eth2\", \"sw:p1\"]
";
    let (room, topology, text) = lab(&[("site.clab.yml", text)]);
    let error = objects("c9s.run/v1alpha1", &topology, room.path(), &text).unwrap_err().to_string();
    for said in [
        "a cluster can have no object called `Site`",
        "a cluster can have no pod called `R1`",
        "sw is a bridge: clabernetes makes pods only",
        "`network-mode: host`: clabernetes knows `container:NODE`",
        "there is no management bridge to be wired to",
        "site.clab.yml:9:21",
        "5 errors",
    ] {
        assert!(error.contains(said), "{said} in {error}");
    }
}

#[test]
fn a_folder_too_big_for_a_config_map_is_refused() {
    let (room, topology, text) = lab(&[("site.clab.yml", TWO), ("r1/frr.conf", ""), ("scripts/x", "")]);
    fs::write(room.path().join("scripts/x"), vec![b'a'; ROOM + 1]).unwrap();
    let error = objects("c9s.run/v1alpha1", &topology, Path::new(room.path()), &text).unwrap_err();
    assert!(error.to_string().contains("the files bound into r1 are 1000001 bytes"), "{error}");
}
