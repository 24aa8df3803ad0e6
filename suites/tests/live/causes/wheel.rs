//! A lab of one hub and many spokes, a session each, in which every spoke can be broken in its own way at once.

use std::fmt::Write;
use std::path::PathBuf;

use super::super::support::Ground;

/// One spoke, with which the hub has a session over a link of its own.
pub(super) struct Spoke {
    /// Its name, which is that of its link at the hub, too.
    pub(super) name: &'static str,
    /// More lines of its `router bgp`.
    pub(super) told: &'static [&'static str],
    /// More lines of the hub's `router bgp`; `PEER` is the spoke's address.
    pub(super) hub_told: &'static [&'static str],
    /// Its AS number, where that is not the one the hub expects.
    pub(super) asn: Option<u32>,
    /// More options of its bgpd.
    pub(super) options: &'static str,
    /// Whether both ends speak between their loopbacks.
    pub(super) loopbacks: bool,
    /// Whether it stays up, and is to carry both families.
    pub(super) both: bool,
    /// What is typed in the spoke to break it.
    pub(super) broken_by: &'static [&'static str],
    /// What is typed in the hub.
    pub(super) broken_at_hub: &'static [&'static str],
}

pub(super) const SPOKE: Spoke = Spoke {
    name: "",
    told: &[],
    hub_told: &[],
    asn: None,
    options: "",
    loopbacks: false,
    both: false,
    broken_by: &[],
    broken_at_hub: &[],
};

/// The hub's AS number; spokes have their own behind it, in their order.
pub(super) const HUB: u32 = 65000;

impl Spoke {
    pub(super) fn expected_asn(number: usize) -> u32 {
        HUB + 1 + u32::try_from(number).unwrap()
    }

    /// The addresses of hub and spoke on their link.
    pub(super) fn link(number: usize) -> [String; 2] {
        [format!("10.9.{number}.1"), format!("10.9.{number}.2")]
    }

    fn wanted(&self) -> &'static str {
        if self.both { "{ families: [ipv4, ipv6] }" } else { "established" }
    }

    /// What the check of it says.
    pub(super) fn says(&self) -> &'static str {
        if self.both { "carries IPv4 and IPv6" } else { "is established" }
    }

    /// What hub and spoke call each other: the other's address.
    pub(super) fn called(&self, number: usize) -> [String; 2] {
        if self.loopbacks {
            [format!("10.8.{number}.2"), format!("10.8.{number}.1")]
        } else {
            let [hub, spoke] = Self::link(number);
            [spoke, hub]
        }
    }
}

/// FRR's start as containerlab's users write it.
const START: [&str; 3] = [
    "touch /etc/frr/vtysh.conf",
    "sed -i -e 's/bgpd=no/bgpd=yes/' /etc/frr/daemons",
    "/usr/lib/frr/frrinit.sh start",
];

/// Writes the lab; every session is to be up within `within`.
pub(super) fn write(ground: &Ground, folder: &str, spokes: &[Spoke], within: &str) -> PathBuf {
    let to = ground.path(folder);
    std::fs::create_dir_all(&to).unwrap();
    std::fs::write(to.join("wheel.clab.yml"), topology(spokes)).unwrap();
    std::fs::write(to.join("lab.yaml"), expectations(spokes, within)).unwrap();
    to
}

fn topology(spokes: &[Spoke]) -> String {
    let mut text = "name: wheel\ntopology:\n  nodes:\n".to_owned();
    let mut node = |name: &str, lines: &[String], asn: u32, told: &[String]| {
        writeln!(text, "    {name}:\n      kind: linux\n      image: frrouting/frr:v8.2.2\n      cmd: bash\n      network-mode: none\n      exec:").unwrap();
        for line in lines.iter().map(String::as_str).chain(START) {
            writeln!(text, "      - {}", serde_json::to_string(line).unwrap()).unwrap();
        }
        let mut line = format!(
            "vtysh -c 'conf t' -c 'router bgp {asn}' -c 'no bgp ebgp-requires-policy' -c 'no bgp network import-check'"
        );
        for told in told {
            write!(line, " -c '{told}'").unwrap();
        }
        writeln!(text, "      - {}", serde_json::to_string(&line).unwrap()).unwrap();
    };
    let (mut lines, mut told) = (Vec::new(), vec!["timers bgp 1 3".to_owned()]);
    for (number, spoke) in spokes.iter().enumerate() {
        let [own, far] = Spoke::link(number);
        lines.push(format!("ip addr add {own}/24 dev {}", spoke.name));
        let [peer, _] = spoke.called(number);
        if spoke.loopbacks {
            lines.push(format!("ip addr add 10.8.{number}.1/32 dev lo"));
            lines.push(format!("ip route add {peer}/32 via {far}"));
            told.push(format!("neighbor {peer} remote-as {}", Spoke::expected_asn(number)));
            told.push(format!("neighbor {peer} ebgp-multihop 3"));
        } else {
            told.push(format!("neighbor {peer} remote-as {}", Spoke::expected_asn(number)));
        }
        told.push(format!("neighbor {peer} timers connect 2"));
        told.extend(spoke.hub_told.iter().map(|line| line.replace("PEER", &peer)));
    }
    node("hub", &lines, HUB, &told);
    for (number, spoke) in spokes.iter().enumerate() {
        let [far, own] = Spoke::link(number);
        let [_, peer] = spoke.called(number);
        let mut lines = vec![format!("ip addr add {own}/24 dev net0")];
        if !spoke.options.is_empty() {
            let options = spoke.options;
            lines
                .push(format!("sed -i -e 's/^bgpd_options=.*/bgpd_options=\"{options}\"/' /etc/frr/daemons"));
        }
        let mut told = vec!["timers bgp 1 3".to_owned(), format!("neighbor {peer} remote-as {HUB}")];
        if spoke.loopbacks {
            lines.push(format!("ip addr add 10.8.{number}.2/32 dev lo"));
            lines.push(format!("ip route add {peer}/32 via {far}"));
            told.push(format!("neighbor {peer} ebgp-multihop 3"));
        }
        told.push(format!("neighbor {peer} timers connect 2"));
        told.extend(spoke.told.iter().map(|line| line.replace("PEER", &peer)));
        node(spoke.name, &lines, spoke.asn.unwrap_or_else(|| Spoke::expected_asn(number)), &told);
    }
    text.push_str("  links:\n");
    for spoke in spokes {
        let name = spoke.name;
        writeln!(text, "  - endpoints: [\"hub:{name}\", \"{name}:net0\"]").unwrap();
    }
    text
}

fn expectations(spokes: &[Spoke], within: &str) -> String {
    let mut text = format!(
        "topology: wheel.clab.yml\nphases:\n- name: underlay\n  up: underlay\n- name: wheel\n  expect:\n    within: {within}\n    sessions:\n      hub:\n"
    );
    for (number, spoke) in spokes.iter().enumerate() {
        writeln!(text, "        {}: {}", spoke.called(number)[0], spoke.wanted()).unwrap();
    }
    for (number, spoke) in spokes.iter().enumerate() {
        writeln!(text, "      {}: {{ {}: {} }}", spoke.name, spoke.called(number)[1], spoke.wanted())
            .unwrap();
    }
    text
}
