//! Running a program that ends with us, however we end.
//!
//! What lives here: the thread that a program is tied to. What does not: what is run (`apt`, `layer`, `crate::outside`).
//!
//! A fetch can take minutes, and apt would go on with it after a run that was killed. The kernel kills the program when
//! the thread that started it ends (`PR_SET_PDEATHSIG`, which is per thread): so a thread of its own starts it, and stays
//! until it has ended. apt's helpers read what to do from pipes that apt holds, and leave with it.

use std::io;
use std::process::{ExitStatus, Output};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::{mpsc, oneshot};

use crate::runtime::netns::enter::dies_with_this_thread;

/// Runs a command to its end. Dropping the future kills it, and everything in its process group.
pub(super) async fn output(command: std::process::Command) -> io::Result<Output> {
    tied(command, async |child: tokio::process::Child| child.wait_with_output().await).await
}

/// How long what a command wrote is read after its end, where something it left behind holds its streams.
const LEAVINGS: Duration = Duration::from_millis(500);

/// A line that a command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// To its standard output.
    Out(String),
    /// To its standard error.
    Err(String),
}

/// Runs a command to its end and hands out its lines as they come; its two streams must be pipes. Dropping the future
/// kills it, and everything in its process group.
pub(crate) async fn lines(
    command: std::process::Command,
    mut each: impl FnMut(Line),
) -> io::Result<ExitStatus> {
    let (say, mut said) = mpsc::unbounded_channel();
    let ended = tied(command, async move |mut child: tokio::process::Child| {
        let out = read(child.stdout.take(), say.clone(), Line::Out);
        let err = read(child.stderr.take(), say, Line::Err);
        // What it left running in the background may hold its streams: its own end is the end.
        let mut reading = Box::pin(async { tokio::join!(out, err) });
        tokio::select! {
            _ = &mut reading => child.wait().await,
            status = child.wait() => {
                // What it wrote is in the pipes by now, and then comes their end, unless something it left behind holds them.
                let _ = tokio::time::timeout(LEAVINGS, &mut reading).await;
                status
            }
        }
    });
    tokio::pin!(ended);
    loop {
        tokio::select! {
            biased;
            Some(line) = said.recv() => each(line),
            ended = &mut ended => {
                while let Ok(line) = said.try_recv() {
                    each(line);
                }
                return ended;
            }
        }
    }
}

/// Reads a stream line by line. A carriage return begins a line anew: what stood there before was progress.
async fn read(
    stream: Option<impl AsyncRead + Unpin>,
    say: mpsc::UnboundedSender<Line>,
    which: fn(String) -> Line,
) {
    let Some(stream) = stream else { return };
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let text = String::from_utf8_lossy(&line);
        let shown = text.trim_end().rsplit('\r').next().unwrap_or_default().trim_end();
        // Whoever asked may have gone; the command is killed then.
        let _ = say.send(which(shown.to_owned()));
    }
}

/// Runs a command on a thread of its own; `until` waits for its end.
async fn tied<T: Send + 'static>(
    mut command: std::process::Command,
    until: impl AsyncFnOnce(tokio::process::Child) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (told, said) = oneshot::channel();
    let (keep, mut dropped) = oneshot::channel::<()>();
    let work = move || {
        // Ctrl-C in a terminal goes to its whole group: what is left of this command is ours to end, in one way.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        dies_with_this_thread(&mut command);
        // A runtime of this thread alone: the program is started by it, and by no other.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.and_then(|runtime| runtime.block_on(run(command, until, &mut dropped)));
        // Whoever asked may have gone.
        let _ = told.send(ended);
    };
    std::thread::Builder::new().name("fabric-child".into()).spawn(work)?;
    let ended = said.await;
    drop(keep);
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread that ran it ended early")))
}

async fn run<T>(
    command: std::process::Command,
    until: impl AsyncFnOnce(tokio::process::Child) -> io::Result<T>,
    dropped: &mut oneshot::Receiver<()>,
) -> io::Result<T> {
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let group = child.id().map(|pid| nix::unistd::Pid::from_raw(pid.cast_signed()));
    tokio::select! {
        ended = until(child) => ended,
        _ = dropped => {
            if let Some(group) = group {
                // Not waited for yet, so the group's number is still its own.
                let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            }
            Err(io::Error::new(io::ErrorKind::Interrupted, "nobody waits for it any more"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn gone(pid: i32) {
        let begun = Instant::now();
        // A zombie that nobody has reaped yet has ended too.
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| !rest.trim_start().starts_with('Z') && !rest.is_empty())
        };
        while lives() {
            assert!(begun.elapsed() < Duration::from_secs(5), "{pid} still runs");
            tokio::task::yield_now().await;
        }
    }

    async fn pids(file: &Path, count: usize) -> Vec<i32> {
        loop {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if pids.len() == count && text.ends_with('\n') {
                return pids;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_it_says_and_how_it_ends_is_told() {
        let output = output(shell("echo out; echo err >&2; exit 3")).await.unwrap();
        assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(3));
        let missing = super::output(Command::new("/nowhere/apt-get")).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn lines_come_as_they_are_written_and_the_last_of_a_rewritten_one_counts() {
        let (first, second) = (tokio::sync::Notify::new(), std::cell::RefCell::new(Vec::new()));
        let room = tempfile::tempdir().unwrap();
        let go = room.path().join("go");
        // It waits for us between its lines: they cannot come all at the end.
        let line = format!(
            "echo one; until [ -e {} ]; do :; done; printf 'a 1%%\\ra 100%%\\n' >&2; exit 4",
            go.display()
        );
        let running = lines(shell(&line), |line| {
            if line == Line::Out("one".into()) {
                std::fs::write(&go, "").unwrap();
                first.notify_one();
            }
            second.borrow_mut().push(line);
        });
        assert_eq!(running.await.unwrap().code(), Some(4));
        first.notified().await;
        assert_eq!(second.into_inner(), [Line::Out("one".into()), Line::Err("a 100%".into())]);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_ends_it_and_its_own() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("pids");
        let line = format!("sleep 600 & echo $! >> {0}; echo $$ >> {0}; wait", file.display());
        let running = tokio::spawn(output(shell(&line)));
        let pids = pids(&file, 2).await;
        running.abort();
        for pid in pids {
            gone(pid).await;
        }
    }
}
