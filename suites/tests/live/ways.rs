//! One contract, every way into a node: namespaces, a command, the exec of Kubernetes, and a container where an engine answers.
//!
//! What lives here: the cases once, the makers, and both ways of reading one node compared. What does not: what only one
//! way can do.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::cluster::connect;
use fabric_harness::fabric::Fabric;
use fabric_harness::node::{Command, NodeError, NodeRef};
use fabric_harness::router::{Frr, Kernel, Router};
use fabric_harness::runtime::docker::Engine;
use fabric_harness::runtime::kubectl::{KubeNode, PodContainer};
use fabric_harness::runtime::prefix::{ExecNode, Prefix};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Ground, article};

/// Everything that any node must do, whichever way leads in.
async fn contract(way: &str, node: &NodeRef) {
    let shell = |script: &str| Command::new(["sh", "-c", script]);

    // Output, errors, exit code, surroundings.
    let mut command = shell("pwd; echo $WORD; echo err >&2; exit 42");
    command.cwd = Some("/usr".into());
    command.env.insert("WORD".into(), "it's here".into());
    let output = node.exec(&command).await.unwrap();
    assert_eq!((output.text().as_str(), output.code), ("/usr\nit's here\n", 42), "{way}");
    assert_eq!(output.error_text(), "err\n", "{way}");

    // Input: none, some, much; arguments are words, whatever is in them.
    assert_eq!(node.exec(&Command::new(["cat"])).await.unwrap().stdout, b"", "{way}");
    let mut command = Command::new(["cat"]);
    command.stdin = (0..2_000_000u32).map(|n| n as u8).collect();
    let output = node.exec(&command).await.unwrap();
    assert!(
        output.stdout == command.stdin,
        "{way}: {} of {} bytes",
        output.stdout.len(),
        command.stdin.len()
    );
    let output = node.exec(&Command::new(["printf", "%s|", "a b", "$HOME", "'", ""])).await.unwrap();
    assert_eq!(output.text(), "a b|$HOME|'||", "{way}");

    // Large output on both streams at once.
    let output = node.exec(&shell("head -c 1500000 /dev/zero; head -c 1500000 /dev/zero >&2")).await.unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (1_500_000, 1_500_000), "{way}");

    // A program that is not there, and one that ends as if it were.
    let error = node.exec(&Command::new(["no-such-program", "x"])).await.unwrap_err();
    assert!(
        matches!(&error, NodeError::NotFound { program, .. } if program == "no-such-program"),
        "{way}: {error}"
    );
    assert_eq!(node.exec(&shell("exit 127")).await.unwrap().code, 127, "{way}");

    // Out of time: killed, and gone.
    let slow = shell("echo $$ > /tmp/slow; exec sleep 300").timeout(Duration::from_millis(700));
    let error = node.exec(&slow).await.unwrap_err();
    assert!(matches!(error, NodeError::TimedOut { .. }), "{way}: {error}");
    gone(way, node, "/tmp/slow").await;

    // Dropped: killed, too.
    let mut process = node.spawn(&shell("echo $$ > /tmp/dropped; echo up; exec sleep 300")).await.unwrap();
    let mut up = [0; 3];
    process.stdout().unwrap().read_exact(&mut up).await.unwrap();
    drop(process);
    gone(way, node, "/tmp/dropped").await;

    // Signals.
    let script = "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let mut process = node.spawn(&shell(script)).await.unwrap();
    let mut out = process.stdout().unwrap();
    let mut ready = [0; 6];
    out.read_exact(&mut ready).await.unwrap();
    process.signal(nix::libc::SIGTERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).await.unwrap();
    assert_eq!((rest.as_str(), process.wait().await.unwrap()), ("term\n", 3), "{way}");
    let killed = node.exec(&shell("kill -9 $$")).await.unwrap();
    assert_eq!(killed.code, 137, "{way}");

    // Talking to a command that runs.
    let mut process = node.spawn(&Command::new(["cat"])).await.unwrap();
    let (mut to, mut from) = (process.stdin().unwrap(), process.stdout().unwrap());
    to.write_all(b"hello").await.unwrap();
    to.flush().await.unwrap();
    let mut said = [0; 5];
    from.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"hello", "{way}");
    drop(process);

    // Files.
    for (path, bytes) in
        [("/tmp/a b/c'd", b"\0\xff'\n".to_vec()), ("/tmp/empty", vec![]), ("/tmp/big", vec![7; 1 << 20])]
    {
        node.write_file(Path::new(path), &bytes, 0o640).await.unwrap();
        assert!(node.read_file(Path::new(path)).await.unwrap() == bytes, "{way}: {path}");
        let mode = node.exec(&Command::new(["stat", "-c", "%a", path])).await.unwrap();
        assert_eq!(mode.text().trim(), "640", "{way}: {path}");
    }
    let error = node.read_file(Path::new("/no/such/file")).await.unwrap_err();
    assert!(matches!(error, NodeError::Io { .. }), "{way}: {error}");
}

