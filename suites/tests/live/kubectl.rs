//! kubectl against a fabric that is up.

use std::io::Write;
use std::process::Command;

use super::support::{Ground, SOON, article, until};

#[test]
fn what_the_article_types() {
    let Some(ground) = Ground::new("what_the_article_types") else { return };
    let Ok(version) = Command::new("kubectl").args(["version", "--client", "-o", "json"]).output() else {
        let _ = writeln!(std::io::stderr(), "SKIPPED what_the_article_types: kubectl is not installed");
        return;
    };
    let version: serde_json::Value = serde_json::from_slice(&version.stdout).unwrap();
    let minor = version["clientVersion"]["minor"]
        .as_str()
        .unwrap_or("0")
        .trim_end_matches('+')
        .parse::<u32>()
        .unwrap();
    let lab = article();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "k"]).code(0);
    let kubeconfig = ground.run(&["status", "--name", "k", "--format", "json"]).json()["kubeconfig"].clone();
    let kubectl = |arguments: &[&str]| {
        let mut command = ground.command("kubectl");
        // Its caches go into the test's folder.
        command
            .env("KUBECONFIG", kubeconfig.as_str().unwrap())
            .env("HOME", ground.path("home"))
            .args(arguments);
        ground.start(command).wait()
    };

    let nodes = kubectl(&["get", "nodes", "-o", "wide"]).code(0).out;
    assert_eq!(nodes.lines().filter(|line| line.contains(" Ready ")).count(), 4, "{nodes}");
    assert!(nodes.contains("clab-bgp-cplane-demo-control-plane") && nodes.contains("10.0.4.2"), "{nodes}");

    let policies = lab.join("cilium-bgp-peering-policies.yaml");
    let applied = kubectl(&["apply", "-f", policies.to_str().unwrap()]).code(0).out;
    assert!(applied.contains("ciliumbgppeeringpolicy.cilium.io/rack0 created"), "{applied}");
    let again = kubectl(&["apply", "-f", policies.to_str().unwrap()]).code(0).out;
    assert!(again.contains("rack0 unchanged"), "{again}");
    let listed = kubectl(&["get", "ciliumbgppeeringpolicies"]).code(0).out;
    assert!(listed.contains("rack0") && listed.contains("rack1"), "{listed}");
    let wrong = "apiVersion: cilium.io/v2alpha1\nkind: CiliumBGPPeeringPolicy\nmetadata: {name: x}\nspec: {virtualRouters: []}\n";
    std::fs::write(ground.path("wrong.yaml"), wrong).unwrap();
    let refused = kubectl(&["apply", "-f", ground.path("wrong.yaml").to_str().unwrap()]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("spec.virtualRouters"), "{}", refused.err);

    kubectl(&["apply", "-f", lab.join("nettool.yaml").to_str().unwrap()]).code(0);
    kubectl(&["wait", "--for=condition=Ready", "pod/nettool-1", "pod/nettool-2", "--timeout=30s"]).code(0);
    if minor >= 30 {
        let said = kubectl(&["exec", "nettool-1", "--", "sh", "-c", "hostname; exit 7"]);
        assert_eq!((said.code, said.out.trim()), (7, "nettool-1"), "{}", said.err);
    }
    // Both sides see the same: what kubectl applied, the router has.
    let routes = until(SOON * 30, || {
        let table = ground.exec("k", "router0", &["vtysh", "-c", "show bgp ipv4 unicast json"]).json();
        match table["routes"].as_object().map_or(0, serde_json::Map::len) {
            12 => Ok(()),
            other => Err(format!("router0 has {other} routes")),
        }
    });
    routes.unwrap();
    kubectl(&["delete", "-f", policies.to_str().unwrap()]).code(0);
    let none = kubectl(&["get", "ciliumbgppeeringpolicies"]).code(0);
    assert!(none.err.contains("No resources found"), "{} {}", none.out, none.err);
    kubectl(&["delete", "pod", "nettool-1", "--wait=true"]).code(0);
    let pods = kubectl(&["get", "pods", "-o", "name"]).code(0).out;
    assert_eq!(pods.trim(), "pod/nettool-2");
}
