//! The endpoint through kubectl, where there is one on this machine.
//!
//! Every `kubectl` on the path is tried, and every `kubectl.1.<minor>` that lies beside one. Without any, the tests say so and pass.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{nettool, served};
use crate::twin::api::Endpoint;

/// The kubectls of this machine with their minor versions; a dispatcher that picks one by the server counts as none.
fn kubectls() -> Vec<(PathBuf, u32)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("kubectl")).find(|file| file.exists());
    let Some(first) = found.and_then(|file| file.canonicalize().ok()) else { return Vec::new() };
    let folder = first.parent().unwrap_or(Path::new("/")).to_owned();
    let beside = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<_> = beside
        .filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("kubectl.1.")))
        .collect();
    all.push(first);
    let mut all: Vec<_> =
        all.into_iter().filter_map(|file| version(&file).map(|minor| (file, minor))).collect();
    all.sort_by_key(|(_, minor)| *minor);
    all.dedup_by_key(|(_, minor)| *minor);
    all
}

fn version(kubectl: &Path) -> Option<u32> {
    let output =
        std::process::Command::new(kubectl).args(["version", "--client", "-o", "json"]).output().ok()?;
    let version: Value = serde_json::from_slice(&output.stdout).ok()?;
    let version = &version["clientVersion"];
    if version["gitVersion"].as_str()?.contains("dispatcher") {
        return None;
    }
    version["minor"].as_str()?.trim_end_matches('+').parse().ok()
}

/// One kubectl with a folder of its own.
struct Kubectl {
    program: PathBuf,
    folder: tempfile::TempDir,
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Kubectl {
    fn new(program: &Path, endpoint: &Endpoint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), endpoint.kubeconfig("demo")).unwrap();
        Self { program: program.to_owned(), folder }
    }

    fn file(&self, name: &str, objects: &[Value]) -> String {
        let path = self.folder.path().join(name);
        let mut file = std::fs::File::create(&path).unwrap();
        for object in objects {
            writeln!(file, "---\n{object}").unwrap();
        }
        path.to_string_lossy().into_owned()
    }

    async fn run(&self, arguments: &str) -> Said {
        self.argv(&shell_words::split(arguments).unwrap(), Stdio::null()).await
    }

    async fn argv(&self, arguments: &[String], stdin: Stdio) -> Said {
        let output = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(self.folder.path().join("config"))
            .arg("--cache-dir")
            .arg(self.folder.path().join("cache"))
            .args(arguments)
            .stdin(stdin)
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs and expects success; the output with runs of blanks made one.
    async fn good(&self, arguments: &str) -> String {
        let said = self.run(arguments).await;
        assert_eq!(said.code, 0, "kubectl {arguments}: {}{}", said.out, said.err);
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        said.out.lines().map(squeezed).collect::<Vec<_>>().join("\n")
    }

    /// Runs and expects a refusal; what was said.
    async fn bad(&self, arguments: &str) -> String {
        let said = self.run(arguments).await;
        assert_ne!(said.code, 0, "kubectl {arguments}: {}", said.out);
        said.err
    }
}

fn policy(name: &str, asn: &Value) -> Value {
    json!({
        "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"matchLabels": {"rack": name}},
            "virtualRouters": [{
                "localASN": asn, "exportPodCIDR": true,
                "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65010}],
            }],
        },
    })
}