/// The process whose pid is in this file of the node ends.
async fn gone(way: &str, node: &NodeRef, file: &str) {
    let script = format!("while kill -0 $(cat {file}) 2>/dev/null; do sleep 0.05; done");
    let waiting = Command::new(["sh", "-c", script.as_str()]).timeout(Duration::from_secs(15));
    node.exec(&waiting).await.unwrap_or_else(|error| panic!("{way}: it still runs: {error}"));
}

/// A terminal is one where the way has it to give, and is refused in words where it has not.
async fn terminal(way: &str, node: &NodeRef) {
    let command = Command::new(["sh", "-c", "test -t 0 && echo yes; exit 5"]);
    match node.spawn_on_terminal(&command).await {
        Ok(mut process) => {
            // A terminal's end is an error; what came before it counts.
            let mut said = Vec::new();
            let _ = process.stdout().unwrap().read_to_end(&mut said).await;
            let said = String::from_utf8_lossy(&said);
            assert_eq!((said.trim(), process.wait().await.unwrap()), ("yes", 5), "{way}");
        }
        Err(error) => assert!(matches!(error, NodeError::Unsupported { .. }), "{way}: {error}"),
    }
}

/// A router read over its sockets and by programs says the same.
async fn read_alike(native: &NodeRef, by_program: &NodeRef) {
    let (one, other) = (Kernel::new(Arc::clone(native)), Kernel::new(Arc::clone(by_program)));
    assert!(!one.by_program().await.unwrap() && other.by_program().await.unwrap());
    assert_eq!(one.fib().await.unwrap(), other.fib().await.unwrap());
    assert_eq!(one.links().await.unwrap(), other.links().await.unwrap());
    assert_eq!(one.interfaces().await.unwrap(), other.interfaces().await.unwrap());
    assert_eq!(one.addresses().await.unwrap(), other.addresses().await.unwrap());
    let (one, other) = (Frr::new(Arc::clone(native)), Frr::new(Arc::clone(by_program)));
    assert_eq!(one.version().await.unwrap(), other.version().await.unwrap());
    assert_eq!(one.rib().await.unwrap(), other.rib().await.unwrap());
    assert_eq!(one.installed().await.unwrap(), other.installed().await.unwrap());
    let (one, other) = (one.sessions().await.unwrap(), other.sessions().await.unwrap());
    let told = |all: &fabric_harness::router::Sessions| -> Vec<_> {
        all.iter().map(|(name, session)| (name.clone(), session.state, session.remote_as)).collect()
    };
    assert_eq!(told(&one), told(&other));
}

#[test]
fn every_way_keeps_the_contract() {
    let Some(ground) = Ground::new("every_way_keeps_the_contract") else { return };
    let lab = article();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "ways", "--to", "workload"]).code(0);
    let status = ground.run(&["status", "--name", "ways", "--format", "json"]).json();
    let kubeconfig = status["kubeconfig"].as_str().unwrap().to_owned();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = connect(Path::new(&kubeconfig)).await.unwrap();
        let run = ground.path("run");
        let words = format!(
            "env XDG_RUNTIME_DIR={} {} exec --name ways router0 --",
            run.display(),
            env!("CARGO_BIN_EXE_fabric")
        );
        let exec: NodeRef = Arc::new(ExecNode::by("router0", Prefix::parse(&words).unwrap()));
        let pod: NodeRef =
            Arc::new(KubeNode::by("nettool-1", PodContainer::new(client, "default", "nettool-1", None)));
        let fabric = Fabric::in_folder(&run.join("fabric/ways")).unwrap();
        let netns = fabric.node("router0").await.unwrap();
        let mut makers = vec![("netns", Arc::clone(&netns)), ("exec", Arc::clone(&exec)), ("kubectl", pod)];
        match Engine::connect().await {
            Ok(engine) => match engine.running().await.unwrap().first() {
                Some(container) => {
                    let node = engine.node("container", &container.name).await.unwrap();
                    makers.push(("docker", Arc::new(node)));
                }
                None => skipped("no container runs"),
            },
            Err(error) => skipped(&error.to_string()),
        }
        for (way, node) in &makers {
            contract(way, node).await;
            terminal(way, node).await;
        }
        read_alike(&netns, &exec).await;
    });
}

fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED every_way_keeps_the_contract by docker: {why}");
}
