//! What bad clients have cost, once they are gone: memory and descriptors are back.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::bodies::{bombs, throw};
use super::connections::hurried;
use super::{JSON, PODS, address, ask, connected};
use crate::twin::api::tests::nettool;
use crate::twin::api::{Endpoint, install};
use crate::twin::store::Store;

/// How much memory may be left after any number of rounds, in MiB: what the allocator keeps to itself.
const LEFT: u64 = 48;

/// Descriptors and memory are the process's, and other tests have some too, so this one runs alone in another process.
#[test]
fn bad_clients_cost_nothing_once_they_are_gone() {
    let alone = "twin::api::tests::hostile::costs::alone_in_a_process";
    let mut command = Command::new(std::env::current_exe().unwrap());
    // The allocator gives back what it can, so that what is left is what something holds.
    command
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .env("MALLOC_MMAP_THRESHOLD_", "131072");
    let output = command.args(["--ignored", "--exact", alone, "--nocapture"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "the test has moved: {text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by bad_clients_cost_nothing_once_they_are_gone"]
async fn alone_in_a_process() {
    let store = Store::new();
    let (endpoint, _within) = hurried(&store, 128);
    let mut pod = nettool("p");
    pod["spec"]["nodeName"] = json!("worker");
    install(&store, &pod).unwrap();
    // What is made once (threads, caches) is made in the first round.
    round(&endpoint).await;
    let (files, memory) = (settled(usize::MAX).await, resident());
    for _ in 0..2 {
        round(&endpoint).await;
    }
    flood_of_commands(&endpoint).await;
    let left = settled(files).await;
    assert!(left <= files, "{left} descriptors are open, {files} were");
    let now = resident();
    println!("{files} descriptors, {memory} MiB before, {now} MiB after");
    assert!(now <= memory + LEFT, "{now} MiB are resident, {memory} were");
}

/// Everything bad, once.
async fn round(endpoint: &Endpoint) {
    throw(endpoint, &bombs()).await;
    let mut streams = Vec::new();
    for n in 0..40 {
        let mut stream = TcpStream::connect(address(endpoint)).await.unwrap();
        let noise: &[u8] = [b"".as_slice(), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", &[0; 100]][n % 4];
        let _ = stream.write_all(noise).await;
        streams.push(stream);
    }
    drop(streams);
    // Commands that nobody listens to, and requests for them that are no upgrade.
    let mut sessions = Vec::new();
    for n in 0..12 {
        sessions.push(command(endpoint, n % 2 == 0).await);
    }
    drop(sessions);
    for _ in 0..10 {
        let map = format!("{PODS}?fieldManager={}", "m".repeat(200));
        assert_eq!(ask(endpoint, "POST", &map, JSON, b"{}").await.0, 400);
    }
}

/// A connection on which a command has been asked for.
async fn command(endpoint: &Endpoint, upgrade: bool) -> TlsStream<TcpStream> {
    let mut stream = connected(endpoint).await;
    let token = &endpoint.token;
    let path = format!("{PODS}/p/exec?command=sleep&command=600&stdout=1&stdin=1");
    let upgrade = if upgrade {
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n"
    } else {
        ""
    };
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{upgrade}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// More commands than may run: those over the limit are told to come back, and the others run.
async fn flood_of_commands(endpoint: &Endpoint) {
    let mut sessions = Vec::new();
    for _ in 0..70 {
        sessions.push(command(endpoint, true).await);
    }
    let mut codes = Vec::new();
    for session in &mut sessions {
        let mut begin = [0; 12];
        session.read_exact(&mut begin).await.unwrap();
        codes.push(String::from_utf8_lossy(&begin[9..]).into_owned());
    }
    let count = |code: &str| codes.iter().filter(|found| *found == code).count();
    assert_eq!((count("101"), count("429")), (64, 6), "{codes:?}");
    assert_eq!(ask(endpoint, "GET", PODS, "", b"").await.0, 200);
}

/// The number of open descriptors once it is no more than wanted, or has not gone down for a while.
async fn settled(wanted: usize) -> usize {
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let (mut least, mut since) = (files(), Instant::now());
    while (wanted == usize::MAX || least > wanted) && since.elapsed() < Duration::from_secs(2) {
        // Nothing tells when a task has closed its descriptor.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = files();
        if now < least {
            (least, since) = (now, Instant::now());
        }
    }
    least
}

/// The memory of this process in MiB, as the kernel counts it.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}
