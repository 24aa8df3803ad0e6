//! TCP connections to a Service, carried to a pod.
//!
//! What lives here: accepting and carrying. What does not: choosing the pod.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Live, Way, bound, choose};

/// How long to wait after accepting failed, which is for want of descriptors: there is no event when one is free again.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Carries until the task is dropped, and every connection with it.
pub(super) async fn serve(live: Arc<Live>, listener: TcpListener, way: watch::Receiver<Way>) {
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, from)) => {
                    let backend = choose(&way.borrow(), from);
                    talks.spawn(talk(Arc::clone(&live), client, backend));
                }
                Err(error) => {
                    tracing::debug!(node = live.name, %error, "a connection to a Service was not accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            },
            Some(_) = talks.join_next(), if !talks.is_empty() => {}
        }
    }
}

/// Carries everything to one place outside the fabric, until the task is dropped.
pub(super) async fn gate(listener: TcpListener, to: SocketAddr) {
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((mut client, _)) => drop(talks.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                })),
                Err(_) => tokio::time::sleep(EXHAUSTED).await,
            },
            Some(_) = talks.join_next(), if !talks.is_empty() => {}
        }
    }
}

async fn talk(live: Arc<Live>, mut client: TcpStream, backend: Option<SocketAddr>) {
    let reached = match backend {
        Some(backend) => connect(&live, backend).await,
        None => Err(std::io::ErrorKind::PermissionDenied.into()),
    };
    match reached {
        Ok(mut pod) => {
            let _ = client.set_nodelay(true);
            let _ = pod.set_nodelay(true);
            // However it ended, both ends are closed now.
            let _ = copy_bidirectional(&mut client, &mut pod).await;
        }
        Err(error) => {
            tracing::debug!(node = live.name, ?backend, %error, "a Service's pod was not reached");
            // The client hears a reset, as it would from a pod where nothing listens.
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        }
    }
}

async fn connect(live: &Arc<Live>, backend: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = bound(live, move || Socket::new(Domain::for_address(backend), Type::STREAM, None)).await?;
    socket.set_nonblocking(true)?;
    TcpSocket::from_std_stream(socket.into()).connect(backend).await
}
