//! Nodes made of Linux namespaces: network, mount, pid, uts and ipc, in a user namespace when we are not root.

pub(crate) mod enter;
pub(crate) mod etc;
mod init;
mod node;
mod process;
mod rootfs;
pub(crate) mod socket;
mod spawn;
pub(crate) mod terminal;
pub(crate) mod zygote;

pub use node::{NetnsNode, SocketSource};
pub(crate) use rootfs::set_sysctls;
pub use rootfs::{FileSpec, MountSpec};
pub use spawn::{InitSpec, NodeInit};
