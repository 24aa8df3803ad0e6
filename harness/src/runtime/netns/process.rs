//! A command running in a node of namespaces.
//!
//! What lives here: starting it, its streams, its end. What does not: how a namespace is entered (`enter`).

use std::ffi::CString;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command as TokioCommand};

use super::enter::{Entry, end_command, enter, pidfd};
use super::terminal::{Ours, Pty};
use crate::node::{Command, NodeError, Process, Reader, Terminal, Writer};

/// What every command finds in its environment unless it says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a command's streams are set up.
pub(super) enum Streams {
    /// Three pipes, and a session of the command's own.
    Piped,
    /// The caller's own terminal.
    Inherited,
    /// A terminal made for the command, and a session of its own.
    Terminal(Pty),
}

/// Starts a command in the node whose first process is `init`.
pub(super) fn start(
    node: &str,
    init: i32,
    userns: bool,
    command: &Command,
    streams: &Streams,
) -> Result<Entered, NodeError> {
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(io_error(node, "run a command", io::Error::other("the command is empty")));
    };
    let init = pidfd(init).map_err(|_| NodeError::Gone { node: node.to_owned() })?;
    let cwd = command.cwd.as_deref().unwrap_or(Path::new("/"));
    let cwd = CString::new(cwd.as_os_str().as_bytes())
        .map_err(|error| io_error(node, "use the working directory", io::Error::other(error)))?;
    let detach = !matches!(streams, Streams::Inherited);
    let terminal = matches!(streams, Streams::Terminal(_));
    let mut std = std::process::Command::new(program);
    std.args(arguments).env_clear().env("PATH", PATH).env("HOME", "/root").env("HOSTNAME", node);
    if !detach && let Some(term) = std::env::var_os("TERM") {
        std.env("TERM", term);
    }
    if terminal {
        // What container runtimes say of theirs.
        std.env("TERM", "xterm");
    }
    std.envs(&command.env);
    enter(&mut std, Entry { init, userns, cwd, detach, terminal });
    let [stdin, stdout, stderr] = match streams {
        Streams::Inherited => [Stdio::inherit(), Stdio::inherit(), Stdio::inherit()],
        Streams::Piped => [Stdio::piped(), Stdio::piped(), Stdio::piped()],
        Streams::Terminal(pty) => {
            pty.streams().map_err(|error| io_error(node, "hand out a terminal", error))?
        }
    };
    std.stdin(stdin).stdout(stdout).stderr(stderr);
    TokioCommand::from(std).spawn().map(Entered).map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => NodeError::NotFound { node: node.to_owned(), program: program.clone() },
        Some(libc::ESRCH) => NodeError::Gone { node: node.to_owned() },
        _ => io_error(node, &format!("run `{command}`"), error),
    })
}

/// The process in between us and a command. Dropping it ends the command.
///
/// Not by SIGKILL: a command whose parent was killed becomes a child of whoever takes orphans in, and until somebody
/// reaps it there, the kernel does not let the node's first process go.
pub(super) struct Entered(Child);

impl Drop for Entered {
    fn drop(&mut self) {
        // No pid: it has ended and was waited for.
        if let Some(pid) = self.0.id() {
            end_command(pid.cast_signed());
        }
    }
}

impl Deref for Entered {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.0
    }
}

impl DerefMut for Entered {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.0
    }
}

/// The exit code as a shell counts it.
pub(super) fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

pub(super) fn io_error(node: &str, what: &str, source: io::Error) -> NodeError {
    NodeError::Io { node: node.to_owned(), what: what.to_owned(), source }
}

/// A running command. Dropping it kills the command.
pub(super) struct NetnsProcess {
    pub(super) node: String,
    pub(super) child: Entered,
    /// Our end of its terminal, where it has one.
    pub(super) terminal: Option<Ours>,
}

#[async_trait]
impl Process for NetnsProcess {
    fn stdin(&mut self) -> Option<Writer> {
        if let Some(ours) = &mut self.terminal {
            return ours.input.take();
        }
        self.child.stdin.take().map(|stream| Box::new(stream) as Writer)
    }

    fn stdout(&mut self) -> Option<Reader> {
        if let Some(ours) = &mut self.terminal {
            return ours.output.take();
        }
        self.child.stdout.take().map(|stream| Box::new(stream) as Reader)
    }

    fn stderr(&mut self) -> Option<Reader> {
        self.child.stderr.take().map(|stream| Box::new(stream) as Reader)
    }

    fn terminal(&mut self) -> Option<Box<dyn Terminal>> {
        self.terminal.as_mut()?.size.take()
    }

    async fn wait(&mut self) -> Result<i32, NodeError> {
        self.child.wait().await.map(code).map_err(|error| io_error(&self.node, "wait for a command", error))
    }

    fn signal(&self, signal: i32) -> Result<(), NodeError> {
        let Some(pid) = self.child.id() else { return Ok(()) };
        if signal == libc::SIGKILL {
            end_command(pid.cast_signed());
            return Ok(());
        }
        let signal = Signal::try_from(signal)
            .map_err(|error| io_error(&self.node, &format!("send signal {signal}"), error.into()))?;
        kill(Pid::from_raw(pid.cast_signed()), signal)
            .map_err(|error| io_error(&self.node, &format!("send {signal}"), error.into()))
    }
}
