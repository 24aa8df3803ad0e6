//! A node behind a prefix that runs its arguments here: all of the contract that needs nothing else.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::node::{Command, Node, NodeError, SocketKind};
use crate::runtime::prefix::{ExecNode, Prefix};

fn here() -> ExecNode {
    ExecNode::by("here", Prefix::parse("env").unwrap())
}

#[tokio::test]
async fn output_code_input_and_surroundings() {
    let mut command = Command::new(["sh", "-c", "cat; pwd; echo $WORD; echo err >&2; exit 42"]);
    command.stdin = b"in\n".to_vec();
    command.cwd = Some("/usr".into());
    command.env.insert("WORD".into(), "it's".into());
    let output = here().exec(&command).await.unwrap();
    assert_eq!(
        (output.text().as_str(), output.error_text().as_str(), output.code),
        ("in\n/usr\nit's\n", "err\n", 42)
    );
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let error = here().exec(&Command::new(["no-such-program"])).await.unwrap_err();
    assert!(
        matches!(error, NodeError::NotFound { ref program, .. } if program == "no-such-program"),
        "{error}"
    );
    let output = here().exec(&Command::new(["sh", "-c", "exit 127"])).await.unwrap();
    assert_eq!(output.code, 127);
}

#[tokio::test]
async fn large_output_and_large_input() {
    let mut command = Command::new(["cat"]);
    command.stdin = vec![b'x'; 3 << 20];
    assert_eq!(here().exec(&command).await.unwrap().stdout.len(), 3 << 20);
}

#[tokio::test]
async fn a_command_out_of_time_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 300", mark.display());
    let command = Command::new(["sh", "-c", script.as_str()]).timeout(Duration::from_millis(400));
    let error = here().exec(&command).await.unwrap_err();
    assert!(matches!(error, NodeError::TimedOut { .. }), "{error}");
    let pid = std::fs::read_to_string(mark).unwrap();
    let began = Instant::now();
    while Path::new(&format!("/proc/{}/fd/0", pid.trim())).exists() {
        assert!(began.elapsed() < Duration::from_secs(10), "{pid} still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn signals_reach_the_command() {
    let script = "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.02; done";
    let mut process = here().spawn(&Command::new(["sh", "-c", script])).await.unwrap();
    let mut out = process.stdout().unwrap();
    let mut said = [0; 6];
    out.read_exact(&mut said).await.unwrap();
    process.signal(libc::SIGTERM).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).await.unwrap();
    assert_eq!((rest.as_str(), process.wait().await.unwrap()), ("term\n", 3));
}

#[tokio::test]
async fn a_spawned_command_is_talked_to() {
    let mut process = here().spawn(&Command::new(["cat"])).await.unwrap();
    let (mut to, mut from) = (process.stdin().unwrap(), process.stdout().unwrap());
    to.write_all(b"hello").await.unwrap();
    let mut said = [0; 5];
    from.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"hello");
    drop(to);
    assert_eq!(process.wait().await.unwrap(), 0);
}

#[tokio::test]
async fn files_are_put_and_got() {
    let folder = tempfile::tempdir().unwrap();
    let node = here();
    for (name, bytes) in [("a b/c", b"\0\x01'\n".to_vec()), ("empty", Vec::new())] {
        let path = folder.path().join(name);
        node.write_file(&path, &bytes, 0o640).await.unwrap();
        assert_eq!(node.read_file(&path).await.unwrap(), bytes);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
    let error = node.read_file(&folder.path().join("no")).await.unwrap_err();
    assert!(
        matches!(error, NodeError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::NotFound),
        "{error}"
    );
}

#[tokio::test]
async fn what_needs_sockets_is_refused() {
    let error = here().socket(SocketKind::Route).await.unwrap_err();
    assert!(matches!(error, NodeError::Unsupported { .. }), "{error}");
    assert!(matches!(here().unix(Path::new("/x")).await, Err(NodeError::Unsupported { .. })));
    assert!(matches!(
        here().spawn_on_terminal(&Command::new(["sh"])).await,
        Err(NodeError::Unsupported { .. })
    ));
}
