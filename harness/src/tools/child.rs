//! Running a program that ends with us, however we end.
//!
//! What lives here: the thread that a program is tied to. What does not: what is run (`apt`, `layer`).
//!
//! A fetch can take minutes, and apt would go on with it after a run that was killed. The kernel kills the program when
//! the thread that started it ends (`PR_SET_PDEATHSIG`, which is per thread): so a thread of its own starts it, and stays
//! until it has ended. apt's helpers read what to do from pipes that apt holds, and leave with it.

use std::io;
use std::process::Output;

use tokio::sync::oneshot;

use crate::runtime::netns::enter::dies_with_this_thread;

/// Runs a command to its end. Dropping the future kills it, and everything in its process group.
pub(super) async fn output(mut command: std::process::Command) -> io::Result<Output> {
    let (told, said) = oneshot::channel();
    let (keep, mut dropped) = oneshot::channel::<()>();
    let work = move || {
        // Ctrl-C in a terminal goes to its whole group: what is left of this command is ours to end, in one way.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        dies_with_this_thread(&mut command);
        // A runtime of this thread alone: the program is started by it, and by no other.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.and_then(|runtime| runtime.block_on(run(command, &mut dropped)));
        // Whoever asked may have gone.
        let _ = told.send(ended);
    };
    std::thread::Builder::new().name("fabric-child".into()).spawn(work)?;
    let ended = said.await;
    drop(keep);
    ended.unwrap_or_else(|_| Err(io::Error::other("the thread that ran it ended early")))
}

async fn run(command: std::process::Command, dropped: &mut oneshot::Receiver<()>) -> io::Result<Output> {
    let child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let group = child.id().map(|pid| nix::unistd::Pid::from_raw(pid.cast_signed()));
    tokio::select! {
        output = child.wait_with_output() => output,
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
    use std::time::{Duration, Instant};

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
