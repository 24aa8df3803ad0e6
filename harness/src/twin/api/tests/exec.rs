//! Commands in pods, over WebSocket, through kube-rs.

use futures::SinkExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{AttachParams, LogParams, PostParams, TerminalSize};
use kube::{Api, Client};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{nettool, served};

async fn bound(client: &Client) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    pods.create(&PostParams::default(), &serde_json::from_value(nettool("p")).unwrap()).await.unwrap();
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"},
        "target": {"apiVersion": "v1", "kind": "Node", "name": "worker"}});
    let _: serde_json::Value =
        pods.create_subresource("binding", "p", &PostParams::default(), &binding).await.unwrap();
    pods
}

/// Runs a command; its output, its errors and its final status.
async fn run(pods: &Api<Pod>, command: &[&str], input: Option<&[u8]>) -> (String, String, serde_json::Value) {
    let params = AttachParams::default().stdin(input.is_some()).stdout(true).stderr(true);
    let mut process = pods.exec("p", command.iter().copied(), &params).await.unwrap();
    let (mut out, mut err) = (process.stdout().unwrap(), process.stderr().unwrap());
    let status = process.take_status().unwrap();
    let stdin = process.stdin();
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            stdin.write_all(input).await.unwrap();
            stdin.shutdown().await.unwrap();
        }
    };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let (_, read, failed, status) =
        tokio::join!(feed, out.read_to_string(&mut stdout), err.read_to_string(&mut stderr), status);
    read.unwrap();
    failed.unwrap();
    (stdout, stderr, serde_json::to_value(status).unwrap())
}

#[tokio::test]
async fn a_command_gives_its_output_its_errors_and_its_code() {
    let (_, endpoint) = served().await;
    let pods = bound(&endpoint.client().unwrap()).await;
    let (out, err, status) = run(&pods, &["sh", "-c", "echo out; echo err >&2; exit 7"], None).await;
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    assert_eq!((&status["status"], &status["reason"]), (&json!("Failure"), &json!("NonZeroExitCode")));
    assert_eq!(status["details"]["causes"][0]["message"], "7");
    let (out, _, status) = run(&pods, &["cat"], Some(b"through and back")).await;
    assert_eq!((out.as_str(), &status["status"]), ("through and back", &json!("Success")));
    let (_, _, status) = run(&pods, &["no-such-program"], None).await;
    assert_eq!(status["reason"], "InternalError");
    assert!(status["message"].as_str().unwrap().contains("executable file not found in $PATH"), "{status}");
}

#[tokio::test]
async fn much_output_arrives_whole_and_a_child_left_behind_does_not_hold_the_session() {
    let (_, endpoint) = served().await;
    let pods = bound(&endpoint.client().unwrap()).await;
    let (out, _, _) = run(&pods, &["sh", "-c", "head -c 2000000 /dev/zero | tr '\\0' x"], None).await;
    assert_eq!(out.len(), 2_000_000);
    let begun = std::time::Instant::now();
    let (out, _, _) = run(&pods, &["sh", "-c", "sleep 5 & echo started"], None).await;
    assert_eq!(out, "started\n");
    assert!(begun.elapsed() < std::time::Duration::from_secs(4));
}

#[tokio::test]
async fn a_terminal_is_a_terminal_of_the_size_it_is_given() {
    let (_, endpoint) = served().await;
    let pods = bound(&endpoint.client().unwrap()).await;
    let params = AttachParams::interactive_tty();
    let script = "test -t 1 && trap 'stty size; exit 3' WINCH && echo ready && while :; do sleep 0.05; done";
    let mut process = pods.exec("p", ["sh", "-c", script], &params).await.unwrap();
    let status = process.take_status().unwrap();
    let mut out = process.stdout().unwrap();
    let mut size = process.terminal_size().unwrap();
    let mut text = vec![0; 7];
    out.read_exact(&mut text).await.unwrap();
    assert_eq!(text, b"ready\r\n");
    size.send(TerminalSize { width: 111, height: 33 }).await.unwrap();
    let mut text = String::new();
    let (read, status) = tokio::join!(out.read_to_string(&mut text), status);
    read.unwrap();
    assert_eq!(text, "33 111\r\n");
    assert_eq!(serde_json::to_value(status).unwrap()["details"]["causes"][0]["message"], "3");
}

#[tokio::test]
async fn what_cannot_be_run_is_said_before_the_socket_opens() {
    let (_, endpoint) = served().await;
    let client = endpoint.client().unwrap();
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    pods.create(&PostParams::default(), &serde_json::from_value(nettool("free")).unwrap()).await.unwrap();
    for name in ["free", "nobody"] {
        assert!(pods.exec(name, ["true"], &AttachParams::default()).await.is_err(), "{name}");
    }
    let pods = bound(&client).await;
    assert!(pods.exec("p", ["true"], &AttachParams::default().container("other")).await.is_err());
    let log = pods.logs("p", &LogParams { tail_lines: Some(3), ..LogParams::default() }).await.unwrap();
    assert_eq!(log, "default/p Some(3)\n");
}

#[tokio::test]
async fn ports_are_carried_both_ways() {
    let (store, endpoint) = served().await;
    let pods = bound(&endpoint.client().unwrap()).await;
    assert!(pods.portforward("p", &[80]).await.is_err(), "it does not run yet");
    super::patch_status(&store, "p", &json!({"status": {"phase": "Running"}}));
    let listener = tokio::net::TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mut begun = [0; 5];
        reader.read_exact(&mut begun).await.unwrap();
        writer.write_all(&begun).await.unwrap();
        writer.write_all(&[b'x'; 1 << 20]).await.unwrap();
    });
    // Nobody listens on a port that was just given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut forwarder = pods.portforward("p", &[port, free]).await.unwrap();
    let mut stream = forwarder.take_stream(port).unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut text = vec![0; 5 + (1 << 20)];
    stream.read_exact(&mut text).await.unwrap();
    assert!(text.starts_with(b"hellox") && text.ends_with(b"x"));
    let why = forwarder.take_error(free).unwrap().await.unwrap();
    assert!(why.contains(&format!("error forwarding port {free}")) && why.contains("refused"), "{why}");
    echo.await.unwrap();
}
