//! The vty client against a daemon of our own that speaks as FRR's do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;
use tokio_util::task::AbortOnDropHandle;

use super::super::testing::Here;
use super::*;

/// What the daemon does with a command.
enum Act {
    Answer(u8, String),
    /// In two pieces, the second one beginning in the middle of the end mark.
    Torn(String),
    HangUp,
}

fn act(command: &str) -> Act {
    match command {
        "enable" | "configure terminal" | "router bgp 65000" | "end" => Act::Answer(0, String::new()),
        "show version" => Act::Answer(0, "FRRouting 8.4.4 (tor0)\n".to_owned()),
        "show torn json" => Act::Torn("{\"a\": 1}".to_owned()),
        "show big json" => Act::Answer(0, format!("[\"{}\"]", "x".repeat(300_000))),
        "show prose json" => Act::Answer(1, "% BGP instance not found\n".to_owned()),
        "show short" => Act::Answer(4, "% Command incomplete.\n".to_owned()),
        "crash" => Act::HangUp,
        other => Act::Answer(2, format!("% [BGP] Unknown command: {other}\n")),
    }
}

/// A daemon on a socket in `folder`; counts its connections. It dies when the handle is dropped.
fn daemon(folder: &Path, connections: Arc<AtomicUsize>) -> AbortOnDropHandle<()> {
    let path = folder.join("bgpd.vty");
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(path).unwrap();
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut served = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            served.spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = Vec::new();
                while stream.read_until(0, &mut line).await.is_ok_and(|n| n > 0) {
                    let command = String::from_utf8(line.split_off(0)).unwrap();
                    let mark = |code| [0, 0, 0, code];
                    match act(command.trim_end_matches('\0')) {
                        Act::Answer(code, text) => {
                            stream.write_all(text.as_bytes()).await.unwrap();
                            stream.write_all(&mark(code)).await.unwrap();
                        }
                        Act::Torn(text) => {
                            stream.write_all(text.as_bytes()).await.unwrap();
                            stream.write_all(&[0, 0]).await.unwrap();
                            stream.flush().await.unwrap();
                            tokio::task::yield_now().await;
                            stream.write_all(&[0, 0]).await.unwrap();
                        }
                        Act::HangUp => return,
                    }
                }
            });
        }
    }))
}

struct Setup {
    folder: TempDir,
    connections: Arc<AtomicUsize>,
    daemon: Option<AbortOnDropHandle<()>>,
    vty: Vty,
}

fn setup() -> Setup {
    let folder = TempDir::new().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let daemon = Some(daemon(folder.path(), connections.clone()));
    // The first folder does not exist: the second one is tried.
    let folders = vec![folder.path().join("none"), folder.path().to_owned()];
    let vty = Vty::in_folders(Here::node(), Daemon::Bgpd, folders);
    Setup { folder, connections, daemon, vty }
}

#[tokio::test]
async fn questions_share_one_connection() {
    let s = setup();
    for _ in 0..3 {
        assert_eq!(s.vty.ask("show version").await.unwrap(), "FRRouting 8.4.4 (tor0)\n");
    }
    assert_eq!(s.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_may_come_in_pieces_or_be_large() {
    let s = setup();
    assert_eq!(s.vty.ask_json::<serde_json::Value>("show torn json").await.unwrap()["a"], 1);
    let big: Vec<String> = s.vty.ask_json("show big json").await.unwrap();
    assert_eq!(big[0].len(), 300_000);
}

#[rstest]
#[case("show nonsense", "bgpd refused `show nonsense` (code 2): % [BGP] Unknown command: show nonsense")]
#[case("show short", "(code 4): % Command incomplete.")]
#[tokio::test]
async fn a_refusal_says_what_was_asked_and_answered(#[case] command: &str, #[case] expected: &str) {
    let s = setup();
    let error = s.vty.ask(command).await.unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(s.vty.ask("show version").await.is_ok(), "a refusal does not break the conversation");
}

#[tokio::test]
async fn prose_instead_of_json_is_shown() {
    let s = setup();
    let error = s.vty.ask_json::<serde_json::Value>("show prose json").await.unwrap_err();
    assert!(error.to_string().contains("it begins `% BGP instance not found"), "{error}");
}

#[tokio::test]
async fn a_daemon_that_hangs_up_is_named_and_found_again() {
    let s = setup();
    let error = s.vty.ask("crash").await.unwrap_err();
    assert!(matches!(error, RouterError::Lost { .. }), "{error}");
    assert!(s.vty.ask("show version").await.is_ok());
}

#[tokio::test]
async fn a_restarted_daemon_is_not_even_noticed() {
    let mut s = setup();
    s.vty.ask("show version").await.unwrap();
    s.daemon = None;
    tokio::task::yield_now().await;
    s.daemon = Some(daemon(s.folder.path(), s.connections.clone()));
    s.vty.ask("show version").await.unwrap();
    assert_eq!(s.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_daemon_that_does_not_run_is_named_with_the_places() {
    let mut s = setup();
    s.daemon = None;
    std::fs::remove_file(s.folder.path().join("bgpd.vty")).unwrap();
    let error = s.vty.ask("show version").await.unwrap_err();
    assert!(matches!(error, RouterError::NotRunning { .. }), "{error}");
    assert!(error.to_string().contains("here: bgpd is not running"), "{error}");
}

#[tokio::test]
async fn a_wrong_line_of_configuration_is_told_and_the_mode_is_left() {
    let s = setup();
    s.vty.configure(&["router bgp 65000"]).await.unwrap();
    let error = s.vty.configure(&["router bgp 65000", "nonsense"]).await.unwrap_err();
    assert!(error.to_string().contains("refused `nonsense`"), "{error}");
    assert!(s.vty.ask("show version").await.is_ok());
}

#[tokio::test]
async fn without_unix_sockets_vtysh_is_run() {
    let vty = Vty::new(Arc::new(Here { unix: false }), Daemon::Zebra);
    assert_eq!(vty.ask("show ip route json").await.unwrap(), "vtysh -d zebra -c 'show ip route json'");
}

proptest! {
    #[test]
    fn an_answer_is_finished_exactly_when_its_mark_is_whole(text in "[^\0]*", code: u8, cut in 0_usize..4) {
        let mut bytes = text.clone().into_bytes();
        bytes.extend([0, 0, 0, code]);
        prop_assert_eq!(finished(&bytes), Some((code, text)));
        bytes.truncate(bytes.len() - 1 - cut);
        // What is left ends with at most three NULs after text, which is no mark.
        prop_assert_eq!(finished(&bytes), None);
    }
}
