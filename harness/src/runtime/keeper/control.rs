//! The keeper's control socket.
//!
//! What lives here: accepting, parsing, answering, passing descriptors. What does not: doing what is asked
//! (`crate::world`). The socket stands in a folder of mode 0700: who reaches it is the user.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::client::line_of;
use super::protocol::{Answer, Progress, Request, StepReport};
use crate::runtime::netns::socket::open_in;
use crate::world::{World, WorldError};

/// Serves until `stop`; a `down` request cancels it.
pub(super) async fn serve(listener: UnixListener, world: Arc<World>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (world, stop) = (Arc::clone(&world), stop.clone());
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &world, &stop).await {
                        tracing::debug!(%error, "a client went away");
                    }
                });
            }
        }
    }
}

async fn converse(stream: UnixStream, world: &Arc<World>, stop: &CancellationToken) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let request: Request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            return answer(&mut stream, &Answer::Failed { why: format!("not a request: {error}") }).await;
        }
    };
    match request {
        Request::Socket { init, kind } => match tokio::task::spawn_blocking(move || open_in(init, kind))
            .await?
        {
            Ok(socket) => send_with_descriptor(stream.get_ref(), &line_of(&Answer::Socket)?, &socket).await,
            Err(error) => answer(&mut stream, &Answer::Failed { why: error.to_string() }).await,
        },
        Request::Step(step) => {
            let (progress, parts) = mpsc::unbounded_channel();
            let world = Arc::clone(world);
            let work = tokio::spawn(async move { world.step(step, &progress).await });
            work_on(&mut stream, work, parts).await
        }
        Request::Upgrade(order) => {
            let (progress, parts) = mpsc::unbounded_channel();
            let world = Arc::clone(world);
            let work = tokio::spawn(async move { world.upgrade(&order, &progress).await });
            work_on(&mut stream, work, parts).await
        }
        Request::Phase(phase) => {
            world.reached(phase).await;
            answer(&mut stream, &Answer::Done).await
        }
        Request::Agents => {
            let mut agents = world.agents().await;
            loop {
                let now = agents.now();
                let none = now.is_empty();
                answer(&mut stream, &Answer::Agents(now)).await?;
                if none {
                    // Those that come later are not these.
                    return Ok(());
                }
                tokio::select! {
                    () = agents.changed() => {}
                    // Nothing more is asked: what can be read is that the client has gone.
                    _ = stream.read_line(&mut line) => return Ok(()),
                }
            }
        }
        Request::Nodes => answer(&mut stream, &Answer::Nodes(world.nodes().await)).await,
        Request::Down => {
            answer(&mut stream, &Answer::Done).await?;
            stop.cancel();
            // The connection stays open until the keeper leaves: its end is what the client waits for.
            std::future::pending().await
        }
    }
}

/// Tells what a piece of work has done so far, and how it ended.
async fn work_on(
    stream: &mut BufReader<UnixStream>,
    mut work: JoinHandle<Result<StepReport, WorldError>>,
    mut parts: mpsc::UnboundedReceiver<Progress>,
) -> io::Result<()> {
    loop {
        tokio::select! {
            biased;
            Some(part) = parts.recv() => answer(stream, &Answer::Progress(part)).await?,
            done = &mut work => {
                while let Ok(part) = parts.try_recv() {
                    answer(stream, &Answer::Progress(part)).await?;
                }
                let last = match done? {
                    Ok(report) => Answer::Step(report),
                    Err(error) => Answer::Failed { why: error.to_string() },
                };
                return answer(stream, &last).await;
            }
        }
    }
}

async fn answer(stream: &mut BufReader<UnixStream>, answer: &Answer) -> io::Result<()> {
    stream.get_mut().write_all(&line_of(answer)?).await
}

async fn send_with_descriptor(stream: &UnixStream, bytes: &[u8], descriptor: &OwnedFd) -> io::Result<()> {
    let descriptors = [descriptor.as_raw_fd()];
    loop {
        stream.writable().await?;
        let sent = stream.try_io(Interest::WRITABLE, || {
            let rights = [ControlMessage::ScmRights(&descriptors)];
            sendmsg::<()>(stream.as_raw_fd(), &[IoSlice::new(bytes)], &rights, MsgFlags::empty(), None)
                .map_err(io::Error::from)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other.map(drop),
        }
    }
}
