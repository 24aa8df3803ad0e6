//! A command that runs where only a started command leads: signalled by another one that runs `kill`.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::watch;

use super::carrier::{Carrier, Started};
use super::node::told;
use crate::node::{NodeError, Process, Reader, Terminal, Writer};
use crate::runtime::wrapped::{self, Opening};

/// How much of standard error is held for a reader who is slow, in bytes: as much as a pipe holds.
const HELD: usize = 64 * 1024;

/// A running command. Dropping it kills the command.
pub(super) struct CarriedProcess {
    node: String,
    what: String,
    carrier: Arc<dyn Carrier>,
    started: Started,
    stdout: Option<Reader>,
    stderr: Option<Reader>,
    on_terminal: bool,
    pid: watch::Receiver<Option<i32>>,
    ended: bool,
}

impl CarriedProcess {
    pub(super) fn new(
        node: String,
        what: String,
        carrier: Arc<dyn Carrier>,
        mut started: Started,
        on_terminal: bool,
    ) -> Self {
        let (say, pid) = watch::channel(None);
        let stderr = started.stderr.take().map(|raw| {
            let (to, from) = duplex(HELD);
            tokio::spawn(pump(raw, to, say));
            Box::new(from) as Reader
        });
        let stdout = Some(std::mem::replace(&mut started.stdout, Box::new(tokio::io::empty())));
        Self { node, what, carrier, started, stdout, stderr, on_terminal, pid, ended: false }
    }
}

/// Takes the shell's own line off the beginning and hands out the rest. Reads to the end also when nobody listens: the
/// pid must be heard.
async fn pump(mut raw: Reader, mut to: DuplexStream, say: watch::Sender<Option<i32>>) {
    let mut opening = Opening::default();
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = raw.read(&mut piece).await {
        let (rest, pid) = opening.feed(&piece[..length]);
        if pid.is_some() {
            say.send_replace(pid);
        }
        let _ = to.write_all(&rest).await;
    }
    let _ = to.write_all(&opening.rest()).await;
}

/// Sends a signal once the pid is known; to a command that has never said it, to none.
async fn kill(carrier: Arc<dyn Carrier>, mut pid: watch::Receiver<Option<i32>>, signal: i32) {
    let Ok(Some(pid)) = pid.wait_for(Option::is_some).await.map(|pid| *pid) else { return };
    // One that has ended meanwhile is as good as killed.
    if let Ok(started) = carrier.start(wrapped::kill(pid, signal), false, false).await {
        let _keep = started.keep;
        let _ = started.code.await;
    }
}

#[async_trait]
impl Process for CarriedProcess {
    fn stdin(&mut self) -> Option<Writer> {
        self.started.stdin.take()
    }

    fn stdout(&mut self) -> Option<Reader> {
        self.stdout.take()
    }

    fn stderr(&mut self) -> Option<Reader> {
        self.stderr.take()
    }

    async fn wait(&mut self) -> Result<i32, NodeError> {
        // Nobody will write any more. Where that cannot be said, saying it would break the connection.
        if self.carrier.carries_end_of_input() {
            self.started.stdin.take();
        }
        // What nobody has taken is read to nowhere: a stream nobody reads would stop the others, and the command.
        for mut left in [self.stdout.take(), self.stderr.take()].into_iter().flatten() {
            tokio::spawn(async move { tokio::io::copy(&mut left, &mut tokio::io::sink()).await });
        }
        let code = (&mut self.started.code).await;
        self.ended = true;
        code.map_err(|error| told(&self.node, &self.what, error))
    }

    fn signal(&self, signal: i32) -> Result<(), NodeError> {
        if self.on_terminal {
            return Err(NodeError::Unsupported {
                node: self.node.clone(),
                what: format!("send signal {signal}"),
                why: "the command is on a terminal: type Ctrl-C into it".into(),
            });
        }
        tokio::spawn(kill(Arc::clone(&self.carrier), self.pid.clone(), signal));
        Ok(())
    }

    fn terminal(&mut self) -> Option<Box<dyn Terminal>> {
        self.started.terminal.take()
    }
}

impl Drop for CarriedProcess {
    fn drop(&mut self) {
        if !self.ended
            && !self.on_terminal
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(kill(Arc::clone(&self.carrier), self.pid.clone(), libc::SIGKILL));
        }
    }
}
