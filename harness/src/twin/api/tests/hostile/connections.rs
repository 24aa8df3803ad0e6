//! Connections that are silent, slow, many, or of another kind.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::{address, ask, connected};
use crate::twin::api::endpoint::{Manners, serve_with};
use crate::twin::api::tests::{node, served, worker};
use crate::twin::api::{Endpoint, install};
use crate::twin::store::{Collection, Store};

/// Longer than any of the times below, and never waited out when things are well.
const SOON: Duration = Duration::from_secs(60);

/// An endpoint in a hurry, for few.
pub(super) fn hurried(store: &Store, connections: usize) -> (Endpoint, kube::Client) {
    let short = Duration::from_secs(1);
    let manners = Manners { connections, handshake: short, first_head: short, stall: short };
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    install(store, &worker("worker", "rack0")).unwrap();
    let (endpoint, within) =
        serve_with(store.clone(), Arc::new(node::ThisMachine), listener, manners).unwrap();
    (endpoint, within.client("within").unwrap())
}

/// Reads to the end; a connection that is cut off has one too.
async fn to_the_end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut all)).await;
    let _ = read.expect("the server ends the connection");
    all
}

#[tokio::test]
async fn a_half_open_connection_holds_up_nobody() {
    let (_, endpoint) = served().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(address(&endpoint)).await.unwrap());
    }
    assert_eq!(ask(&endpoint, "GET", "/api/v1/nodes", "", b"").await.0, 200);
}

#[tokio::test]
async fn who_says_nothing_or_too_little_is_shown_out() {
    let (endpoint, _) = hurried(&Store::new(), 64);
    let mut silent = TcpStream::connect(address(&endpoint)).await.unwrap();
    assert!(to_the_end(&mut silent).await.is_empty());
    let mut half_a_hello = TcpStream::connect(address(&endpoint)).await.unwrap();
    half_a_hello.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
    to_the_end(&mut half_a_hello).await;
    let mut no_head = connected(&endpoint).await;
    to_the_end(&mut no_head).await;
    let mut half_a_head = connected(&endpoint).await;
    half_a_head.write_all(b"GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    to_the_end(&mut half_a_head).await;
}

#[tokio::test]
async fn plain_http_is_told_that_this_is_https() {
    let (endpoint, _) = hurried(&Store::new(), 64);
    let mut plain = TcpStream::connect(address(&endpoint)).await.unwrap();
    plain.write_all(b"GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(to_the_end(&mut plain).await).unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{answer}");
    let mut noise = TcpStream::connect(address(&endpoint)).await.unwrap();
    noise.write_all(&[0xff; 4096]).await.unwrap();
    to_the_end(&mut noise).await;
}

/// Without the token there is one answer per connection, so that nobody can sit on them.
#[tokio::test]
async fn who_is_not_known_gets_one_answer_and_no_place() {
    let (endpoint, _) = hurried(&Store::new(), 64);
    for path in ["/api/v1/nodes", "/healthz", "/nowhere"] {
        let mut stream = connected(&endpoint).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.repeat(2).as_bytes()).await.unwrap();
        let answer = String::from_utf8(to_the_end(&mut stream).await).unwrap();
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    // A body that never comes holds nothing up either.
    let mut stream = connected(&endpoint).await;
    stream.write_all(b"POST /api/v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n").await.unwrap();
    assert!(to_the_end(&mut stream).await.starts_with(b"HTTP/1.1 401"));
}

#[tokio::test]
async fn more_connections_than_places_wait_and_those_inside_do_not() {
    let (endpoint, within) = hurried(&Store::new(), 4);
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address(&endpoint)).await.unwrap());
    }
    let nodes: Api<Node> = Api::all(within);
    let asked = timeout(SOON, ask(&endpoint, "GET", "/api/v1/nodes", "", b""));
    let mut outside = std::pin::pin!(asked);
    let list = ListParams::default();
    let inside = tokio::select! {
        _ = &mut outside => panic!("who came last was served before the silent were shown out"),
        inside = nodes.list(&list) => inside.unwrap(),
    };
    assert_eq!(inside.items.len(), 1);
    assert_eq!(outside.await.expect("the silent are shown out").0, 200);
}

/// Changes until far more has been written than any buffer on the way can hold.
fn flood(store: &Store) -> usize {
    const CHANGES: usize = 1500;
    let text = "x".repeat(32 << 10);
    let key = Collection::new("", "configmaps").key("default", "m");
    let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "default"},
        "data": {"text": text}});
    let mut last = store.create(&key, value).unwrap();
    for _ in 1..CHANGES {
        last = store.replace(&key, last.revision, last.value.clone()).unwrap();
    }
    CHANGES * text.len()
}

/// A watch of the config maps that has begun.
async fn watching(endpoint: &Endpoint, since: u64) -> TlsStream<TcpStream> {
    begun(endpoint, &format!("/api/v1/configmaps?watch=1&resourceVersion={since}")).await
}

/// An answer of which nothing but the first line has been read.
async fn begun(endpoint: &Endpoint, path: &str) -> TlsStream<TcpStream> {
    let mut stream = connected(endpoint).await;
    let token = &endpoint.token;
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut begin = [0; 15];
    stream.read_exact(&mut begin).await.unwrap();
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_is_cut_off() {
    const MAPS: usize = 1000;
    let store = Store::new();
    let (endpoint, _) = hurried(&store, 1);
    let text = "x".repeat(32 << 10);
    for n in 0..MAPS {
        let name = format!("m{n}");
        let key = Collection::new("", "configmaps").key("default", &name);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"},
            "data": {"text": text}});
        store.create(&key, map).unwrap();
    }
    for path in ["/api/v1/configmaps?watch=1", "/api/v1/configmaps"] {
        let mut slow = begun(&endpoint, path).await;
        // There is one place, and who does not read has it, until the server has had enough.
        let next = timeout(SOON, ask(&endpoint, "GET", "/api/v1/nodes", "", b"")).await;
        assert_eq!(next.expect("the slow one's place").0, 200);
        let (got, all) = (to_the_end(&mut slow).await.len(), MAPS * text.len());
        assert!(got < all / 2, "{path}: {got} of {all} bytes were on their way");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_reads_on_too_late_is_told_that_it_is_too_late() {
    let store = Store::with_history(8);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let runtime = Arc::new(node::ThisMachine);
    let (endpoint, _) = crate::twin::api::serve(store.clone(), runtime, listener).await.unwrap();
    let mut late = watching(&endpoint, store.revision()).await;
    let written = flood(&store);
    let mut text = Vec::new();
    let read = async {
        let mut part = vec![0; 1 << 20];
        while !text.ends_with(b"\r\n0\r\n\r\n") {
            let count = late.read(&mut part).await.unwrap();
            assert_ne!(count, 0, "the answer ends in order");
            text.extend_from_slice(&part[..count]);
        }
    };
    timeout(SOON, read).await.unwrap();
    assert!(text.len() < written);
    let text = String::from_utf8_lossy(&text);
    let last = text.rsplit("{\"type\":").next().unwrap();
    assert!(last.starts_with("\"ERROR\"") && last.contains("too old resource version"), "{last}");
    assert!(last.contains("\"reason\":\"Expired\"") && last.contains("\"code\":410"), "{last}");
}
