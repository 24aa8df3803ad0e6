//! Terminals: a pair of ends, ours to read, write and resize, the other for a command.
//!
//! What lives here: making the pair and our end as streams. What does not: making it a session's own terminal (`enter`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::{Winsize, openpty};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::enter::set_size;
use crate::node::{Reader, Terminal, Writer};

/// The size until somebody says another: that of a terminal nobody has drawn larger.
const SIZE: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// A terminal for a command.
#[derive(Debug)]
pub(crate) struct Pty {
    ours: OwnedFd,
    theirs: OwnedFd,
}

impl Pty {
    /// Makes one, 24 rows of 80 columns.
    pub(crate) fn open() -> io::Result<Self> {
        let pair = openpty(&SIZE, None)?;
        for end in [&pair.master, &pair.slave] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { ours: pair.master, theirs: pair.slave })
    }

    /// The command's end three times, for its three streams.
    pub(crate) fn streams(&self) -> io::Result<[Stdio; 3]> {
        let end = || self.theirs.try_clone().map(Stdio::from);
        Ok([end()?, end()?, end()?])
    }

    /// Gives the command's end up, so that ours ends with the command.
    pub(crate) fn ours(self) -> io::Result<Ours> {
        // The two streams only ask that the descriptor can be waited for, which a terminal can.
        let stream = || self.ours.try_clone().map(std::fs::File::from);
        Ok(Ours {
            output: Some(Box::new(Receiver::from_file_unchecked(stream()?)?)),
            input: Some(Box::new(Sender::from_file_unchecked(stream()?)?)),
            size: Some(Box::new(Size(self.ours))),
        })
    }
}

/// Our end, as streams. When the last process on the terminal has gone, reading it fails.
pub(crate) struct Ours {
    pub(crate) output: Option<Reader>,
    pub(crate) input: Option<Writer>,
    pub(crate) size: Option<Box<dyn Terminal>>,
}

struct Size(OwnedFd);

impl Terminal for Size {
    fn resize(&self, rows: u16, columns: u16) {
        set_size(self.0.as_fd(), rows, columns);
    }
}
