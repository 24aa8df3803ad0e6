//! Sessions between routers, each broken in its own way, side by side on one fabric.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::support::{Ground, Record, until};
use super::of;
use super::wheel::{self, SPOKE, Spoke};

/// A cause as a test expects it: kind, node, about (`PEER` is the other's address, as the spoke calls it; `SPOKE` as the
/// hub does).
struct Expected(&'static str, &'static str, &'static str);

/// Ways to break a session, and what is to be said of each.
const WAYS: [(Spoke, Expected); 21] = [
    (
        Spoke { name: "link", broken_by: &["ip link set net0 down"], ..SPOKE },
        Expected("link-down", "link", "net0"),
    ),
    (Spoke { name: "cut", broken_by: &["ip link del net0"], ..SPOKE }, Expected("link-down", "hub", "cut")),
    (
        Spoke { name: "theirs", broken_by: &["ip addr flush dev net0 scope global"], ..SPOKE },
        Expected("address-missing", "theirs", "net0"),
    ),
    (
        Spoke { name: "ours", broken_at_hub: &["ip addr flush dev ours scope global"], ..SPOKE },
        Expected("address-missing", "hub", "ours"),
    ),
    (
        Spoke {
            name: "route",
            loopbacks: true,
            told: &["neighbor PEER update-source lo"],
            hub_told: &["neighbor PEER update-source lo"],
            broken_at_hub: &["ip route del 10.8.4.2/32"],
            ..SPOKE
        },
        Expected("no-route-to-peer", "hub", "SPOKE"),
    ),
    (
        Spoke {
            name: "drop",
            broken_by: &[
                "iptables -A INPUT -p tcp --dport 179 -j DROP",
                "iptables -A INPUT -p tcp --sport 179 -j DROP",
            ],
            ..SPOKE
        },
        Expected("tcp-filtered", "drop", "tcp/179"),
    ),
    (
        Spoke {
            name: "reject",
            broken_by: &[
                "iptables -A INPUT -p tcp --dport 179 -j REJECT --reject-with tcp-reset",
                "iptables -A OUTPUT -p tcp --dport 179 -j REJECT --reject-with tcp-reset",
            ],
            ..SPOKE
        },
        Expected("tcp-refused", "reject", "tcp/179"),
    ),
    (
        Spoke {
            name: "deaf",
            options: "-A 127.0.0.1 -l 127.0.0.1",
            told: &["neighbor PEER passive"],
            ..SPOKE
        },
        Expected("peer-not-listening", "deaf", "tcp/179"),
    ),
    (
        Spoke {
            name: "waits",
            told: &["neighbor PEER passive"],
            hub_told: &["neighbor PEER passive"],
            ..SPOKE
        },
        Expected("nobody-calls", "hub", "passive"),
    ),
    (Spoke { name: "number", asn: Some(65099), ..SPOKE }, Expected("wrong-as", "hub", "SPOKE")),
    (Spoke { name: "source", loopbacks: true, ..SPOKE }, Expected("wrong-peer-address", "hub", "SPOKE")),
    (
        Spoke {
            name: "hold",
            broken_by: &[
                "iptables -A INPUT -p tcp --dport 179 ! --syn -j DROP",
                "iptables -A INPUT -p tcp --sport 179 ! --syn -j DROP",
            ],
            ..SPOKE
        },
        Expected("hold-timer-expired", "hub", "SPOKE"),
    ),
    (
        Spoke { name: "signed", told: &["neighbor PEER password secret-one"], ..SPOKE },
        Expected("md5-mismatch", "hub", "SPOKE"),
    ),
    (
        Spoke {
            name: "forged",
            told: &["neighbor PEER password secret-one"],
            hub_told: &["neighbor PEER password secret-two"],
            ..SPOKE
        },
        Expected("md5-mismatch", "hub", "SPOKE"),
    ),
    (
        Spoke { name: "shut", told: &["neighbor PEER shutdown"], ..SPOKE },
        Expected("session-shut-down", "shut", "PEER"),
    ),
    (
        Spoke {
            name: "dead",
            broken_by: &[
                "sh -c 'kill -KILL $(cat /run/frr/watchfrr.pid); kill -KILL $(cat /run/frr/bgpd.pid)'",
            ],
            ..SPOKE
        },
        Expected("daemon-not-running", "dead", ""),
    ),
    (
        Spoke {
            name: "hung",
            broken_by: &[
                "sh -c 'kill -KILL $(cat /run/frr/watchfrr.pid); kill -STOP $(cat /run/frr/bgpd.pid)'",
            ],
            ..SPOKE
        },
        Expected("daemon-hung", "hung", ""),
    ),
    (
        Spoke { name: "untold", told: &["no neighbor PEER"], ..SPOKE },
        Expected("peer-not-configured", "untold", "PEER"),
    ),
    (
        Spoke { name: "wiped", broken_by: &["vtysh -c 'conf t' -c 'no router bgp'"], ..SPOKE },
        Expected("no-bgp-configured", "wiped", ""),
    ),
    (
        Spoke {
            name: "limit",
            hub_told: &["neighbor PEER maximum-prefix 1"],
            told: &["network 1.1.1.0/24", "network 1.1.2.0/24", "network 1.1.3.0/24"],
            ..SPOKE
        },
        Expected("prefix-limit", "hub", "SPOKE"),
    ),
    (
        Spoke {
            name: "family",
            both: true,
            hub_told: &["address-family ipv6 unicast", "neighbor PEER activate", "exit-address-family"],
            ..SPOKE
        },
        Expected("family-not-negotiated", "family", "PEER ipv6 unicast"),
    ),
];

fn words(line: &str) -> Vec<String> {
    shell_words::split(line).unwrap()
}

/// The states of the hub's sessions, by address.
fn states(ground: &Ground) -> BTreeMap<String, String> {
    let said = ground.exec("w", "hub", &["vtysh", "-c", "show bgp summary json"]).json();
    let peers = said["ipv4Unicast"]["peers"].as_object().cloned().unwrap_or_default();
    peers.into_iter().map(|(key, peer)| (key, peer["state"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn each_way_to_break_a_session_is_told_apart() {
    let Some(ground) = Ground::new("each_way_to_break_a_session_is_told_apart") else { return };
    let (spokes, expected): (Vec<Spoke>, Vec<Expected>) = WAYS.into_iter().unzip();
    let lab = wheel::write(&ground, "wheel", &spokes, "2s");
    let lab = lab.to_str().unwrap();
    ground.run(&["up", lab, "--name", "w", "--to", "underlay"]).code(0);
    // Those that are broken by hand come up first: only so can they be lost.
    let by_hand = |spoke: &Spoke| !spoke.broken_by.is_empty() || !spoke.broken_at_hub.is_empty();
    let numbered = || spokes.iter().enumerate().map(|(number, spoke)| (spoke, spoke.called(number)));
    until(Duration::from_secs(30), || {
        let states = states(&ground);
        let open: Vec<_> = numbered()
            .filter(|(spoke, [peer, _])| {
                by_hand(spoke) && states.get(peer).is_none_or(|state| state != "Established")
            })
            .map(|(spoke, _)| spoke.name)
            .collect();
        if open.is_empty() { Ok(()) } else { Err(format!("not up: {open:?} {states:?}")) }
    })
    .unwrap();
    for (spoke, _) in numbered() {
        for (node, line) in spoke
            .broken_by
            .iter()
            .map(|line| (spoke.name, line))
            .chain(spoke.broken_at_hub.iter().map(|line| ("hub", line)))
        {
            let line = words(line);
            let line: Vec<&str> = line.iter().map(String::as_str).collect();
            ground.exec("w", node, &line);
        }
    }
    until(Duration::from_secs(20), || {
        let states = states(&ground);
        let up: Vec<_> = numbered()
            .filter(|(spoke, [peer, _])| {
                !spoke.both && states.get(peer).is_some_and(|state| state == "Established")
            })
            .map(|(spoke, _)| spoke.name)
            .collect();
        if up.is_empty() { Ok(()) } else { Err(format!("still up: {up:?}")) }
    })
    .unwrap();
    let done = ground.run(&["test", lab, "--name", "w", "--only", "wheel::"]).code(1);
    let record = Record::read(&ground.path("target/fabric/latest"));
    let causes = record.0["causes"].as_array().unwrap();
    let text = serde_json::to_string_pretty(&causes).unwrap();
    assert!(!text.contains("secret-one") && !text.contains("secret-two"), "a password is told");
    for cause in causes {
        let evidence = cause["evidence"].as_array().unwrap();
        assert!(!evidence.is_empty() && cause["next_command"].is_string(), "{cause:#}");
    }
    let mut wrong = Vec::new();
    for ((spoke, [peer, hub]), Expected(kind, node, about)) in numbered().zip(&expected) {
        let victims = [
            format!("wheel::sessions::hub::{peer} {}", spoke.says()),
            format!("wheel::sessions::{}::{hub} {}", spoke.name, spoke.says()),
        ];
        let about = about.replace("PEER", &hub).replace("SPOKE", &peer);
        let about = (!about.is_empty()).then_some(about);
        for victim in &victims {
            let seen = of(&record, victim);
            let wanted = Some(((*kind).to_owned(), Some((*node).to_owned()), about.clone()));
            if seen != wanted {
                wrong.push(format!(
                    "{victim}\n  expected {wanted:?}\n  seen     {seen:?}\n{}",
                    record.failure(victim)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n\n"), done.err);
}
