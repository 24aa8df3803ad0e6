//! A command running in a container by the engine's exec.
//!
//! What lives here: starting it, its streams, its end, signals. What does not: the node (`node`). An exec has no call for
//! signals: another exec runs `kill` (`runtime::wrapped` finds out the pid).

use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error as Bollard;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures::{Stream, StreamExt};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::engine::Engine;
use super::error::{status, why};
use crate::node::{Command, NodeError, Process, Reader, Terminal, Writer};
use crate::runtime::wrapped::{self, Opening};

/// How much of a stream is held for a reader who is slow, in bytes: as much as a pipe holds.
const HELD: usize = 64 * 1024;

/// Where commands are run: a container, and the name its node goes by.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) engine: Engine,
    pub(super) node: String,
    pub(super) container: String,
}

impl Place {
    pub(super) fn error(&self, what: &str, error: &Bollard) -> NodeError {
        // 404: removed. 409: stopped.
        if matches!(status(error), Some(404 | 409)) {
            return NodeError::Gone { node: self.node.clone() };
        }
        let source = std::io::Error::other(why(error));
        NodeError::Io { node: self.node.clone(), what: what.to_owned(), source }
    }

    /// Starts a command; on a terminal if `terminal`.
    pub(super) async fn start(&self, command: &Command, terminal: bool) -> Result<DockerProcess, NodeError> {
        if command.argv.is_empty() {
            let source = std::io::Error::other("the command is empty");
            return Err(NodeError::Io { node: self.node.clone(), what: "run a command".into(), source });
        }
        let cmd = if terminal { wrapped::wrapped_on_terminal(command) } else { wrapped::wrapped(command) };
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(!terminal),
            tty: Some(terminal),
            env: terminal.then(|| vec!["TERM=xterm".to_owned()]),
            // As containerlab and kubectl do, whoever the image's own user is.
            user: Some("root".to_owned()),
            cmd: Some(cmd),
            ..ExecConfig::default()
        };
        let what = format!("run `{command}`");
        let failed = |error: Bollard| self.error(&what, &error);
        let made = self.engine.api().create_exec(&self.container, config).await.map_err(failed)?;
        let options = StartExecOptions { detach: false, tty: terminal, output_capacity: Some(HELD) };
        let started = self.engine.api().start_exec(&made.id, Some(options)).await.map_err(failed)?;
        let StartExecResults::Attached { output, mut input } = started else {
            let source = std::io::Error::other("the engine runs it without us");
            return Err(NodeError::Io { node: self.node.clone(), what, source });
        };
        let (stdin, mut typed) = duplex(HELD);
        tokio::spawn(async move {
            // A command that reads no more, or has ended, is not an error.
            let _ = tokio::io::copy(&mut typed, &mut input).await;
            let _ = input.shutdown().await;
        });
        let (out, stdout) = duplex(HELD);
        let (err, stderr) = duplex(HELD);
        let (say, pid) = watch::channel(None);
        let pump = tokio::spawn(pump(output, out, err, say));
        Ok(DockerProcess {
            place: self.clone(),
            exec: made.id,
            stdin: Some(stdin),
            stdout: Some(stdout),
            stderr: (!terminal).then_some(stderr),
            terminal,
            pid,
            pump: Some(pump),
            ended: false,
        })
    }

    /// How an exec ended, once it has.
    async fn code(&self, exec: &str) -> Result<i32, NodeError> {
        // The streams end a moment before the engine has noted the end, and it has no call that waits for that.
        let mut pause = Duration::from_millis(1);
        loop {
            let said = self.engine.api().inspect_exec(exec).await;
            let said = said.map_err(|error| self.error("see how a command ended", &error))?;
            if said.running == Some(false)
                && let Some(code) = said.exit_code
            {
                return Ok(i32::try_from(code).unwrap_or(-1));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    async fn kill(&self, mut pid: watch::Receiver<Option<i32>>, signal: i32) {
        let Ok(Some(pid)) = pid.wait_for(Option::is_some).await.map(|pid| *pid) else { return };
        let config = ExecConfig {
            cmd: Some(wrapped::kill(pid, signal)),
            user: Some("root".into()),
            ..ExecConfig::default()
        };
        // One that has ended meanwhile is as good as killed.
        if let Ok(made) = self.engine.api().create_exec(&self.container, config).await {
            let options = StartExecOptions { detach: true, ..StartExecOptions::default() };
            let _ = self.engine.api().start_exec(&made.id, Some(options)).await;
        }
    }
}

/// Hands out what a command says, stream by stream.
async fn pump(
    mut output: impl Stream<Item = Result<LogOutput, Bollard>> + Unpin,
    mut out: DuplexStream,
    mut err: DuplexStream,
    say: watch::Sender<Option<i32>>,
) {
    let mut opening = Opening::default();
    while let Some(Ok(piece)) = output.next().await {
        // A reader who has gone misses the rest of that stream; the other goes on.
        match piece {
            LogOutput::StdOut { message } | LogOutput::Console { message } => {
                let _ = out.write_all(&message).await;
            }
            LogOutput::StdErr { message } => {
                let (rest, pid) = opening.feed(&message);
                if pid.is_some() {
                    say.send_replace(pid);
                }
                let _ = err.write_all(&rest).await;
            }
            LogOutput::StdIn { .. } => {}
        }
    }
    let _ = err.write_all(&opening.rest()).await;
}

/// A running command. Dropping it kills the command.
pub(super) struct DockerProcess {
    place: Place,
    exec: String,
    stdin: Option<DuplexStream>,
    stdout: Option<DuplexStream>,
    stderr: Option<DuplexStream>,
    terminal: bool,
    pid: watch::Receiver<Option<i32>>,
    pump: Option<JoinHandle<()>>,
    ended: bool,
}

#[async_trait]
impl Process for DockerProcess {
    fn stdin(&mut self) -> Option<Writer> {
        self.stdin.take().map(|stream| Box::new(stream) as Writer)
    }

    fn stdout(&mut self) -> Option<Reader> {
        self.stdout.take().map(|stream| Box::new(stream) as Reader)
    }

    fn stderr(&mut self) -> Option<Reader> {
        self.stderr.take().map(|stream| Box::new(stream) as Reader)
    }

    async fn wait(&mut self) -> Result<i32, NodeError> {
        // What nobody has taken is read by nobody: it must not keep the command from ending.
        self.stdin.take();
        self.stdout.take();
        self.stderr.take();
        if let Some(pump) = &mut self.pump {
            let _ = pump.await;
            self.pump = None;
        }
        let code = self.place.code(&self.exec).await?;
        self.ended = true;
        Ok(code)
    }

    fn signal(&self, signal: i32) -> Result<(), NodeError> {
        if self.terminal {
            return Err(NodeError::Unsupported {
                node: self.place.node.clone(),
                what: format!("send signal {signal}"),
                why: "the command is on a terminal: type Ctrl-C into it".into(),
            });
        }
        let (place, pid) = (self.place.clone(), self.pid.clone());
        tokio::spawn(async move { place.kill(pid, signal).await });
        Ok(())
    }

    fn terminal(&mut self) -> Option<Box<dyn Terminal>> {
        self.terminal.then(|| {
            Box::new(DockerTerminal { engine: self.place.engine.clone(), exec: self.exec.clone() }) as _
        })
    }
}

impl Drop for DockerProcess {
    fn drop(&mut self) {
        // Without a runtime there is nobody to ask the engine; the container's end is the command's.
        if !self.ended
            && !self.terminal
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (place, pid) = (self.place.clone(), self.pid.clone());
            runtime.spawn(async move { place.kill(pid, libc::SIGKILL).await });
        }
    }
}

/// The terminal of a command, at the engine.
struct DockerTerminal {
    engine: Engine,
    exec: String,
}

impl Terminal for DockerTerminal {
    fn resize(&self, rows: u16, columns: u16) {
        let (engine, exec) = (self.engine.clone(), self.exec.clone());
        tokio::spawn(async move {
            let size = ResizeExecOptions { height: rows, width: columns };
            // A command that has ended has no terminal any more.
            let _ = engine.api().resize_exec(&exec, size).await;
        });
    }
}
