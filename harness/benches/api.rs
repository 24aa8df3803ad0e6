//! What the twin's API endpoint costs with a large cluster in it: latencies of lists, applies and watches, and memory.
//!
//! What lives here: a figure per line, measured through TLS as any client sees it. Nothing is asserted: how fast is fast
//! enough depends on the machine, and what must hold on any machine stands in the endpoint's tests.
//!
//!     cargo bench --bench api                          # 1,000 pods, 100 watchers, optimised
//!     cargo bench --bench api --profile dev -- 200 20  # as the tests run it, with other numbers

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::http::Request;
use fabric_harness::node::NodeRef;
use fabric_harness::twin::api::{ApiError, Endpoint, LogOptions, LogStream, PodRuntime, serve};
use fabric_harness::twin::store::Store;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use kube::runtime::WatchStreamExt;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The pods are only said to run.
struct NoPods;

#[async_trait]
impl PodRuntime for NoPods {
    async fn node(&self, _: &str, _: &str, _: Option<&str>) -> Result<NodeRef, ApiError> {
        Err(ApiError::internal("no pod runs in a benchmark"))
    }

    async fn log(&self, _: &str, _: &str, _: &LogOptions) -> Result<LogStream, ApiError> {
        Ok(futures::stream::empty().boxed())
    }
}

fn main() -> Fallible<()> {
    // `cargo bench` adds a word of its own.
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let pods = numbers.first().copied().unwrap_or(1000);
    let watchers = numbers.get(1).copied().unwrap_or(100);
    // As many threads as a keeper has.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(pods, watchers))
}

async fn run(count: usize, watchers: usize) -> Fallible<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let (endpoint, _) = serve(Store::new(), Arc::new(NoPods), listener).await?;
    let client = endpoint.client()?;
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    println!("{count} pods, {watchers} watchers; client and server share this process and its memory");
    memory("empty");

    let params = PatchParams::apply("bench").force();
    let mut applied = Vec::new();
    for n in 0..count {
        let begun = Instant::now();
        pods.patch(&name(n), &params, &Patch::Apply(pod(n))).await?;
        applied.push(begun.elapsed());
    }
    figure("apply a new pod", &mut applied);
    memory("with the pods");
    let mut again = Vec::new();
    for n in 0..count.min(200) {
        let begun = Instant::now();
        pods.patch(&name(n), &params, &Patch::Apply(pod(n))).await?;
        again.push(begun.elapsed());
    }
    figure("apply it unchanged", &mut again);
    lists(&client).await?;
    watches(&endpoint, &pods, count, watchers).await?;
    memory("at the end");
    Ok(())
}

async fn lists(client: &Client) -> Fallible<()> {
    const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let path = "/api/v1/namespaces/default/pods";
    for (what, path, accept) in [
        ("list all, JSON", path.to_owned(), "application/json"),
        ("list all, table", path.to_owned(), TABLE),
        ("list one rack in ten", format!("{path}?labelSelector=rack%3Drack3"), "application/json"),
        ("list a page of 100", format!("{path}?limit=100"), "application/json"),
        ("get one", format!("{path}/p0"), "application/json"),
    ] {
        let (mut taken, mut size) = (Vec::new(), 0);
        for _ in 0..30 {
            let request = Request::get(&path).header("accept", accept).body(Vec::new())?;
            let begun = Instant::now();
            size = client.request_text(request).await?.len();
            taken.push(begun.elapsed());
        }
        figure(&format!("{what} ({} KiB)", size / 1024), &mut taken);
    }
    Ok(())
}

/// Watchers that begin with all pods, then see every change.
async fn watches(endpoint: &Endpoint, pods: &Api<Pod>, count: usize, watchers: usize) -> Fallible<()> {
    const CHANGES: usize = 200;
    let (tell, mut told) = mpsc::unbounded_channel::<String>();
    let begun = Instant::now();
    let (ready, mut all_ready) = mpsc::unbounded_channel::<()>();
    for _ in 0..watchers {
        // A connection each, as a hundred processes would have.
        let api: Api<Pod> = Api::default_namespaced(endpoint.client()?);
        let (tell, ready) = (tell.clone(), ready.clone());
        tokio::spawn(async move {
            let mut seen = 0;
            let mut events = api.watch(&WatchParams::default(), "0").await?.boxed();
            while let Some(event) = events.try_next().await? {
                match event {
                    WatchEvent::Added(_) => {
                        seen += 1;
                        if seen == count {
                            let _ = ready.send(());
                        }
                    }
                    WatchEvent::Modified(pod) => {
                        let _ = tell.send(pod.annotations().get("n").cloned().unwrap_or_default());
                    }
                    _ => {}
                }
            }
            Ok::<_, kube::Error>(())
        });
    }
    for _ in 0..watchers {
        all_ready.recv().await.ok_or("a watch ended")?;
    }
    println!("{:>10}  {watchers} watches begun, {count} pods each", milliseconds(begun.elapsed()));
    memory("with the watchers");

    let mut taken = Vec::new();
    for n in 0..CHANGES {
        let begun = Instant::now();
        annotate(pods, n % count, n).await?;
        for _ in 0..watchers {
            told.recv().await.ok_or("the watches ended")?;
        }
        taken.push(begun.elapsed());
    }
    figure("a change, patched and seen by every watcher", &mut taken);

    let begun = Instant::now();
    for n in 0..CHANGES {
        annotate(pods, n % count, CHANGES + n).await?;
    }
    for _ in 0..CHANGES * watchers {
        told.recv().await.ok_or("the watches ended")?;
    }
    println!("{:>10}  {CHANGES} changes in a row, seen by every watcher", milliseconds(begun.elapsed()));

    let begun = Instant::now();
    let mut events = kube::runtime::watcher(pods.clone(), kube::runtime::watcher::Config::default())
        .applied_objects()
        .take(count)
        .boxed();
    while events.try_next().await?.is_some() {}
    println!("{:>10}  a reflector has everything", milliseconds(begun.elapsed()));
    let left = pods.list(&ListParams::default().limit(1)).await?;
    assert_eq!(left.items.len(), 1, "the endpoint still answers");
    Ok(())
}

async fn annotate(pods: &Api<Pod>, pod: usize, n: usize) -> Fallible<()> {
    let patch = json!({"metadata": {"annotations": {"n": n.to_string()}}});
    pods.patch(&name(pod), &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

fn name(n: usize) -> String {
    format!("p{n}")
}

fn pod(n: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name(n), "labels": {"run": name(n), "rack": format!("rack{}", n % 10)}},
        "spec": {
            "containers": [{"image": "cr7258/nettool:v1", "name": "nettool", "env": [{"name": "RACK", "value": "0"}]}],
            "nodeName": format!("worker{}", n % 20),
        },
    })
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn figure(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        milliseconds(times.get(index.min(times.len().saturating_sub(1))).copied().unwrap_or_default())
    };
    println!("{:>10}  {what} (median; 95%: {}, worst: {})", at(0.5), at(0.95), at(1.0));
}

/// The memory of the process now and at its height, as the kernel counts it.
fn memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    println!("{:>6} MiB  resident, {when} (height: {} MiB)", field("VmRSS:"), field("VmHWM:"));
}
