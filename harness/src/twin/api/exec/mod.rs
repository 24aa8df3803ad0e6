//! What goes on in pods over a WebSocket: the doors `exec`, `attach` and `portforward`.
//!
//! What lives here: what is asked and whether it can be. `session` carries a command's streams, `attach` a container's output,
//! `forward` ports. What does not: running the command, which is the pod runtime's node.

mod attach;
mod forward;
mod session;

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::{Method, header, request};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) use self::attach::answer as attach;
pub(super) use self::forward::answer as forward;
use self::session::{Session, Version};
use super::http::Query;
use super::{ApiError, PodRuntime};
use crate::node::Command;

/// The largest message taken from a client, in bytes; kubectl sends 32 KiB at a time.
const MESSAGE: usize = 4 << 20;

/// How many commands run at once; each takes a handful of descriptors.
static SESSIONS: Semaphore = Semaphore::const_new(64);
/// How long one more waits for another to end before it is told to come back.
const QUEUE: Duration = Duration::from_secs(5);

/// Which streams of the command the client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wanted {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

/// The name and the namespace of a pod.
fn names(pod: &Value) -> (String, String) {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
    (text("name"), text("namespace"))
}

/// The container that is meant: the one named, or the only one.
///
/// # Errors
/// 400 when it is not one of the pod's, or none is named and there are several.
pub(super) fn container(pod: &Value, asked: Option<&str>) -> Result<Option<String>, ApiError> {
    let list = |field: &str| pod["spec"][field].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let own: Vec<_> = list("containers").iter().map(text).collect();
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) => {
            let more = [list("initContainers"), list("ephemeralContainers")].concat();
            if own.iter().any(|own| own == asked) || more.iter().any(|other| text(other) == asked) {
                return Ok(Some(asked.to_owned()));
            }
            Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}")))
        }
        None => match own.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.clone())),
            many => {
                let many = many.join(" ");
                let message =
                    format!("a container name must be specified for pod {name}, choose one of: [{many}]");
                Err(ApiError::bad_request(message))
            }
        },
    }
}

/// Answers a request to run a command: with the upgrade to a WebSocket on which it runs, or why not.
///
/// # Errors
/// 400 for what cannot be run; whatever the pod runtime says.
pub(super) async fn answer(
    runtime: &dyn PodRuntime,
    pod: &Value,
    query: &Query,
    parts: &mut request::Parts,
) -> Result<Response, ApiError> {
    let (name, namespace) = names(pod);
    let container = container(pod, query.get("container"))?;
    let argv = query.all("command");
    if argv.iter().all(String::is_empty) {
        return Err(ApiError::bad_request("you must specify at least 1 command for the container"));
    }
    let (wanted, tty) = (wanted(query)?, query.flag("tty"));
    if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
    }
    if let Some(phase) = pod["status"]["phase"].as_str().filter(|p| matches!(*p, "Succeeded" | "Failed")) {
        let message = format!("cannot exec into a container in a completed pod; current phase is {phase}");
        return Err(ApiError::bad_request(message));
    }
    let instead =
        "use kubectl 1.30 or later, or `fabric exec NAMESPACE/POD -- COMMAND`, which needs no kubectl";
    let (upgrade, version) = websocket(parts, "exec", &STREAMS, instead).await?;
    let place = place().await?;
    let node = runtime.node(&namespace, &name, container.as_deref()).await?;
    let session = Session { command: Command::new(argv), wanted, tty, version };
    let run = async move |socket| {
        session.run(node, socket).await;
        drop(place);
    };
    Ok(upgrade.on_upgrade(run).into_response())
}

/// The subprotocols of a command's streams, the better one first.
const STREAMS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// The upgrade to a WebSocket that was asked for, and which of `protocols` is spoken on it. `instead` is what a client that
/// speaks SPDY can do.
async fn websocket(
    parts: &mut request::Parts,
    door: &str,
    protocols: &[&'static str],
    instead: &str,
) -> Result<(WebSocketUpgrade, Version), ApiError> {
    let spdy = parts.headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().starts_with(b"SPDY"));
    if spdy || parts.method == Method::POST {
        let message =
            format!("{door} is served over WebSocket only, and this client speaks SPDY/3.1; {instead}");
        return Err(ApiError::bad_request(message));
    }
    let upgrade = WebSocketUpgrade::from_request_parts(parts, &())
        .await
        .map_err(|error| ApiError::bad_request(format!("{door} needs a WebSocket: {}", error.body_text())))?
        .protocols(protocols.iter().copied())
        .max_message_size(MESSAGE);
    let version = match upgrade.selected_protocol().map(header::HeaderValue::as_bytes) {
        Some(b"v5.channel.k8s.io") => Version::V5,
        Some(b"v4.channel.k8s.io") => Version::V4,
        _ => {
            let message =
                format!("{door} speaks {}, of which none is offered; {instead}", protocols.join(" and "));
            return Err(ApiError::bad_request(message));
        }
    };
    Ok((upgrade, version))
}

/// A place for one more session, or 429.
async fn place() -> Result<SemaphorePermit<'static>, ApiError> {
    let place = tokio::time::timeout(QUEUE, SESSIONS.acquire()).await;
    let busy = || ApiError::too_many("too many commands are running in pods; end some, or try again later");
    // The semaphore is never closed.
    place.map_err(|_| busy())?.map_err(ApiError::internal)
}

fn wanted(query: &Query) -> Result<Wanted, ApiError> {
    let tty = query.flag("tty");
    let wanted = Wanted {
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        // On a terminal there is one output.
        stderr: query.flag("stderr") && !tty,
    };
    if !(wanted.stdin || wanted.stdout || wanted.stderr) {
        return Err(ApiError::bad_request("you must specify at least 1 of stdin, stdout, stderr"));
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!([{"name": "a"}]), None, Ok(Some("a")))]
    #[case(json!([{"name": "a"}, {"name": "b"}]), Some("b"), Ok(Some("b")))]
    #[case(json!([{"name": "a"}, {"name": "b"}]), None,
        Err("a container name must be specified for pod p, choose one of: [a b]"))]
    #[case(json!([{"name": "a"}]), Some("c"), Err("container c is not valid for pod p"))]
    fn the_container_that_is_meant(
        #[case] containers: Value,
        #[case] asked: Option<&str>,
        #[case] expected: Result<Option<&str>, &str>,
    ) {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": containers}});
        let found = container(&pod, asked).map_err(|error| error.message);
        assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected);
    }
}
