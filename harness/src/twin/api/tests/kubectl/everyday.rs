//! The commands of every day, and the article's own.

use serde_json::json;

use super::super::{nettool, served};
use super::run::{Kubectl, kubectls, newest, policy};

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
    super::super::install(&store, &pod).unwrap();
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
