//! The archive that a run leaves when something failed, and that `fabric collect` makes: whole, readable, without secrets.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::Value;

use super::support::{Ground, Record, article, foreign};

const NAME: &str = "fabric-diagnostics.tar";

/// The files of an archive, by their names in it.
struct Archive {
    raw: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Archive {
    #[track_caller]
    fn read(path: &Path) -> Self {
        let raw = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut archive = tar::Archive::new(File::open(path).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name =
                entry.path().unwrap().strip_prefix("fabric-diagnostics").unwrap().display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        });
        Self { files: entries.collect(), raw }
    }

    #[track_caller]
    fn text(&self, name: &str) -> String {
        let names: Vec<&String> = self.files.keys().collect();
        let bytes = self.files.get(name).unwrap_or_else(|| panic!("no {name} in {names:#?}"));
        String::from_utf8(bytes.clone()).unwrap()
    }

    #[track_caller]
    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The packets of a link: Ethernet frames.
    #[track_caller]
    fn packets(&self, name: &str) -> Vec<Vec<u8>> {
        let names: Vec<&String> = self.files.keys().collect();
        let bytes = self.files.get(name).unwrap_or_else(|| panic!("no {name} in {names:#?}"));
        let mut reader = PcapNgReader::new(bytes.as_slice()).unwrap();
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap() {
                packets.push(packet.data.to_vec());
            }
        }
        packets
    }

    /// Every file is in the index with its length, and nothing else is.
    #[track_caller]
    fn agrees_with_its_index(&self) {
        let index = self.json("index.json");
        let said: BTreeMap<&str, u64> = index["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| (file["path"].as_str().unwrap(), file["bytes"].as_u64().unwrap()))
            .collect();
        let there: BTreeMap<&str, u64> = self
            .files
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "index.json" | "INDEX.md"))
            .map(|(name, bytes)| (name.as_str(), bytes.len() as u64))
            .collect();
        assert_eq!(said, there);
        let page = self.text("INDEX.md");
        for name in said.keys() {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in INDEX.md");
        }
    }

    fn missing(&self) -> Vec<(String, String)> {
        let index = self.json("index.json");
        let all = index["missing"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.map(|one| (text(&one["path"]), text(&one["why"]))).collect()
    }

    #[track_caller]
    fn holds_nowhere(&self, secret: &str) {
        let bytes = secret.as_bytes();
        assert!(!self.raw.windows(bytes.len()).any(|window| window == bytes), "{secret} is in it");
    }
}

/// The lab of two routers, with lines added to what each says of its neighbor, and a session that is waited for.
fn two_routers(ground: &Ground, of_r1: &str, of_r2: &str) -> PathBuf {
    let lab = foreign(ground, "two-routers");
    for (router, line) in [("r1", of_r1), ("r2", of_r2)] {
        let path = lab.join(router).join("frr.conf");
        let text = fs::read_to_string(&path).unwrap();
        let (before, after) = text.split_once(" !\n address-family").unwrap();
        fs::write(&path, format!("{before}{line} !\n address-family{after}")).unwrap();
    }
    let text = "topology: two-routers.clab.yml\nphases:\n  - name: underlay\n    expect:\n      within: 6s\n      sessions:\n        \
                r1: { 192.0.2.1: established }\n        r2: { 192.0.2.0: established }\n";
    fs::write(lab.join("lab.yaml"), text).unwrap();
    lab
}

fn messages(record: &Record) -> Vec<(String, String, String)> {
    let events = record.0["events"].as_array().unwrap().iter();
    let messages = events.filter(|event| event["of"]["kind"] == "message");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    messages
        .map(|event| (text(&event["source"]), text(&event["of"]["message"]), text(&event["what"])))
        .collect()
}