/// The newest kubectl there is, on an endpoint of its own.
async fn newest() -> Option<(Kubectl, u32, crate::twin::store::Store)> {
    let Some((program, minor)) = kubectls().pop() else {
        eprintln!("skipped: no kubectl on this machine; `apt-get install kubectl` or put one on the path");
        return None;
    };
    eprintln!("kubectl 1.{minor}: {}", program.display());
    let (store, endpoint) = served().await;
    Some((Kubectl::new(&program, &endpoint), minor, store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_articles_commands_work_with_every_kubectl() {
    for (program, minor) in kubectls() {
        let (_, endpoint) = served().await;
        let kubectl = Kubectl::new(&program, &endpoint);
        let file =
            kubectl.file("policies.yaml", &[policy("rack0", &json!(65010)), policy("rack1", &json!(65011))]);
        let lines = ["ciliumbgppeeringpolicy.cilium.io/rack0", "ciliumbgppeeringpolicy.cilium.io/rack1"];
        let all = |word: &str| lines.map(|line| format!("{line} {word}")).join("\n");
        let applied = kubectl.good(&format!("apply -f {file}")).await;
        assert_eq!(applied, all("created"), "kubectl 1.{minor}");
        assert_eq!(kubectl.good(&format!("apply -f {file}")).await, all("unchanged"), "kubectl 1.{minor}");
        let nodes = kubectl.good("get nodes").await;
        assert!(nodes.starts_with("NAME STATUS ROLES AGE VERSION\nworker Ready <none> "), "{nodes}");
        let deleted = kubectl.good(&format!("delete -f {file}")).await;
        let expected = "ciliumbgppeeringpolicy.cilium.io \"rack0\" deleted";
        assert!(deleted.starts_with(expected), "kubectl 1.{minor}: {deleted}");
        eprintln!("kubectl 1.{minor} applied, got and deleted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_got_is_printed_as_from_a_real_server() {
    let Some((kubectl, _, store)) = newest().await else { return };
    let wide = kubectl.good("get nodes -o wide").await;
    let heads =
        "NAME STATUS ROLES AGE VERSION INTERNAL-IP EXTERNAL-IP OS-IMAGE KERNEL-VERSION CONTAINER-RUNTIME";
    assert_eq!(wide.lines().next(), Some(heads));
    assert!(
        wide.lines()
            .nth(1)
            .unwrap()
            .ends_with("10.0.2.2 <none> Debian GNU/Linux 12 (bookworm) 6.18.44 containerd://1.6.20")
    );
    let file = kubectl.file("pods.yaml", &[nettool("nettool-1"), nettool("nettool-2")]);
    assert_eq!(
        kubectl.good(&format!("apply -f {file}")).await,
        "pod/nettool-1 created\npod/nettool-2 created"
    );
    let pods = kubectl.good("get pods -A -o wide").await;
    let heads = "NAMESPACE NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES";
    assert_eq!(pods.lines().next(), Some(heads));
    assert_eq!(kubectl.good("get pods -l run=nettool-1 -o name").await, "pod/nettool-1");
    let names = kubectl.good("get nodes -o jsonpath={.items[*].metadata.name}").await;
    assert_eq!(names, "worker worker2");
    let crd = kubectl.good("get crd").await;
    assert!(crd.starts_with("NAME CREATED AT\nciliumbgppeeringpolicies.cilium.io 20"), "{crd}");
    assert_eq!(kubectl.run("get bgpp").await.err.trim(), "No resources found");
    let described = kubectl.good("describe pod nettool-1").await;
    for line in
        ["Status: Pending", "Image: cr7258/nettool:v1", "Node-Selectors: rack=rack0", "QoS Class: BestEffort"]
    {
        assert!(described.contains(line), "{line}\n{described}");
    }
    assert!(
        kubectl.good("describe node worker").await.contains("Container Runtime Version: containerd://1.6.20")
    );
    let missing = kubectl.bad("get pod nobody").await;
    assert_eq!(missing.trim(), "Error from server (NotFound): pods \"nobody\" not found");
    let missing = kubectl.bad("get deployments").await;
    assert_eq!(missing.trim(), "error: the server doesn't have a resource type \"deployments\"");
    let resources = kubectl.good("api-resources --api-group=cilium.io").await;
    assert!(
        resources.contains("ciliumbgppeeringpolicies bgpp cilium.io/v2alpha1 false CiliumBGPPeeringPolicy")
    );
    kubectl
        .good("wait --for=condition=Established crd/ciliumbgppeeringpolicies.cilium.io --timeout=5s")
        .await;
    kubectl.good("wait --for=condition=Ready node/worker --timeout=5s").await;
    assert_eq!(
        kubectl.good("delete pod nettool-1").await.lines().next().map(|l| l.starts_with("pod \"nettool-1\"")),
        Some(true)
    );
    assert!(store.revision() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_is_changed() {
    let Some((kubectl, _, _)) = newest().await else { return };
    assert_eq!(kubectl.good("label node worker rack=rack1 --overwrite").await, "node/worker labeled");
    assert_eq!(kubectl.good("get nodes -l rack=rack1 -o name").await, "node/worker\nnode/worker2");
    assert_eq!(kubectl.good("annotate node worker by=hand").await, "node/worker annotated");
    assert_eq!(kubectl.good("taint node worker a=b:NoSchedule").await, "node/worker tainted");
    assert_eq!(kubectl.good("cordon worker").await, "node/worker cordoned");
    assert!(kubectl.good("get nodes").await.contains("worker Ready,SchedulingDisabled"));
    let patch = r#"patch node worker --type=json -p '[{"op":"remove","path":"/spec/taints"}]'"#;
    assert_eq!(kubectl.good(patch).await, "node/worker patched");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lab"}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "lab"}, "data": {"a": "b"}});
    let file = kubectl.file("lab.yaml", &[namespace, map]);
    assert_eq!(kubectl.good(&format!("apply -f {file}")).await, "namespace/lab created\nconfigmap/m created");
    assert!(kubectl.good("delete namespace lab").await.starts_with("namespace \"lab\" deleted"));
    assert_eq!(kubectl.run("get cm -A").await.err.trim(), "No resources found");

    let file = kubectl.file("policy.yaml", &[policy("rack0", &json!(65010))]);
    let line = "ciliumbgppeeringpolicy.cilium.io/rack0";
    assert_eq!(
        kubectl.good(&format!("apply --server-side -f {file}")).await,
        format!("{line} serverside-applied")
    );
    let other = kubectl.file("other.yaml", &[policy("rack0", &json!(65099))]);
    let conflict = kubectl.bad(&format!("apply --server-side --field-manager=me -f {other}")).await;
    assert!(conflict.contains("Apply failed with 1 conflict: conflict with \"kubectl\""), "{conflict}");
    assert!(conflict.contains(".spec.virtualRouters"), "{conflict}");
    let forced =
        kubectl.good(&format!("apply --server-side --field-manager=me --force-conflicts -f {other}")).await;
    assert_eq!(forced, format!("{line} serverside-applied"));

    let wrong = kubectl.file("wrong.yaml", &[policy("rack1", &json!("65011"))]);
    let refused = kubectl.bad(&format!("apply -f {wrong}")).await;
    let words = "The CiliumBGPPeeringPolicy \"rack1\" is invalid: spec.virtualRouters[0].localASN: Invalid value: \"string\"";
    assert!(refused.starts_with(words), "{refused}");
    let mut unknown = policy("rack1", &json!(65011));
    unknown["spec"]["nodeSelectr"] = json!({});
    let unknown = kubectl.file("unknown.yaml", &[unknown]);
    let refused = kubectl.bad(&format!("apply -f {unknown}")).await;
    assert!(refused.contains("strict decoding error: unknown field \"spec.nodeSelectr\""), "{refused}");
    // From client side to server side: kubectl hands the ownership over itself.
    let pods = kubectl.file("pods.yaml", &[nettool("nettool-1")]);
    kubectl.good(&format!("apply -f {pods}")).await;
    assert_eq!(
        kubectl.good(&format!("apply --server-side -f {pods}")).await,
        "pod/nettool-1 serverside-applied"
    );
    assert_eq!(kubectl.good(&format!("diff -f {pods}")).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_in_pods() {
    let Some((kubectl, minor, store)) = newest().await else { return };
    if minor < 30 {
        return eprintln!("skipped: kubectl 1.{minor} speaks SPDY; exec needs 1.30");
    }
    let mut pod = nettool("p");
    pod["spec"]["nodeName"] = json!("worker");
    super::install(&store, &pod).unwrap();
    assert_eq!(kubectl.good("exec p -- echo hello").await, "hello");
    let said = kubectl.run("exec p -- sh -c 'echo no >&2; exit 7'").await;
    assert_eq!((said.code, said.err.as_str()), (7, "no\ncommand terminated with exit code 7\n"));
    let input = kubectl.folder.path().join("input");
    std::fs::write(&input, "through and back").unwrap();
    let arguments = ["exec", "-i", "p", "--", "cat"].map(str::to_owned);
    let said = kubectl.argv(&arguments, std::fs::File::open(input).unwrap().into()).await;
    assert_eq!((said.code, said.out.as_str()), (0, "through and back"));
    assert!(kubectl.bad("exec nobody -- true").await.contains("pods \"nobody\" not found"));
    assert_eq!(kubectl.good("logs p --tail=2").await, "default/p Some(2)");
}
