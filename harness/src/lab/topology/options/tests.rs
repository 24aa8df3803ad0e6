use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::lab::topology::{Topology, read};
use crate::lab::yaml::{Diagnostic, Diagnostics, Scope};

fn read_text(text: &str) -> (Option<Topology>, Vec<Diagnostic>) {
    let mut ctx = Diagnostics::new();
    let topology = read(Path::new("t.yml"), text, Path::new("/"), &|_| None, &mut ctx);
    (topology, ctx.into_sorted())
}

fn of(node: &str) -> (Option<ContainerOptions>, Vec<Diagnostic>) {
    let (topology, noted) =
        read_text(&format!("name: x\ntopology:\n  nodes:\n    a: {{kind: linux, {node}}}\n"));
    (topology.map(|mut topology| topology.nodes.remove(0).options), noted)
}

fn sound(node: &str) -> ContainerOptions {
    let (options, noted) = of(node);
    assert!(noted.iter().all(|noted| noted.scope == Scope::Namespaces), "{noted:#?}");
    options.expect("options")
}

#[rstest]
#[case("80", &["80/tcp from any of None"])]
#[case("8080:80", &["80/tcp from any of Some((8080, 8080))"])]
#[case("55555:43555/udp", &["43555/udp from any of Some((55555, 55555))"])]
#[case("127.0.0.1:8080:80/TCP", &["80/tcp from 127.0.0.1 of Some((8080, 8080))"])]
#[case("[::1]:8080:80", &["80/tcp from ::1 of Some((8080, 8080))"])]
#[case("127.0.0.1::80", &["80/tcp from 127.0.0.1 of None"])]
#[case("8000-8001:80-81/sctp", &["80/sctp from any of Some((8000, 8000))", "81/sctp from any of Some((8001, 8001))"])]
#[case("8000-9000:80", &["80/tcp from any of Some((8000, 9000))"])]
#[case("80-81", &["80/tcp from any of None", "81/tcp from any of None"])]
fn ports(#[case] line: &str, #[case] expected: &[&str]) {
    let shown = |port: &PublishedPort| {
        let ip = port.ip.map_or_else(|| "any".to_owned(), |ip| ip.to_string());
        format!("{}/{} from {ip} of {:?}", port.inside, port.protocol, port.outside)
    };
    let options = sound(&format!("ports: ['{line}']"));
    assert_eq!(options.ports.iter().map(shown).collect::<Vec<_>>(), expected);
}

#[rstest]
#[case("1Gb", 1_000_000_000)]
#[case("512mib", 512 << 20)]
#[case("1.5 GiB", 3 << 29)]
#[case("64", 64)]
#[case("2k", 2000)]
fn sizes(#[case] text: &str, #[case] bytes: i64) {
    assert_eq!(sound(&format!("memory: {text}")).memory, Some(bytes));
}

#[test]
fn everything_at_once() {
    let options = sound(
        "hostname: h, user: '1000:1000', cap-add: [CAP_SYS_TIME, bpf], privileged: false, security-opts: ['label=disable'],
       devices: ['/dev/net/tun', '/dev/a:/dev/b:r'], cpu: 1.5, cpu-set: '0-1,4', shm-size: 64mib,
       tmpfs: {/run: 'size=1m', /x: }, cgroupns-mode: private, pid-mode: host,
       dns: {servers: [1.1.1.1], search: [foo.com], options: ['ndots:2']}, aliases: [a.example.com],
       restart-policy: no, auto-remove: true, image-pull-policy: never,
       healthcheck: {test: [CMD-SHELL, 'true'], start-period: 3, interval: 5, timeout: 2, retries: 1}",
    );
    assert_eq!((options.hostname.as_deref(), options.user.as_deref()), (Some("h"), Some("1000:1000")));
    assert_eq!(options.cap_add, ["SYS_TIME", "BPF"]);
    assert_eq!(options.devices, ["/dev/net/tun", "/dev/a:/dev/b:r"]);
    assert_eq!(
        (options.cpu, options.cpu_set.as_deref(), options.shm_size),
        (Some(1.5), Some("0-1,4"), Some(64 << 20))
    );
    assert_eq!((options.tmpfs["/run"].as_str(), options.tmpfs["/x"].as_str()), ("size=1m", ""));
    assert_eq!(options.dns.expect("dns").options, ["ndots:2"]);
    assert_eq!(options.restart_policy, Some(RestartPolicy::No));
    assert_eq!(options.cgroupns_mode, Some(CgroupNamespace::Private));
    assert_eq!((options.auto_remove, options.pull), (Some(true), Some(PullPolicy::Never)));
    let health = options.healthcheck.expect("a check");
    assert_eq!((health.interval, health.retries), (Some(Duration::from_secs(5)), Some(1)));
}