#[test]
fn passwords_that_differ_are_seen_to_differ_and_are_not_told() {
    let Some(ground) = Ground::new("passwords_that_differ_are_seen_to_differ_and_are_not_told") else {
        return;
    };
    let (one, other) = ("Correct-Horse-1", "Battery-Staple-2");
    let line = |peer: &str, password: &str| format!(" neighbor {peer} password {password}\n");
    let lab = two_routers(&ground, &line("192.0.2.1", one), &line("192.0.2.0", other));
    let done = ground.run(&["test", lab.to_str().unwrap()]).code(1);
    let latest = ground.path("target/fabric/latest");
    assert!(done.err.contains(NAME), "{}", done.err);
    let record = Record::read(&latest);
    assert_eq!(record.0["bundle"], NAME);
    let archive = Archive::read(&latest.join(NAME));
    archive.agrees_with_its_index();
    archive.holds_nowhere(one);
    archive.holds_nowhere(other);
    assert_eq!(archive.json("record.json")["run_id"], record.0["run_id"]);
    let password = |router: &str| {
        let text = archive.text(&format!("nodes/{router}/frr/running-config.txt"));
        let line = text.lines().find(|line| line.contains(" password ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let (of_r1, of_r2) = (password("r1"), password("r2"));
    assert!(
        of_r1.starts_with("<redacted:") && of_r2.starts_with("<redacted:") && of_r1 != of_r2,
        "{of_r1} {of_r2}"
    );
    // The lab's own file has the same secret as the running configuration.
    assert!(archive.text("lab/r1/frr.conf").contains(&format!("password {of_r1}")));
    for name in
        ["interfaces", "routes", "neighbors", "sockets", "counters", "settings", "filters", "processes"]
    {
        let text = archive.text(&format!("nodes/r2/{name}.txt"));
        assert!(text.len() > 20, "{name}: {text}");
    }
    assert!(archive.text("nodes/r1/routes.txt").contains("192.0.2.0/31"));
    assert!(archive.text("nodes/r1/settings.txt").contains("rp_filter"));
    assert!(archive.text("nodes/r1/counters.txt").contains("TCPMD5"));
    assert!(archive.text("nodes/r1/processes.txt").contains("bgpd"));
    assert!(archive.json("nodes/r1/frr/neighbors.json")["192.0.2.1"].is_object());
    // On the wire: requests for a connection with a signature (TCP option 19), and never an answer.
    let packets = archive.packets("captures/r1_eth1--r2_eth1.pcapng");
    let tcp: Vec<&Vec<u8>> =
        packets.iter().filter(|packet| packet.get(12..14) == Some(&[8, 0]) && packet[23] == 6).collect();
    assert!(tcp.iter().any(|packet| packet[47] & 0x3f == 0x02), "no SYN in {} packets", packets.len());
    assert!(tcp.iter().all(|packet| packet[47] & 0x3f != 0x12), "a SYN was answered");
    assert!(
        tcp.iter().any(|packet| packet
            .get(54..)
            .is_some_and(|options| options.windows(2).any(|two| two == [19, 18])))
    );
    assert!(messages(&record).is_empty(), "{:?}", messages(&record));
}

#[test]
fn a_wrong_as_is_read_off_the_wire() {
    let Some(ground) = Ground::new("a_wrong_as_is_read_off_the_wire") else { return };
    let lab = two_routers(&ground, "", "");
    let path = lab.join("r2/frr.conf");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("remote-as 64601", "remote-as 64699")).unwrap();
    ground.run(&["test", lab.to_str().unwrap()]).code(1);
    let latest = ground.path("target/fabric/latest");
    let record = Record::read(&latest);
    let heard = messages(&record);
    let said =
        |source: &str, message: &str| heard.iter().find(|(from, what, _)| from == source && what == message);
    assert!(said("r1", "tcp").or(said("r2", "tcp")).is_some(), "{heard:#?}");
    let (.., words) = said("r2", "notification").unwrap_or_else(|| panic!("{heard:#?}"));
    assert_eq!(words, "NOTIFICATION to r1: OPEN Message Error/Bad Peer AS");
    let archive = Archive::read(&latest.join(NAME));
    archive.agrees_with_its_index();
    assert!(!archive.packets("captures/r1_eth1--r2_eth1.pcapng").is_empty());
    // What people would read it with, where it is there.
    let file = ground.path("link.pcapng");
    fs::write(&file, &archive.files["captures/r1_eth1--r2_eth1.pcapng"]).unwrap();
    if let Ok(read) = std::process::Command::new("tcpdump").arg("-nr").arg(&file).output() {
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        assert!(
            read.status.success() && text.contains("BGP"),
            "{text}{}",
            String::from_utf8_lossy(&read.stderr)
        );
    }
}

#[test]
fn what_passes_leaves_no_archive_and_takes_an_old_one_away() {
    let Some(ground) = Ground::new("what_passes_leaves_no_archive_and_takes_an_old_one_away") else { return };
    let lab = two_routers(&ground, "", "");
    let reports = ground.path("reports");
    fs::create_dir(&reports).unwrap();
    fs::write(reports.join(NAME), "of an earlier run").unwrap();
    ground.run(&["test", lab.to_str().unwrap(), "--report-dir", reports.to_str().unwrap()]).code(0);
    assert!(!reports.join(NAME).exists());
    let record = Record::read(&reports);
    assert!(record.0["bundle"].is_null());
    let heard = messages(&record);
    // In its order, from each side. The first UPDATE may come after the last check.
    for router in ["r1", "r2"] {
        let of: Vec<&str> =
            heard.iter().filter(|(from, ..)| from == router).map(|(_, what, _)| what.as_str()).collect();
        let at = |what: &str| {
            of.iter().position(|one| *one == what).unwrap_or_else(|| panic!("{what}: {heard:#?}"))
        };
        assert!(at("open") < at("keepalive"), "{of:?}");
    }
}

#[test]
fn a_fabric_that_is_up_is_collected() {
    let Some(ground) = Ground::new("a_fabric_that_is_up_is_collected") else { return };
    let article = article();
    ground.run(&["up", article.to_str().unwrap(), "--name", "c", "--to", "policy"]).code(0);
    let path = ground.path("deep/c.tar");
    let done = ground.run(&["collect", "--name", "c", "-o", path.to_str().unwrap()]).code(0);
    assert!(done.out.contains("c.tar: ") && done.out.contains("INDEX.md"), "{}", done.out);
    let archive = Archive::read(&path);
    archive.agrees_with_its_index();
    let worker = "nodes/clab-bgp-cplane-demo-worker";
    let gobgp: Vec<&String> =
        archive.files.keys().filter(|name| name.starts_with(&format!("{worker}/gobgp/"))).collect();
    let of = |file: &str| {
        gobgp.iter().find(|name| name.ends_with(file)).unwrap_or_else(|| panic!("{file}: {gobgp:?}"))
    };
    assert!(archive.text(of("log.txt")).contains("Peer Up"), "{}", archive.text(of("log.txt")));
    assert!(archive.text(of("state.txt")).contains("Establ"), "{}", archive.text(of("state.txt")));
    assert!(archive.json(of("config.json"))["neighbors"].is_array());
    let policies = archive.json("cluster/ciliumbgppeeringpolicies.cilium.io.json");
    assert_eq!(policies.as_array().unwrap().len(), 2, "{policies}");
    assert!(archive.json("cluster/nodes.json").as_array().unwrap().len() == 4);
    assert!(archive.text("cluster/definitions.txt").contains("ciliumbgppeeringpolicies.cilium.io v2alpha1"));
    assert!(archive.text("nodes/tor0/frr/neighbors.txt").contains("Established"));
    assert!(archive.text("keeper/state.json").contains("bgp-cplane-demo"));
    assert!(archive.text("lab/lab.yaml").contains("phases"));
    let missing = archive.missing();
    assert!(
        missing.iter().any(|(path, why)| path == "captures" && why.contains("fabric test")),
        "{missing:#?}"
    );
    assert!(
        missing.iter().any(|(path, why)| path.starts_with("nodes/server0") && why.contains("see nodes/")),
        "{missing:#?}"
    );
}
