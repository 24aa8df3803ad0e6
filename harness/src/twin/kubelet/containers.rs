//! A pod's containers: their commands run with the host's programs in the pod's namespaces, their output kept.
//!
//! What lives here: running one container, starting it again, ending it. What does not: the pod's namespaces and status
//! (`life`, `status`), what it runs (`command`). A container without a command (its image would know one) only holds the pod's
//! namespaces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::{Client, ResourceExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::{mpsc, watch};

use super::command::{Facts, command};
use super::events::{Events, Saying, Source};
use super::logs::{LINE, LogKey, Logs};
use super::status::now;
use crate::node::{Command, NodeError, NodeRef, Reader};

/// The first wait before a container is started again, doubled each time up to [`LONGEST`], as a kubelet does.
const FIRST: Duration = Duration::from_secs(10);
/// The longest such wait.
const LONGEST: Duration = Duration::from_secs(300);
/// A container that ran so long starts anew with its waits.
const STEADY: Duration = Duration::from_secs(600);

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// Exit code, as a shell counts.
    pub(super) code: i32,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// `None` when it never ran.
    pub(super) started: Option<String>,
    pub(super) finished: String,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Reason and message.
    Waiting(&'static str, String),
    /// Since when.
    Running(String),
    /// For good.
    Ended(Ended),
}

/// A container as it is seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) state: State,
    /// How it ended the time before.
    pub(super) last: Option<Ended>,
    pub(super) restarts: u32,
}

impl Seen {
    /// Whether it came to a good end.
    pub(super) fn succeeded(&self) -> bool {
        matches!(&self.state, State::Ended(ended) if ended.code == 0)
    }
}

/// Which container of a pod: an init container or one of the others, and its place in that list.
pub(super) type Slot = (bool, usize);
/// Where a changed container is told of.
pub(super) type Changes = mpsc::UnboundedSender<(Slot, Seen)>;

/// How a container looks before anything has happened.
pub(super) fn fresh(container: &Container, waits: &'static str) -> Seen {
    Seen {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: State::Waiting(waits, String::new()),
        last: None,
        restarts: 0,
    }
}

/// When a container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Always,
    OnFailure,
    Never,
}

impl Again {
    /// The policy of a pod's containers.
    pub(super) fn of(pod: &Pod) -> Self {
        match pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }
}

/// Everything a container needs to run.
pub(super) struct Job {
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) logs: Logs,
    pub(super) pod: Arc<Pod>,
    pub(super) container: Container,
    pub(super) slot: Slot,
    pub(super) again: Again,
    pub(super) node: NodeRef,
    pub(super) facts: Facts,
    pub(super) changes: Changes,
    /// True once the pod is to end.
    pub(super) stop: watch::Receiver<bool>,
}

/// What became of one start.
enum Run {
    Ended(Ended),
    /// It could not be started: the state's reason, and what there is to say.
    Failed(&'static str, Option<Ended>, String),
    /// The pod ends, and nothing of it runs.
    Stopped,
}

impl Job {
    async fn say(&self, warning: bool, reason: &'static str, message: String) {
        let list = if self.slot.0 { "initContainers" } else { "containers" };
        let field = Some(format!("spec.{list}{{{}}}", self.container.name));
        let source = Source::Kubelet(self.facts.node.clone());
        self.events.say(&self.pod, Saying { source, warning, reason, message, field }).await;
    }

    /// Runs the container until it has ended for good or the pod ends.
    pub(super) async fn run(mut self) {
        let name = |text: &Option<String>| text.clone().unwrap_or_default();
        let metadata = &self.pod.metadata;
        let key = (name(&metadata.namespace), name(&metadata.name), self.container.name.clone());
        self.logs.begin(&key);
        let mut seen = fresh(&self.container, "ContainerCreating");
        let mut wait = Duration::ZERO;
        loop {
            let began = Instant::now();
            self.logs.begin(&key);
            let run = self.once(&key, &mut seen).await;
            self.logs.end(&key);
            match run {
                Run::Stopped => return,
                Run::Ended(ended) => {
                    let good = ended.code == 0;
                    seen.state = State::Ended(ended.clone());
                    self.tell(&seen);
                    let over = self.again == Again::Never || (self.again == Again::OnFailure && good);
                    if over || *self.stop.borrow() {
                        return;
                    }
                    seen.last = Some(ended);
                }
                Run::Failed(reason, ended, message) => {
                    self.say(true, "Failed", format!("Error: {message}")).await;
                    let waits = ended.is_none();
                    if let Some(ended) = ended {
                        seen.state = State::Ended(ended.clone());
                        if self.again == Again::Never {
                            return self.tell(&seen);
                        }
                        seen.last = Some(ended);
                    }
                    if waits || wait.is_zero() {
                        seen.state = State::Waiting(reason, message);
                        self.tell(&seen);
                        // What it lacks may come at any time, but says nothing when it does.
                        wait = wait.max(FIRST);
                    }
                }
            }
            if began.elapsed() >= STEADY {
                wait = Duration::ZERO;
            }
            if !wait.is_zero() && !self.back_off(&mut seen, wait).await {
                return;
            }
            wait = (wait * 2).clamp(FIRST, LONGEST);
            seen.restarts += 1;
        }
    }

