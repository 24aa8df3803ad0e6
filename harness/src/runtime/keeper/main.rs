//! The keeper's hat: from one thread in the user's own namespaces to a server that keeps a fabric.
//!
//! What lives here: entering the user namespace, the state file, the order of starting and stopping. What does not:
//! the fabric itself (`crate::world`).

use std::fs;
use std::io::{self, BufRead, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::unistd::{getegid, geteuid};
use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::control;
use super::protocol::KeeperSpec;
use super::state::State;
use crate::runtime::netns::etc;
use crate::runtime::netns::zygote::Zygote;
use crate::world::World;

/// The file in a keeper's folder that says what it could not take away.
pub(super) const LEFT: &str = "left";

/// Runs the hat.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // To whoever started us, while they still listen, and to the log.
            println!("{error}");
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let spec: KeeperSpec = serde_json::from_str(&line).map_err(io::Error::other)?;
    let lock = State::claim(&spec.dir)?;
    let userns = !geteuid().is_root();
    isolate(userns)?;
    if userns {
        etc::copy(&spec.dir.join(super::ETC))?;
    }
    // A node's first process loses its parent at once (see `netns::init`): it is ours to reap.
    prctl::set_child_subreaper(true)?;
    let zygote = Arc::new(Zygote::fork()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(keep(spec, userns, Arc::clone(&zygote)));
    // A thread that still waits for something must not keep the keeper.
    runtime.shutdown_background();
    zygote.end();
    drop(lock);
    ended
}

/// A user namespace when we are not root, and a mount namespace of our own in any case.
fn isolate(userns: bool) -> io::Result<()> {
    let (uid, gid) = (geteuid(), getegid());
    let mut flags = CloneFlags::CLONE_NEWNS;
    if userns {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).map_err(|errno| {
        io::Error::other(format!(
            "the kernel refuses a {} namespace: {errno}",
            if userns { "user" } else { "mount" }
        ))
    })?;
    if userns {
        // Root inside is the user outside, and nobody else is anybody.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    }
    nix::mount::mount(
        None::<&str>,
        "/",
        None::<&str>,
        nix::mount::MsFlags::MS_REC | nix::mount::MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    Ok(())
}

async fn keep(spec: KeeperSpec, userns: bool, zygote: Arc<Zygote>) -> io::Result<()> {
    let socket = spec.dir.join("keeper.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)?;
    let (ephemeral, dir) = (spec.ephemeral, spec.dir.clone());
    let world = World::new(spec, userns, zygote).map_err(io::Error::other)?;
    let stop = CancellationToken::new();
    {
        let mut out = io::stdout().lock();
        writeln!(out, "ready")?;
        out.flush()?;
    }
    let server = tokio::spawn(control::serve(listener, Arc::clone(&world), stop.clone()));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        () = stop.cancelled() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = leash(ephemeral) => {}
    }
    stop.cancel();
    let left = world.end().await;
    // Whoever waits for our end reads it: without it we were killed, and with words in it the folder stays for another try.
    fs::write(dir.join(LEFT), left.join("\n"))?;
    let _ = server.await;
    Ok(())
}

/// Ends when the process that started us has gone, if we are to go with it.
async fn leash(ephemeral: bool) {
    if !ephemeral {
        return std::future::pending().await;
    }
    let Ok(stdin) = io::stdin().as_fd().try_clone_to_owned().and_then(Receiver::from_owned_fd) else {
        return;
    };
    let (mut stdin, mut byte) = (stdin, [0]);
    while matches!(stdin.read(&mut byte).await, Ok(read) if read > 0) {}
}
