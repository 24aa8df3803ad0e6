//! kubectl against a fabric that is up.

use std::io::Write;
use std::process::Command;

use super::support::{Ground, SOON, article, until};

/// The newest kubectl of the folder `FABRIC_KUBECTL_DIR` (`kubectl.1.NN`), else the one on the path.
fn program() -> String {
    let folder = std::env::var_os("FABRIC_KUBECTL_DIR").filter(|folder| !folder.is_empty());
    let files = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let minor =
        |file: &std::path::Path| file.file_name()?.to_str()?.strip_prefix("kubectl.1.")?.parse::<u32>().ok();
    let newest =
        files.map(|file| file.path()).filter(|file| minor(file).is_some()).max_by_key(|file| minor(file));
    newest.map_or_else(|| "kubectl".into(), |file| file.to_string_lossy().into_owned())
}

#[test]
fn what_the_article_types() {
    let Some(ground) = Ground::new("what_the_article_types") else { return };
    let program = program();
    let Ok(version) = Command::new(&program).args(["version", "--client", "-o", "json"]).output() else {
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
        let mut command = ground.command(&program);
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
        let itself = kubectl(&["exec", "nettool-1", "--", "getent", "hosts", "nettool-1"]).code(0).out;
        assert!(itself.starts_with("10.1."), "{itself}");
        let script = "for i in $(seq 30); do echo tick $i; sleep 0.1; done";
        kubectl(&[
            "run",
            "ticks",
            "--image=busybox",
            "--restart=Never",
            "--command",
            "--",
            "sh",
            "-c",
            script,
        ])
        .code(0);
        kubectl(&["wait", "--for=jsonpath={.status.phase}=Running", "pod/ticks", "--timeout=30s"]).code(0);
        let said = kubectl(&["attach", "ticks"]).code(0).out;
        assert!(said.ends_with("tick 29\ntick 30\n"), "from then on, to its end: {said}");
        let over = kubectl(&["attach", "ticks"]);
        assert!(
            over.code != 0 && over.err.contains("cannot attach a container in a completed pod"),
            "{}",
            over.err
        );
        kubectl(&["delete", "pod", "ticks"]).code(0);
        let said = kubectl(&["exec", "nettool-1", "--", "sh", "-c", "hostname; exit 7"]);
        assert_eq!((said.code, said.out.trim()), (7, "nettool-1"), "{}", said.err);
        // `script` gives kubectl a terminal, and kubectl its size to the pod's; it may come after the command has begun.
        let inside =
            "until [ \"$(stty size)\" = \"33 111\" ]; do sleep 0.1; done; test -t 0 && echo sized; exit 7";
        let line = format!("stty rows 33 cols 111; exec {program} exec -it nettool-1 -- sh -c '{inside}'");
        let mut command = ground.command("script");
        command.env("KUBECONFIG", kubeconfig.as_str().unwrap()).env("HOME", ground.path("home")).args([
            "--quiet",
            "--return",
            "--command",
            line.as_str(),
            "/dev/null",
        ]);
        let said = ground.start(command).wait();
        assert!(said.code == 7 && said.out.contains("sized"), "{} {} {}", said.code, said.out, said.err);
        let (there, back) = (ground.path("there"), ground.path("back"));
        std::fs::write(&there, "there and back").unwrap();
        // In a user namespace made by a user there is no owner but root to give the file to.
        kubectl(&["cp", "--no-preserve", there.to_str().unwrap(), "nettool-1:/tmp/there"]).code(0);
        kubectl(&["cp", "nettool-1:/tmp/there", back.to_str().unwrap()]).code(0);
        assert_eq!(std::fs::read_to_string(back).unwrap(), "there and back");
    } else {
        let said = kubectl(&["exec", "nettool-1", "--", "true"]);
        assert!(
            said.code != 0 && said.err.contains("use kubectl 1.30 or later, or `fabric exec"),
            "{}",
            said.err
        );
    }
    let script = "for i in 1 2 3; do echo line $i; sleep 1; done";
    kubectl(&["run", "talks", "--image=busybox", "--restart=Never", "--command", "--", "sh", "-c", script])
        .code(0);
    kubectl(&["wait", "--for=jsonpath={.status.phase}=Running", "pod/talks", "--timeout=30s"]).code(0);
    let said = kubectl(&["logs", "-f", "talks"]).code(0).out;
    assert_eq!(said, "line 1\nline 2\nline 3\n", "followed to the end of the container");
    assert_eq!(kubectl(&["logs", "talks", "--tail=1"]).code(0).out, "line 3\n");
    assert_eq!(kubectl(&["logs", "talks", "--limit-bytes=6"]).code(0).out, "line 1");
    let stamped = kubectl(&["logs", "talks", "--timestamps", "--since=1h"]).code(0).out;
    assert!(stamped.lines().all(|line| line.starts_with("20") && line.contains("Z line ")), "{stamped}");
    let previous = kubectl(&["logs", "talks", "--previous"]);
    assert!(previous.code != 0 && previous.err.contains("not found"), "{}", previous.err);
    kubectl(&["delete", "pod", "talks"]).code(0);
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
    let described = kubectl(&["describe", "node", "clab-bgp-cplane-demo-worker"]).code(0).out;
    assert!(described.contains("nettool-1") && !described.contains("-9223"), "{described}");
    kubectl(&["drain", "clab-bgp-cplane-demo-worker", "--force", "--grace-period=0", "--timeout=30s"])
        .code(0);
    let pods = kubectl(&["get", "pods", "-o", "name"]).code(0).out;
    assert_eq!(pods.trim(), "pod/nettool-2");
}