    fn tell(&self, seen: &Seen) {
        // The pod's life has ended: nobody is interested any more.
        let _ = self.changes.send((self.slot, seen.clone()));
    }

    /// Waits before the next start. False when the pod ends meanwhile.
    async fn back_off(&mut self, seen: &mut Seen, wait: Duration) -> bool {
        if !matches!(seen.state, State::Waiting("RunContainerError" | "CreateContainerConfigError", _)) {
            let pod = &self.pod;
            let whose = format!(
                "{} in pod {}_{}({})",
                seen.name,
                pod.name_any(),
                pod.namespace().unwrap_or_default(),
                pod.uid().unwrap_or_default()
            );
            let message = format!(
                "back-off {} restarting failed container={}",
                duration(wait),
                whose.replacen(" in pod ", " pod=", 1)
            );
            seen.state = State::Waiting("CrashLoopBackOff", message);
            self.tell(seen);
            self.say(true, "BackOff", format!("Back-off restarting failed container {whose}")).await;
        }
        tokio::select! {
            // The wait is the behaviour, not a wait for something.
            () = tokio::time::sleep(wait) => true,
            _ = stopped(&mut self.stop) => false,
        }
    }

    async fn once(&mut self, key: &LogKey, seen: &mut Seen) -> Run {
        let found = command(&self.client, &self.pod, &self.container, &self.facts).await;
        let command = match found {
            Err(why) => return Run::Failed("CreateContainerConfigError", None, why),
            Ok(command) => command,
        };
        self.say(false, "Created", format!("Created container: {}", self.container.name)).await;
        let Some(command) = command else {
            self.started(seen).await;
            stopped(&mut self.stop).await;
            self.killing().await;
            let started = Some(now());
            let ended =
                Ended { code: 0, reason: "Completed", message: String::new(), started, finished: now() };
            return Run::Ended(ended);
        };
        let mut process = match self.node.spawn(&command).await {
            Ok(process) => process,
            Err(error) => {
                let message = start_error(&command, &error);
                self.logs.say(key, format!("{message}\n").into_bytes());
                let ended = Ended {
                    code: 128,
                    reason: "StartError",
                    message: message.clone(),
                    started: None,
                    finished: now(),
                };
                return Run::Failed("RunContainerError", Some(ended), message);
            }
        };
        self.started(seen).await;
        let started = now();
        let streams = [process.stdout(), process.stderr()].into_iter().flatten();
        let keep = futures::future::join_all(streams.map(|stream| keep(stream, &self.logs, key)));
        drop(process.stdin());
        let mut stop = self.stop.clone();
        let end = async {
            let mut asked = false;
            loop {
                tokio::select! {
                    code = process.wait() => return code.unwrap_or(137),
                    asked_now = stopped(&mut stop), if !asked => {
                        asked = true;
                        if asked_now {
                            self.killing().await;
                            // Already gone is as good as ended.
                            let _ = process.signal(libc::SIGTERM);
                        }
                    }
                }
            }
        };
        let (code, _) = tokio::join!(end, keep);
        let reason = if code == 0 { "Completed" } else { "Error" };
        let ended = Ended { code, reason, message: String::new(), started: Some(started), finished: now() };
        if *self.stop.borrow() {
            seen.state = State::Ended(ended);
            self.tell(seen);
            return Run::Stopped;
        }
        Run::Ended(ended)
    }

    async fn started(&self, seen: &mut Seen) {
        seen.state = State::Running(now());
        self.tell(seen);
        self.say(false, "Started", format!("Started container {}", self.container.name)).await;
    }

    async fn killing(&self) {
        self.say(false, "Killing", format!("Stopping container {}", self.container.name)).await;
    }
}

/// Waits until the pod is to end. False when nobody can say so any more.
async fn stopped(stop: &mut watch::Receiver<bool>) -> bool {
    stop.wait_for(|stop| *stop).await.is_ok()
}

/// As Go prints durations: `10s`, `2m40s`.
fn duration(wait: Duration) -> String {
    let seconds = wait.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// Why a command did not start, in the words of a container runtime.
fn start_error(command: &Command, error: &NodeError) -> String {
    let program = command.argv.first().map(String::as_str).unwrap_or_default();
    let why = match error {
        NodeError::NotFound { .. } if program.contains('/') => {
            format!("exec: \"{program}\": stat {program}: no such file or directory")
        }
        NodeError::NotFound { .. } => format!("exec: \"{program}\": executable file not found in $PATH"),
        NodeError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            format!("exec: \"{program}\": permission denied")
        }
        other => other.to_string(),
    };
    format!(
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to \
         start container process: {why}: unknown"
    )
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