#[rstest]
#[case::port(
    "ports: ['99999:80']",
    "t.yml:4:30: error: \"99999:80\" publishes no port: \"99999\" is not a port"
)]
#[case::ranges(
    "ports: ['1-3:1-2']",
    "t.yml:4:30: error: \"1-3:1-2\" publishes no port: 2 ports of the container and 3"
)]
#[case::protocol(
    "ports: ['80/icmp']",
    "t.yml:4:30: error: \"80/icmp\" publishes no port: \"icmp\" is not tcp"
)]
#[case::address(
    "ports: ['x:1:1']",
    "t.yml:4:30: error: \"x:1:1\" publishes no port: \"x\" is not an address"
)]
#[case::memory("memory: lots", "t.yml:4:30: error: \"lots\" is not a size")]
#[case::nothing("shm-size: 0", "t.yml:4:32: error: \"0\" is not a size")]
#[case::cpu("cpu: -1", "t.yml:4:27: error: \"-1\" is not a number of processors")]
#[case::cpu_set("cpu-set: 3-1", "t.yml:4:31: error: \"3-1\" is not a set of processors")]
#[case::capability("cap-add: ['a b']", "t.yml:4:32: error: \"a b\" is not a capability")]
#[case::device("devices: [tun]", "t.yml:4:32: error: \"tun\" is not a device")]
#[case::policy("restart-policy: allways", "t.yml:4:38: error: \"allways\" is not a restart policy")]
#[case::cgroupns("cgroupns-mode: privat", "t.yml:4:37: error: \"privat\" is not a cgroup namespace")]
#[case::both(
    "restart-policy: always, auto-remove: true",
    "t.yml:4:38: error: a container that is removed when it ends"
)]
#[case::pull("image-pull-policy: Sometimes", "t.yml:4:41: error: \"Sometimes\" is not a pull policy")]
#[case::dns("dns: {servers: [here]}", "t.yml:4:38: error: expected an IP address, found \"here\"")]
#[case::dns_key("dns: {server: [1.1.1.1]}", "t.yml:4:28: error: `dns` has no key `server`")]
#[case::health("healthcheck: {interval: 1}", "t.yml:4:35: error: `healthcheck` needs the key `test`")]
#[case::health_word(
    "healthcheck: {test: [true]}",
    "t.yml:4:42: error: this is no test of a container's health"
)]
#[case::a_list("ports: 80", "t.yml:4:29: error: expected a list")]
fn what_cannot_be_is_told_with_its_place(#[case] node: &str, #[case] message: &str) {
    let (_, noted) = of(node);
    let lines: Vec<String> = noted.iter().map(|noted| format!("{noted:#}")).collect();
    assert!(lines.iter().any(|line| line.starts_with(message)), "{lines:#?}");
}

#[test]
fn levels_combine_as_in_containerlab() {
    let (topology, _) = read_text(
        "name: x
topology:
  defaults: {kind: linux, user: d, cap-add: [A, B], ports: ['1:1'], aliases: [d], memory: 1mb, tmpfs: {/a: d, /b: d}}
  kinds: {linux: {cap-add: [C], ports: ['2:2'], healthcheck: {test: [NONE]}, cpu: 2}}
  groups: {g: {user: g, devices: [/dev/g], dns: {servers: [1.1.1.1]}}}
  nodes:
    a: {group: g, cap-add: [B, D], ports: ['3:3', '4:4'], aliases: [a], dns: {search: [a]}, tmpfs: {/b: n}}
    b: {}
",
    );
    let nodes = topology.expect("a topology").nodes;
    let [a, b] = [&nodes[0].options, &nodes[1].options];
    assert_eq!(a.cap_add, ["A", "B", "C", "D"]);
    assert_eq!(a.ports.iter().map(|port| port.inside).collect::<Vec<_>>(), [3, 4]);
    assert_eq!((a.user.as_deref(), b.user.as_deref(), a.cpu), (Some("g"), Some("d"), Some(2.0)));
    assert_eq!((a.devices.len(), b.devices.len(), b.ports[0].inside), (1, 0, 2));
    assert_eq!((a.aliases.clone(), b.aliases.clone()), (vec!["a".to_owned()], Vec::new()));
    let dns = a.dns.clone().expect("dns");
    assert!(dns.servers.is_empty() && dns.search == ["a"], "the most specific level's, whole");
    assert_eq!((a.tmpfs["/a"].as_str(), a.tmpfs["/b"].as_str()), ("d", "n"));
    assert!(a.healthcheck.is_some() && b.healthcheck.is_some());
}

#[test]
fn what_namespaces_do_not_honour_is_said_of_them_alone() {
    let (_, noted) = of("ports: ['80:80'], memory: 1gb, hostname: h, position: x");
    let lines: Vec<_> = noted.iter().map(|noted| (noted.scope, noted.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (
                Scope::Namespaces,
                "`ports` of a node is not honoured in namespaces: nothing of a node is published on the host"
            ),
            (
                Scope::Namespaces,
                "`memory` of a node is not honoured in namespaces: nodes have no limits of their own"
            ),
            (Scope::Everywhere, "`position` of a node is not honoured: nothing is drawn from it"),
        ]
    );
}

#[test]
fn ports_want_a_network_of_the_nodes_own() {
    let (_, noted) = of("ports: ['80:80'], network-mode: none");
    let lines: Vec<String> = noted.iter().map(|noted| format!("{noted:#}")).collect();
    assert!(
        lines.iter().any(|line| line.contains("warning: the ports of `a` are not published")),
        "{lines:#?}"
    );
}

proptest! {
    #[test]
    fn any_port_is_read_or_refused(text in "[0-9a-z:/\\[\\].-]{0,24}") {
        let (options, noted) = of(&format!("ports: ['{text}']"));
        prop_assert!(options.is_none_or(|options| !options.ports.is_empty()) || !noted.is_empty());
    }

    #[test]
    fn any_size_is_read_or_refused(text in "[0-9.kmgtib ]{1,12}") {
        let (options, noted) = of(&format!("memory: '{text}'"));
        prop_assert!(options.is_some_and(|options| options.memory.is_some_and(|bytes| bytes > 0)) || !noted.is_empty());
    }
}
