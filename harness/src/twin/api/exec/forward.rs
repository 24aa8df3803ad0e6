//! Ports of a pod over one WebSocket: the door `portforward`.
//!
//! What lives here: a pair of channels for each port (its data, and what went wrong), and the connections behind them, made to
//! the pod's own loopback as a kubelet makes them. What does not: SPDY, which kubectl speaks at this door.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::extract::ws::{Message, WebSocket};
use axum::http::request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::SplitStream;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::session::{CHUNK, FAREWELL, frame, goodbye, send};
use super::{names, place, websocket};
use crate::node::NodeRef;
use crate::probe::reach;
use crate::twin::api::http::Query;
use crate::twin::api::{ApiError, PodRuntime};

/// How many ports one request may ask for: each takes a descriptor.
const PORTS: usize = 32;

/// Answers a request for ports: with the upgrade to a WebSocket that carries them, or why not.
///
/// # Errors
/// 400 for ports that are none and for a pod that is not running; whatever the pod runtime says.
pub(in crate::twin::api) async fn answer(
    runtime: &dyn PodRuntime,
    pod: &Value,
    query: &Query,
    parts: &mut request::Parts,
) -> Result<Response, ApiError> {
    let (name, namespace) = names(pod);
    let instead = format!("reach the port from inside, as with `fabric exec {namespace}/{name} -- COMMAND`");
    let (upgrade, _) = websocket(parts, "portforward", &["v4.channel.k8s.io"], &instead).await?;
    let ports = ports(&query.all("ports"))?;
    let phase = pod["status"]["phase"].as_str().unwrap_or("Pending");
    if phase != "Running" {
        let why = format!("unable to forward port because pod is not running. Current status={phase}");
        return Err(ApiError::bad_request(why));
    }
    let place = place().await?;
    let node = runtime.node(&namespace, &name, None).await?;
    let run = async move |socket| {
        carry(&node, &ports, socket).await;
        drop(place);
    };
    Ok(upgrade.on_upgrade(run).into_response())
}

/// The ports a query asks for: `ports=80,443`, `ports=80&ports=443`.
fn ports(asked: &[String]) -> Result<Vec<u16>, ApiError> {
    let words = asked.iter().flat_map(|text| text.split(',')).filter(|word| !word.is_empty());
    let port = |word: &str| {
        let port = word.parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| ApiError::bad_request(format!("ports: `{word}` is no port: 1 to 65535")))
    };
    let ports: Vec<u16> = words.map(port).collect::<Result<_, _>>()?;
    match ports.len() {
        0 => Err(ApiError::bad_request("query parameter \"ports\" is required")),
        1..=PORTS => Ok(ports),
        more => Err(ApiError::bad_request(format!("ports: {more} are too many at once, {PORTS} may be"))),
    }
}

/// Carries all ports until the client has gone, or the pod has closed every one of them.
async fn carry(node: &NodeRef, ports: &[u16], socket: WebSocket) {
    let (sink, source) = socket.split();
    let (out, queue) = mpsc::channel(4);
    let sending = tokio::spawn(send(queue, sink));
    let (mut inputs, mut going) = (Vec::new(), JoinSet::new());
    for (data, port) in (0_u8..).step_by(2).zip(ports.iter().copied()) {
        // Each channel begins with the port it is for.
        for channel in [data, data + 1] {
            let _ = out.send(frame(channel, &port.to_le_bytes())).await;
        }
        let (input, inbox) = mpsc::channel(4);
        inputs.push(input);
        going.spawn(one(node.clone(), port, data, inbox, out.clone()));
    }
    let closed = async { while going.join_next().await.is_some() {} };
    tokio::select! {
        () = closed => {}
        () = hear(source, inputs) => {}
    }
    // Connections that are left end here.
    going.shutdown().await;
    let _ = out.send(goodbye()).await;
    drop(out);
    let _ = tokio::time::timeout(FAREWELL, sending).await;
}

/// One port: connects, and carries both ways until the pod's side is closed.
async fn one(
    node: NodeRef,
    port: u16,
    data: u8,
    mut inbox: mpsc::Receiver<Bytes>,
    out: mpsc::Sender<Message>,
) {
    let stream = match connected(&node, port).await {
        Ok(stream) => stream,
        Err(why) => {
            let why = format!("error forwarding port {port} to pod {}: {why}", node.name());
            let _ = out.send(frame(data + 1, why.as_bytes())).await;
            return;
        }
    };
    let (mut reader, mut writer) = stream.into_split();
    let upstream = async move {
        while let Some(bytes) = inbox.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                // The pod reads no more; what it still says is carried.
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let downstream = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count @ 1..) = reader.read(&mut buffer).await {
            if out.send(frame(data, buffer.get(..count).unwrap_or_default())).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = upstream => {}
        () = downstream => {}
    }
}

/// A connection to a port of the pod's loopback, of whichever family somebody listens in.
async fn connected(node: &NodeRef, port: u16) -> Result<TcpStream, String> {
    let mut why = String::new();
    for address in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
        match reach(&**node, (address, port).into()).await.map_err(|error| error.to_string())? {
            Ok(socket) => {
                return TcpStream::from_std(socket.into()).map_err(|error| error.to_string());
            }
            Err(refused) => why = refused.to_string(),
        }
    }
    Err(why)
}

/// Hands what comes to its port; ends when the client has closed the socket.
async fn hear(mut source: SplitStream<WebSocket>, inputs: Vec<mpsc::Sender<Bytes>>) {
    while let Some(Ok(message)) = source.next().await {
        let mut bytes: Bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        if bytes.is_empty() {
            continue;
        }
        let channel = usize::from(bytes.split_to(1)[0]);
        // Odd channels are ours to speak on.
        if let Some(input) = inputs.get(channel / 2).filter(|_| channel % 2 == 0) {
            // A port that is closed takes nothing; the others go on.
            let _ = input.send(bytes).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&["80,443"], Ok(vec![80, 443]))]
    #[case(&["80", "443"], Ok(vec![80, 443]))]
    #[case(&[], Err("query parameter \"ports\" is required"))]
    #[case(&["0"], Err("ports: `0` is no port: 1 to 65535"))]
    #[case(&["80,http"], Err("ports: `http` is no port: 1 to 65535"))]
    fn ports_are_read_either_way(#[case] asked: &[&str], #[case] expected: Result<Vec<u16>, &str>) {
        let asked: Vec<String> = asked.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(ports(&asked).map_err(|error| error.message), expected.map_err(str::to_owned));
    }
}
