//! The second BGP API on a fabric that is up: what a router sees of it, besides what the lab of that API asserts.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::support::{Ground, SOON, until};

const NODE: &str = "clab-bgp-cplane-demo-worker";

pub(crate) fn lab() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp-v2").canonicalize().unwrap()
}

/// The lab, up, and a kubectl for it; nothing where there is no kubectl.
struct Bench {
    ground: Ground,
    kubeconfig: String,
}

impl Bench {
    fn new(test: &str) -> Option<Self> {
        let ground = Ground::new(test)?;
        if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: kubectl is not installed");
            return None;
        }
        ground.run(&["up", lab().to_str().unwrap(), "--name", "k"]).code(0);
        let status = ground.run(&["status", "--name", "k", "--format", "json"]).json();
        let kubeconfig = status["kubeconfig"].as_str().unwrap().to_owned();
        Some(Self { ground, kubeconfig })
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let mut command = self.ground.command("kubectl");
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.ground.path("home")).args(arguments);
        self.ground.start(command).wait().code(0).out
    }

    fn apply(&self, file: &str) {
        self.kubectl(&["apply", "-f", lab().join(file).to_str().unwrap()]);
    }

    fn apply_text(&self, text: &str) {
        let file = self.ground.path("object.yaml");
        std::fs::write(&file, text).unwrap();
        self.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    }

    fn tor0(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = ["vtysh"].iter().chain(words).copied().collect();
        self.ground.exec("k", "tor0", &words).json()
    }

    /// tor0's view of the worker.
    fn neighbor(&self) -> Value {
        self.tor0(&["-c", "show bgp neighbors 10.0.2.2 json"])["10.0.2.2"].clone()
    }

    fn status(&self) -> Value {
        let shown = self.kubectl(&["get", "ciliumbgpnodeconfigs", NODE, "-o", "json"]);
        serde_json::from_str::<Value>(&shown).unwrap()["status"].clone()
    }
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    until(SOON * 40, || if holds() { Ok(()) } else { Err(what.to_owned()) }).unwrap();
}

/// Communities and preference, the status, then timers, graceful restart and a password, one after another.
#[test]
fn what_the_second_api_says_a_router_hears() {
    let Some(bench) = Bench::new("what_the_second_api_says_a_router_hears") else { return };
    bench.apply("bgp.yaml");
    bench.apply("advertisement-marked.yaml");
    // The pod CIDR of the worker, whichever it is.
    let cidr = bench.kubectl(&["get", "node", NODE, "-o", "jsonpath={.spec.podCIDR}"]);
    let show = format!("show bgp ipv4 unicast {cidr} json");
    wait("the marked path", || !bench.tor0(&["-c", &show])["paths"][0]["community"].is_null());
    let path = bench.tor0(&["-c", &show])["paths"][0].clone();
    assert_eq!(path["community"]["string"], "65010:100");
    assert_eq!(path["largeCommunity"]["string"], "65010:1:2");
    assert_eq!(path["locPrf"], 150);
    wait("the numbers of routes", || {
        let count = bench.status()["bgpInstances"][0]["peers"][0]["routeCount"][0].clone();
        count["received"] == 11 && count["advertised"] == 1
    });
    let peer = bench.status()["bgpInstances"][0]["peers"][0].clone();
    assert_eq!(
        (&peer["peeringState"], &peer["timers"]["appliedHoldTimeSeconds"]),
        (&"established".into(), &9.into())
    );

    bench.apply_text(
        "apiVersion: cilium.io/v2\nkind: CiliumBGPPeerConfig\nmetadata: { name: tor }\nspec:\n  timers: { connectRetryTimeSeconds: 1, \
         holdTimeSeconds: 3, keepAliveTimeSeconds: 1 }\n  gracefulRestart: { enabled: true, restartTimeSeconds: 30 }\n  families:\n  - { afi: \
         ipv4, safi: unicast, advertisements: { matchLabels: { advertise: bgp } } }\n",
    );
    wait("the timers", || bench.neighbor()["bgpTimerHoldTimeMsecs"] == 3_000);
    wait("graceful restart", || {
        let seen = bench.neighbor()["gracefulRestartInfo"].clone();
        seen["remoteGrMode"] == "Restart"
            && seen["rBit"] == true
            && seen["timers"]["receivedRestartTimer"] == 30
    });
    // The speaker dies: its path goes on being used, and is its own again when it is back.
    bench.ground.exec("k", "worker", &["sh", "-c", "kill -9 $(pidof gobgpd)"]);
    let mut seen = false;
    wait("the stale path", || {
        let path = bench.tor0(&["-c", &show])["paths"][0].clone();
        seen |= path["stale"] == true;
        assert!(!path.is_null(), "the path went");
        seen && path["stale"].is_null() && bench.neighbor()["bgpState"] == "Established"
    });

    // A password on the router's side alone ends the session; the Secret brings it back.
    bench.ground.exec(
        "k",
        "tor0",
        &[
            "vtysh",
            "-c",
            "configure terminal",
            "-c",
            "router bgp 65010",
            "-c",
            "neighbor 10.0.2.2 password geheim",
        ],
    );
    let patch = r#"{"spec":{"authSecretRef":"bgp"}}"#;
    bench.kubectl(&["patch", "ciliumbgppeerconfigs", "tor", "--type", "merge", "-p", patch]);
    wait("the condition", || {
        let shown = bench.kubectl(&["get", "ciliumbgppeerconfigs", "tor", "-o", "json"]);
        let conditions = serde_json::from_str::<Value>(&shown).unwrap()["status"]["conditions"].clone();
        conditions[0]["type"] == "cilium.io/MissingAuthSecret" && conditions[0]["status"] == "True"
    });
    wait("no session", || bench.neighbor()["bgpState"] != "Established");
    bench.apply_text(
        "apiVersion: v1\nkind: Secret\nmetadata: { name: bgp, namespace: kube-system }\nstringData: { password: geheim }\n",
    );
    wait("the session with a password", || bench.neighbor()["bgpState"] == "Established");
}

