//! The output of a container as it comes: the `attach` door.
//!
//! What lives here: from now on to the container's end, as `docker attach` gives it. What does not: what was said before
//! (`log`); input, because containers of the twin have no standard input.

use axum::extract::ws::{Message, WebSocket};
use axum::http::request;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;
use tokio::sync::mpsc;

use super::session::{FAREWELL, STATUS, STDOUT, ended, frame, goodbye, hear, send};
use super::{STREAMS, container, names, place, wanted, websocket};
use crate::twin::api::http::Query;
use crate::twin::api::{ApiError, LogOptions, LogStream, PodRuntime};

/// Answers a request to follow a container: with the upgrade to a WebSocket that carries its output, or why not.
///
/// # Errors
/// 400 for a container that cannot be followed; whatever the pod runtime says.
pub(in crate::twin::api) async fn answer(
    runtime: &dyn PodRuntime,
    pod: &Value,
    query: &Query,
    parts: &mut request::Parts,
) -> Result<Response, ApiError> {
    let (name, namespace) = names(pod);
    let named = container(pod, query.get("container"))?;
    let wanted = wanted(query)?;
    if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
    }
    if let Some(phase) = pod["status"]["phase"].as_str().filter(|p| matches!(*p, "Succeeded" | "Failed")) {
        let message = format!("cannot attach a container in a completed pod; current phase is {phase}");
        return Err(ApiError::bad_request(message));
    }
    if wanted.stdin {
        let message = format!(
            "containers of the twin have no standard input: attach without -i, or `fabric exec {namespace}/{name} -- COMMAND`"
        );
        return Err(ApiError::bad_request(message));
    }
    let instead = format!("use kubectl 1.30 or later, or `kubectl logs -f {name}`, which says the same");
    let (upgrade, version) = websocket(parts, "attach", &STREAMS, &instead).await?;
    let place = place().await?;
    let options = LogOptions { container: named, tail_lines: Some(0), follow: true, ..LogOptions::default() };
    let output = runtime.log(&namespace, &name, &options).await?;
    // One channel has both streams: a container's log does not keep them apart.
    let output = (wanted.stdout || wanted.stderr).then_some(output);
    let run = async move |socket: WebSocket| {
        let (sink, source) = socket.split();
        let (out, queue) = mpsc::channel(4);
        let sending = tokio::spawn(send(queue, sink));
        let mut hearing = tokio::spawn(hear(source, None, None, version));
        tokio::select! {
            () = carry(output, &out) => {
                let _ = out.send(frame(STATUS, ended(0).to_string().as_bytes())).await;
                let _ = out.send(goodbye()).await;
                drop(out);
                let _ = tokio::time::timeout(FAREWELL, &mut hearing).await;
            }
            // The client has gone.
            _ = &mut hearing => drop(out),
        }
        hearing.abort();
        let _ = tokio::time::timeout(FAREWELL, sending).await;
        drop(place);
    };
    Ok(upgrade.on_upgrade(run).into_response())
}

/// Carries the output to the client until the container ends.
async fn carry(output: Option<LogStream>, out: &mpsc::Sender<Message>) {
    let Some(mut output) = output else { return };
    while let Some(bytes) = output.next().await {
        if out.send(frame(STDOUT, &bytes)).await.is_err() {
            return;
        }
    }
}
