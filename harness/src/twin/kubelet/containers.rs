//! A pod's containers: their commands run with the host's programs in the pod's namespaces, their output kept.
//!
//! What lives here: running a command, keeping what it says, starting it again. What does not: the pod's namespaces
//! and status (`pods`). A container without a command (its image would know one) only holds the pod's namespaces.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use super::status::now;
use crate::node::{Command, NodeRef, Reader};

/// Lines kept of each container's output.
const KEPT: usize = 2_000;
/// The first wait before a container is started again, doubled each time up to [`LONGEST`], as a kubelet does.
const FIRST: Duration = Duration::from_secs(10);
/// The longest such wait.
const LONGEST: Duration = Duration::from_secs(300);

type LogKey = (String, String, String);

/// What containers said, by namespace, pod and container.
#[derive(Debug, Default, Clone)]
pub struct Logs {
    lines: Arc<Mutex<BTreeMap<LogKey, VecDeque<String>>>>,
}

impl Logs {
    /// The kept lines of a container, oldest first; of the pod's first one if none is named. `None`: no such container.
    pub fn read(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        tail: Option<usize>,
    ) -> Option<String> {
        let all = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().find(|((in_namespace, in_pod, name), _)| {
            in_namespace == namespace && in_pod == pod && container.is_none_or(|wanted| wanted == name)
        });
        let (_, lines) = found?;
        let skip = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        Some(lines.iter().skip(skip).map(|line| format!("{line}\n")).collect())
    }

    fn open(&self, key: &LogKey) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default();
    }

    fn say(&self, key: &LogKey, line: String) {
        let mut all = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = all.entry(key.clone()).or_default();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn forget(&self, namespace: &str, pod: &str) {
        let mut all = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(in_namespace, in_pod, _), _| in_namespace != namespace || in_pod != pod);
    }
}

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
    logs.open(&key);
    let Some(command) = command(container) else { return };
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let mut seen = fresh(container);
    let mut wait = FIRST;
    loop {
        let code = match node.spawn(&command).await {
            Ok(mut process) => {
                let streams = [process.stdout(), process.stderr()].into_iter().flatten();
                let keep = futures::future::join_all(streams.map(|stream| keep(stream, &logs, &key)));
                drop(process.stdin());
                let (code, _) = tokio::join!(process.wait(), keep);
                code.unwrap_or(137)
            }
            Err(error) => {
                logs.say(&key, error.to_string());
                seen.waiting = Some(("RunContainerError".into(), error.to_string()));
                127
            }
        };
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
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        logs.say(key, line);
    }
}
