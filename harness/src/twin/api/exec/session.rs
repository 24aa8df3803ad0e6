//! One command over one WebSocket: the channels of `v5.channel.k8s.io` and `v4.channel.k8s.io`.
//!
//! What lives here: binary messages whose first byte names a channel (0 standard input, 1 output, 2 error, 3 the final `Status`, 4 the
//! terminal's size, and in v5 255 to close one), and how a session ends. What does not: who may run what (`exec`).

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Wanted;
use crate::node::{Command, NodeError, NodeRef, Process, Reader, Terminal, Writer};
use crate::twin::api::ApiError;

const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
const STDERR: u8 = 2;
pub(super) const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// A command may leave children behind that hold its output open, as a daemon's start script does. After the command has ended
/// they are listened to for this long.
const AFTERMATH: Duration = Duration::from_millis(100);
/// How much output one message carries at most, in bytes.
pub(super) const CHUNK: usize = 16 << 10;
/// How long a client may take to answer the closing of the socket.
pub(super) const FAREWELL: Duration = Duration::from_secs(5);

/// Which subprotocol the session speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// Streams are closed one by one.
    V5,
    /// A client that is done with standard input closes the socket.
    V4,
}

/// A command and how the client wants to talk to it.
pub(super) struct Session {
    pub(super) command: Command,
    pub(super) wanted: Wanted,
    /// Whether it gets a terminal.
    pub(super) tty: bool,
    pub(super) version: Version,
}

impl Session {
    /// Runs the command to its end, or until the client is gone: then it is killed.
    pub(super) async fn run(self, node: NodeRef, socket: WebSocket) {
        let (sink, source) = socket.split();
        let (out, queue) = mpsc::channel(4);
        let sending = tokio::spawn(send(queue, sink));
        let spawned = if self.tty {
            node.spawn_on_terminal(&self.command).await
        } else {
            node.spawn(&self.command).await
        };
        match spawned {
            Err(error) => {
                let status = refused(&self.command, &error);
                let _ = out.send(frame(STATUS, status.to_string().as_bytes())).await;
                finish(out, source).await;
            }
            Ok(process) => self.carry(process, out, source).await,
        }
        // The queue has ended, so sending has too, unless the client reads no more.
        let _ = tokio::time::timeout(FAREWELL, sending).await;
    }

    async fn carry(
        self,
        mut process: Box<dyn Process>,
        out: mpsc::Sender<Message>,
        source: SplitStream<WebSocket>,
    ) {
        let mut pumps = JoinSet::new();
        let streams =
            [(STDOUT, self.wanted.stdout, process.stdout()), (STDERR, self.wanted.stderr, process.stderr())];
        for (channel, wanted, reader) in streams {
            if let Some(reader) = reader {
                pumps.spawn(pump(channel, reader, wanted.then(|| out.clone())));
            }
        }
        let stdin = process.stdin().filter(|_| self.wanted.stdin);
        let terminal = process.terminal();
        let mut hearing = tokio::spawn(hear(source, stdin, terminal, self.version));
        let code = tokio::select! {
            code = process.wait() => code,
            // The client has gone: dropping the process kills it.
            _ = &mut hearing => return,
        };
        let drained = async { while pumps.join_next().await.is_some() {} };
        if tokio::time::timeout(AFTERMATH, drained).await.is_err() {
            pumps.shutdown().await;
        }
        let status = match code {
            Ok(code) => ended(code),
            Err(error) => refused(&self.command, &error),
        };
        let _ = out.send(frame(STATUS, status.to_string().as_bytes())).await;
        let _ = out.send(goodbye()).await;
        drop(out);
        if tokio::time::timeout(FAREWELL, &mut hearing).await.is_err() {
            hearing.abort();
        }
    }
}

/// A terminal's size in characters, as kubectl sends it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Size {
    width: u16,
    height: u16,
}

pub(super) fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "".into() }))
}

/// Says goodbye and waits for the client to say it too.
pub(super) async fn finish(out: mpsc::Sender<Message>, source: SplitStream<WebSocket>) {
    let _ = out.send(goodbye()).await;
    drop(out);
    let _ = tokio::time::timeout(FAREWELL, hear(source, None, None, Version::V5)).await;
}

pub(super) fn frame(channel: u8, bytes: &[u8]) -> Message {
    let mut message = BytesMut::with_capacity(bytes.len() + 1);
    message.put_u8(channel);
    message.put_slice(bytes);
    Message::Binary(message.freeze())
}

pub(super) async fn send(mut queue: mpsc::Receiver<Message>, mut sink: SplitSink<WebSocket, Message>) {
    while let Some(message) = queue.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// Carries output to the client; without one, reads it so that the command is never held up.
async fn pump(channel: u8, mut reader: Reader, out: Option<mpsc::Sender<Message>>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        let Some(out) = &out else { continue };
        if out.send(frame(channel, buffer.get(..count).unwrap_or_default())).await.is_err() {
            return;
        }
    }
}

/// Carries input to the command; ends when the client has closed the socket.
pub(super) async fn hear(
    mut source: SplitStream<WebSocket>,
    mut stdin: Option<Writer>,
    terminal: Option<Box<dyn Terminal>>,
    version: Version,
) {
    while let Some(Ok(message)) = source.next().await {
        let bytes: Bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        match bytes.split_first() {
            Some((&STDIN, data)) => {
                if let Some(writer) = &mut stdin {
                    let written = async {
                        writer.write_all(data).await?;
                        writer.flush().await
                    };
                    if written.await.is_err() {
                        // The command reads no more; what else comes for it is dropped.
                        stdin = None;
                    }
                }
            }
            Some((&RESIZE, size)) => {
                if let (Some(terminal), Ok(Size { width, height })) =
                    (&terminal, serde_json::from_slice(size))
                {
                    terminal.resize(height, width);
                }
            }
            Some((&CLOSE, [STDIN])) if version == Version::V5 => {
                if let Some(mut writer) = stdin.take() {
                    let _ = writer.shutdown().await;
                }
            }
            _ => {}
        }
    }
}

/// The final status of a command that ran.
pub(super) fn ended(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: error executing command, exit code {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

/// The final status of a command that could not be run.
fn refused(command: &Command, error: &NodeError) -> Value {
    let why = match error {
        NodeError::NotFound { program, .. } => {
            format!("exec failed: exec: \"{program}\": executable file not found in $PATH: unknown ({error})")
        }
        other => format!("exec failed: {other}"),
    };
    tracing::debug!(%command, %error, "exec could not run");
    let mut status = ApiError::internal(format!("error executing command in container: {why}")).status();
    if let Some(status) = status.as_object_mut() {
        status.shift_remove("kind");
        status.shift_remove("apiVersion");
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_a_cause() {
        assert_eq!(ended(0)["status"], "Success");
        assert_eq!(ended(7)["reason"], "NonZeroExitCode");
        assert_eq!(ended(7)["details"]["causes"][0], json!({"reason": "ExitCode", "message": "7"}));
    }
}
