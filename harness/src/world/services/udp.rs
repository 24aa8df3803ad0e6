//! UDP datagrams to a Service, carried to a pod, and its answers back.
//!
//! What lives here: one socket to a pod for each client. What does not: choosing the pod.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::{Live, Way, bound, choose};

/// After so long without a datagram a client is forgotten, as the kernel forgets a UDP connection that was answered
/// (`nf_conntrack_udp_timeout_stream`).
const FORGOTTEN: Duration = Duration::from_secs(120);
/// The largest datagram.
const LARGEST: usize = 65_535;
/// Clients at once; more are not heard.
const CLIENTS: usize = 1024;
/// Datagrams that may wait for a pod; more are lost, as on any link.
const WAITING: usize = 64;

/// Carries until the task is dropped.
pub(super) async fn serve(live: Arc<Live>, socket: UdpSocket, way: watch::Receiver<Way>) {
    let socket = Arc::new(socket);
    let mut clients: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut talks: JoinSet<SocketAddr> = JoinSet::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            // An error here is a client's (port unreachable): the next datagram is another matter.
            Ok((length, from)) = socket.recv_from(&mut buffer) => {
                let open = clients.get(&from).filter(|sender| !sender.is_closed());
                let sender = match open {
                    Some(sender) => sender.clone(),
                    None if talks.len() >= CLIENTS => continue,
                    None => {
                        let Some(backend) = choose(&way.borrow(), from) else { continue };
                        let (sender, receiver) = mpsc::channel(WAITING);
                        talks.spawn(talk(Arc::clone(&live), Arc::clone(&socket), from, backend, receiver));
                        clients.insert(from, sender.clone());
                        sender
                    }
                };
                let _ = sender.try_send(buffer[..length].to_vec());
            }
            Some(ended) = talks.join_next(), if !talks.is_empty() => {
                if let Ok(from) = ended && clients.get(&from).is_some_and(mpsc::Sender::is_closed) {
                    clients.remove(&from);
                }
            }
        }
    }
}

async fn talk(
    live: Arc<Live>,
    socket: Arc<UdpSocket>,
    client: SocketAddr,
    backend: SocketAddr,
    mut said: mpsc::Receiver<Vec<u8>>,
) -> SocketAddr {
    let any: IpAddr =
        if backend.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let opened = bound(&live, move || {
        let pod = std::net::UdpSocket::bind((any, 0))?;
        pod.connect(backend)?;
        pod.set_nonblocking(true)?;
        Ok(pod)
    });
    let pod = match opened.await.and_then(UdpSocket::from_std) {
        Ok(pod) => pod,
        Err(error) => {
            tracing::debug!(node = live.name, %backend, %error, "a Service's pod was not reached");
            return client;
        }
    };
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            datagram = said.recv() => match datagram {
                Some(datagram) => drop(pod.send(&datagram).await),
                None => return client,
            },
            answer = pod.recv(&mut buffer) => match answer {
                Ok(length) => drop(socket.send_to(&buffer[..length], client).await),
                Err(_) => return client,
            },
            () = tokio::time::sleep(FORGOTTEN) => return client,
        }
    }
}
