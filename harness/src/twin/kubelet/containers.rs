//! A pod's containers: their commands run with the host's programs in the pod's namespaces, their output kept.
//!
//! What lives here: running a command, starting it again. What does not: what it said (`logs`), the pod's namespaces and
//! status (`pods`). A container without a command (its image would know one) only holds the pod's namespaces.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

use super::logs::{LINE, LogKey, Logs};
use super::status::now;
use crate::node::{Command, NodeRef, Reader};

/// The first wait before a container is started again, doubled each time up to [`LONGEST`], as a kubelet does.
const FIRST: Duration = Duration::from_secs(10);
/// The longest such wait.
const LONGEST: Duration = Duration::from_secs(300);

/// A container as it is seen at one moment.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) started: String,
    pub(super) restarts: u32,
    pub(super) exit: Option<i32>,
    /// Reason and message, when it waits to be started again.
    pub(super) waiting: Option<(String, String)>,
}

/// Where a changed container is told of: its place in the pod's list, and how it is now.
pub(super) type Changes = mpsc::UnboundedSender<(usize, Seen)>;

/// How a container looks before anything has happened.
pub(super) fn fresh(container: &Container) -> Seen {
    Seen {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        started: now(),
        restarts: 0,
        exit: None,
        waiting: None,
    }
}

/// Runs a container's command for as long as the pod lives (the task is aborted with the pod).
pub(super) async fn run(pod: Arc<Pod>, place: usize, node: NodeRef, logs: Logs, changes: Changes) {
    let Some(spec) = pod.spec.as_ref() else { return };
    let Some(container) = spec.containers.get(place) else { return };
    let name = |text: &Option<String>| text.clone().unwrap_or_default();
    let key = (name(&pod.metadata.namespace), name(&pod.metadata.name), container.name.clone());
    logs.begin(&key);
    let Some(command) = command(container) else { return };
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let mut seen = fresh(container);
    let mut wait = FIRST;
    loop {
        logs.begin(&key);
        let code = match node.spawn(&command).await {
            Ok(mut process) => {
                let streams = [process.stdout(), process.stderr()].into_iter().flatten();
                let keep = futures::future::join_all(streams.map(|stream| keep(stream, &logs, &key)));
                drop(process.stdin());
                let (code, _) = tokio::join!(process.wait(), keep);
                code.unwrap_or(137)
            }
            Err(error) => {
                logs.say(&key, format!("{error}\n").into_bytes());
                seen.waiting = Some(("RunContainerError".into(), error.to_string()));
                127
            }
        };
        logs.end(&key);
        seen.exit = Some(code);
        let again = policy == "Always" || (policy == "OnFailure" && code != 0);
        if again && seen.waiting.is_none() {
            let message = format!("back-off {}s restarting failed container={}", wait.as_secs(), seen.name);
            seen.waiting = Some(("CrashLoopBackOff".into(), message));
        }
        if changes.send((place, seen.clone())).is_err() || !again {
            return;
        }
        // The wait is the behaviour, not a wait for something.
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST);
        seen.restarts += 1;
        seen.exit = None;
        seen.waiting = None;
        seen.started = now();
        if changes.send((place, seen.clone())).is_err() {
            return;
        }
    }
}

fn command(container: &Container) -> Option<Command> {
    let mut argv = container.command.clone().unwrap_or_default();
    argv.extend(container.args.clone().unwrap_or_default());
    if container.command.as_ref().is_none_or(Vec::is_empty) {
        return None;
    }
    let mut command = Command::new(argv);
    command.cwd = container.working_dir.as_ref().map(Into::into);
    let env = container.env.iter().flatten().filter_map(|var| Some((var.name.clone(), var.value.clone()?)));
    command.env = env.collect();
    Some(command)
}

async fn keep(stream: Reader, logs: &Logs, key: &LogKey) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match (&mut stream).take(LINE).read_until(b'\n', &mut line).await {
            Ok(1..) => logs.say(key, line),
            Ok(0) | Err(_) => return,
        }
    }
}
