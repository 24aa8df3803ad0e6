//! What a topology asks of its containers is what the engine has.

use std::net::TcpListener;

use serde_json::{Value, json};

use super::engine::{docker, inspect};
use super::lab::Bench;

const NODES: &str = r#"  nodes:
    a:
      kind: linux
      image: frrouting/frr
      cmd: sleep infinity
      group: g
      hostname: other
      user: "0:0"
      env: {GREETING: "hello world"}
      labels: {tier: spine, clab-node-name: mine}
      binds: ["bound.txt:/bound.txt:ro"]
      sysctls: {net.ipv4.ip_forward: 1}
      ports: ["127.0.0.1:PORT:80", "5353/udp"]
      cap-add: [SYS_TIME]
      devices: ["/dev/null:/dev/nil:r"]
      memory: 512Mb
      cpu: 1.5
      cpu-set: "0"
      shm-size: 32mib
      tmpfs: {/scratch: size=1m}
      dns: {servers: [192.0.2.53], search: [example.com], options: ["ndots:2"]}
      aliases: [a.example.com]
      restart-policy: on-failure
      healthcheck: {test: [CMD, "true"], interval: 5, timeout: 2, start-period: 3, retries: 4}
    b: {kind: linux, image: frrouting/frr, cmd: sleep infinity, auto-remove: true, mgmt-ipv4: LAST}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
    - endpoints: ["a:eth2", "b:eth2"]
"#;

/// A port of the machine that nobody has.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn variable<'a>(said: &'a Value, name: &str) -> Option<&'a str> {
    let all = said["Config"]["Env"].as_array().unwrap();
    all.iter().filter_map(Value::as_str).find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

pub(crate) fn are_as_the_topology_says() {
    let port = free_port();
    let last = super::lab::subnet().replace(".0/24", ".200");
    let mgmt = "network: NAME, bridge: brBRIDGE, ipv4-subnet: SUBNET, ipv4-range: RANGE, mtu: 1400, \
                driver-opts: {com.docker.network.bridge.enable_icc: 'true'}";
    let range = super::lab::subnet().replace(".0/24", ".64/26");
    let bridge = format!("br{}", std::process::id());
    let mgmt = mgmt.replace("brBRIDGE", &bridge).replace("RANGE", &range);
    let nodes = NODES.replace("PORT", &port.to_string()).replace("LAST", &last);
    let bench = Bench::topology("options", &mgmt, &nodes);
    std::fs::write(bench.path.join("bound.txt"), "bound").unwrap();
    let done = bench.run("up", &[]).code(0);
    assert!(!done.err.contains("is not honoured"), "{}", done.err);

    let name = bench.name.as_str();
    let a = inspect(&format!("clab-{name}-a"));
    let (config, host) = (&a["Config"], &a["HostConfig"]);
    assert_eq!((&config["Hostname"], &config["User"]), (&json!("other"), &json!("0:0")));
    let labels = [
        ("containerlab", name),
        ("clab-node-name", "a"),
        ("clab-node-kind", "linux"),
        ("clab-node-group", "g"),
        ("clab-mgmt-net-bridge", &bridge),
        ("tier", "spine"),
        ("fabric", name),
    ];
    for (label, value) in labels {
        assert_eq!(config["Labels"][label], *value, "{label}");
    }
    assert!(config["Labels"]["clab-owner"].is_string(), "{}", config["Labels"]);
    assert_eq!(variable(&a, "CLAB_INTFS"), Some("2"));
    assert_eq!(variable(&a, "CLAB_LABEL_CLAB_NODE_NAME"), Some("a"));
    assert_eq!(variable(&a, "CLAB_LABEL_TIER"), Some("spine"));
    assert_eq!(variable(&a, "GREETING"), Some("hello world"));
    let bindings = &host["PortBindings"];
    assert_eq!(bindings["80/tcp"], json!([{"HostIp": "127.0.0.1", "HostPort": port.to_string()}]));
    assert!(a["NetworkSettings"]["Ports"]["5353/udp"][0]["HostPort"].is_string(), "{}", a["NetworkSettings"]);
    assert_eq!(host["Sysctls"]["net.ipv4.ip_forward"], "1");
    assert!(host["Binds"][0].as_str().unwrap().ends_with("/bound.txt:/bound.txt:ro"), "{}", host["Binds"]);
    let added = host["CapAdd"].as_array().unwrap();
    assert!(
        added.iter().any(|name| name.as_str().unwrap().trim_start_matches("CAP_") == "SYS_TIME"),
        "{added:?}"
    );
    let device =
        json!([{"PathOnHost": "/dev/null", "PathInContainer": "/dev/nil", "CgroupPermissions": "r"}]);
    assert_eq!(host["Devices"], device);
    assert_eq!((&host["Memory"], &host["ShmSize"]), (&json!(512_000_000), &json!(32 << 20)));
    assert_eq!((&host["CpuQuota"], &host["CpuPeriod"]), (&json!(150_000), &json!(100_000)));
    assert_eq!((&host["CpusetCpus"], &host["Tmpfs"]), (&json!("0"), &json!({"/scratch": "size=1m"})));
    assert_eq!((&host["Dns"], &host["DnsSearch"]), (&json!(["192.0.2.53"]), &json!(["example.com"])));
    assert_eq!(
        (&host["DnsOptions"], &host["RestartPolicy"]["Name"]),
        (&json!(["ndots:2"]), &json!("on-failure"))
    );
    let aliases = a["NetworkSettings"]["Networks"][name]["Aliases"].as_array().unwrap();
    assert!(aliases.contains(&json!("a.example.com")), "{aliases:?}");
    let health = &config["Healthcheck"];
    assert_eq!(health["Test"], json!(["CMD", "true"]));
    assert_eq!((&health["Interval"], &health["Retries"]), (&json!(5_000_000_000_i64), &json!(4)));

    // What the engine has is what is there.
    let seen =
        bench.ground.exec(name, "a", &["sh", "-c", "cat /bound.txt /proc/sys/net/ipv4/ip_forward; hostname"]);
    assert_eq!(seen.out.split_whitespace().collect::<Vec<_>>(), ["bound1", "other"]);

    let b = inspect(&format!("clab-{name}-b"));
    assert_eq!(b["HostConfig"]["AutoRemove"], true);
    assert_eq!(b["HostConfig"]["RestartPolicy"]["Name"], "", "none was asked for");
    assert_eq!(b["NetworkSettings"]["Networks"][name]["IPAddress"], last);

    let network = inspect(name);
    assert_eq!(network["IPAM"]["Config"][0]["IPRange"], range);
    let options = &network["Options"];
    assert_eq!(options["com.docker.network.bridge.name"], bridge);
    assert_eq!(options["com.docker.network.driver.mtu"], "1400");
    assert_eq!(options["com.docker.network.bridge.enable_icc"], "true");
    assert_eq!(network["Labels"]["containerlab"], "");

    bench.ground.run(&["down", "--name", name]).code(0);
    bench.nothing_is_left();
    docker(&["network", "inspect", name]).expect_err("its network is gone");
}
