//! For tests: a node that is this very process, and the recorded output of real routers.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UnixStream;

use crate::node::{Command, Node, NodeError, NodeRef, Output, Process, SocketKind};

/// A recorded file, by its path under `fixtures/recorded`.
pub(crate) fn recorded(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/recorded/");
    std::fs::read_to_string(format!("{root}{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// This process, in whatever namespaces it is.
#[derive(Debug)]
pub(crate) struct Here {
    /// False for a node that offers no unix sockets.
    pub(crate) unix: bool,
}

impl Here {
    pub(crate) fn node() -> NodeRef {
        Arc::new(Self { unix: true })
    }

    fn cannot(what: &str) -> NodeError {
        NodeError::Unsupported {
            node: "here".to_owned(),
            what: what.to_owned(),
            why: "a node for tests".to_owned(),
        }
    }
}

fn failed(source: io::Error) -> NodeError {
    NodeError::Io { node: "here".to_owned(), what: "test".to_owned(), source }
}

#[async_trait]
impl Node for Here {
    fn name(&self) -> &'static str {
        "here"
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        Ok(Output { code: 0, stdout: command.to_string().into_bytes(), stderr: Vec::new() })
    }

    async fn spawn(&self, _: &Command) -> Result<Box<dyn Process>, NodeError> {
        Err(Self::cannot("spawn"))
    }

    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError> {
        let (domain, r#type, protocol) = match kind {
            SocketKind::Icmp4 => (Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)),
            SocketKind::Icmp6 => (Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)),
            SocketKind::Udp4 => (Domain::IPV4, Type::DGRAM, None),
            SocketKind::Udp6 => (Domain::IPV6, Type::DGRAM, None),
            SocketKind::Tcp4 => (Domain::IPV4, Type::STREAM, None),
            SocketKind::Tcp6 => (Domain::IPV6, Type::STREAM, None),
            SocketKind::Route => (Domain::from(nix::libc::AF_NETLINK), Type::RAW, None),
            SocketKind::Packets => {
                let all = Protocol::from(i32::from((nix::libc::ETH_P_ALL as u16).to_be()));
                (Domain::PACKET, Type::RAW, Some(all))
            }
        };
        let socket = Socket::new(domain, r#type, protocol).map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        Ok(socket.into())
    }

    async fn unix(&self, path: &Path) -> Result<UnixStream, NodeError> {
        if !self.unix {
            return Err(Self::cannot("a unix socket"));
        }
        UnixStream::connect(path).await.map_err(failed)
    }

    async fn write_file(&self, _: &Path, _: &[u8], _: u32) -> Result<(), NodeError> {
        Err(Self::cannot("write_file"))
    }

    async fn read_file(&self, _: &Path) -> Result<Vec<u8>, NodeError> {
        Err(Self::cannot("read_file"))
    }
}