#[test]
fn the_lab_of_the_second_api() {
    let Some(ground) = Ground::new("the_lab_of_the_second_api") else { return };
    ground.run(&["test", lab().to_str().unwrap()]).code(0);
}

/// What one node says otherwise than the others, and where it finds its neighbor, address and prefixes.
#[test]
fn overrides_discovery_interfaces_and_aggregates_arrive() {
    let Some(bench) = Bench::new("overrides_discovery_interfaces_and_aggregates_arrive") else { return };
    bench.apply_text(&format!(
        r#"
apiVersion: cilium.io/v2
kind: CiliumBGPPeerConfig
metadata: {{ name: tor }}
spec:
  transport: {{ peerPort: 179, sourceInterface: net0 }}
  families: [{{ afi: ipv4, safi: unicast, advertisements: {{ matchLabels: {{ advertise: bgp }} }} }}]
---
apiVersion: cilium.io/v2
kind: CiliumBGPAdvertisement
metadata: {{ name: all, labels: {{ advertise: bgp }} }}
spec:
  advertisements:
  - {{ advertisementType: Interface, interface: {{ name: net0 }} }}
  - {{ advertisementType: Service, selector: {{}}, service: {{ addresses: [ExternalIP], aggregationLengthIPv4: 24 }} }}
  - {{ advertisementType: PodCIDR }}
---
apiVersion: v1
kind: Service
metadata: {{ name: web, namespace: default }}
spec: {{ ports: [{{ port: 80 }}], externalIPs: [20.0.0.7] }}
---
apiVersion: cilium.io/v2
kind: CiliumBGPNodeConfigOverride
metadata: {{ name: {NODE} }}
spec:
  bgpInstances: [{{ name: rack0, routerID: 10.9.9.9, localPort: 1790, peers: [{{ name: tor0, localPort: 4 }}] }}]
---
apiVersion: cilium.io/v2
kind: CiliumBGPClusterConfig
metadata: {{ name: rack0 }}
spec:
  nodeSelector: {{ matchLabels: {{ rack: rack0 }} }}
  bgpInstances:
  - name: rack0
    localASN: 65010
    peers:
    - name: tor0
      peerASN: 65010
      autoDiscovery: {{ mode: DefaultGateway, defaultGateway: {{ addressFamily: ipv4 }} }}
      peerConfigRef: {{ name: tor }}
"#
    ));
    wait("the session", || {
        let neighbor = bench.neighbor();
        neighbor["bgpState"] == "Established" && neighbor["remoteRouterId"] == "10.9.9.9"
    });
    assert_eq!(bench.neighbor()["hostForeign"], "10.0.2.2");
    let nodes = |prefix: &str| {
        let shown = bench.tor0(&["-c", &format!("show bgp ipv4 unicast {prefix} json")]);
        let paths = shown["paths"].as_array().cloned().unwrap_or_default();
        paths.iter().filter(|path| path["peer"]["peerId"] == "10.0.2.2").count()
    };
    wait("the aggregate", || nodes("20.0.0.0/24") == 1);
    wait("the interface's address", || nodes("10.0.2.2/32") == 1);
    let listening = bench.ground.exec("k", "worker", &["ss", "-ltnH", "sport = :1790"]).code(0);
    assert!(listening.out.contains(":1790"), "{}", listening.out);
    // What is not honoured is named.
    let of_node = format!("involvedObject.name={NODE}");
    wait("the event", || {
        let events = bench.kubectl(&["get", "events", "--field-selector", &of_node]);
        events.contains("peers tor0: localPort 4 is not honoured")
    });
}
