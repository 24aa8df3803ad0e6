//! One command over one WebSocket of the API's exec.
//!
//! What lives here: starting it, its streams, its end. What does not: the node over it (`carried`).
//!
//! Servers before 1.30 speak `v4.channel.k8s.io`, which cannot say that standard input has ended: the client is asked for
//! `v5`, and what stands behind may still not know. So no command is let depend on it.

use async_trait::async_trait;
use futures::SinkExt;
use futures::channel::mpsc;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::api::{Api, AttachParams, TerminalSize};

use crate::node::Terminal;
use crate::runtime::carried::{Carried, Carrier, CarryError, Started};

/// How much of a stream is held for a reader who is slow, in bytes: as much as a pipe holds.
const HELD: usize = 64 * 1024;

/// A container of a pod.
#[derive(Clone)]
pub struct PodContainer {
    api: Api<Pod>,
    namespace: String,
    pod: String,
    /// The pod's first container unless said.
    container: Option<String>,
    /// Words in front of every command line: `docker exec router0` where the router is a container in the pod.
    before: Vec<String>,
}

/// A node that is a container of a pod.
pub type KubeNode = Carried<PodContainer>;

impl std::fmt::Debug for PodContainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodContainer").field("place", &self.place()).finish_non_exhaustive()
    }
}

impl PodContainer {
    /// A container of a pod; the pod's first unless named.
    pub fn new(client: Client, namespace: &str, pod: &str, container: Option<&str>) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.map(str::to_owned),
            before: Vec::new(),
        }
    }

    /// The same with words in front of every command line.
    #[must_use]
    pub fn before(mut self, words: Vec<String>) -> Self {
        self.before = words;
        self
    }
}

#[async_trait]
impl Carrier for PodContainer {
    async fn start(&self, argv: Vec<String>, stdin: bool, terminal: bool) -> Result<Started, CarryError> {
        let mut wanted = AttachParams::default()
            .stdin(stdin)
            .stdout(true)
            .stderr(!terminal)
            .tty(terminal)
            .max_stdout_buf_size(HELD)
            .max_stderr_buf_size(HELD)
            .max_stdin_buf_size(HELD);
        wanted.container = self.container.clone();
        let line: Vec<String> = self.before.iter().cloned().chain(argv).collect();
        let mut process = self.api.exec(&self.pod, line, &wanted).await.map_err(refused)?;
        let stdin = process.stdin().map(|stream| Box::new(stream) as _);
        let stdout = process.stdout().ok_or_else(|| CarryError::other("it has no standard output"))?;
        let stderr = process.stderr().map(|stream| Box::new(stream) as _);
        let status = process.take_status();
        let terminal = process.terminal_size().map(|sizes| Box::new(Sizes(sizes)) as Box<dyn Terminal>);
        let code = async move {
            match status {
                Some(status) => code_of(status.await),
                None => Err(CarryError::other("it was asked for its end before")),
            }
        };
        Ok(Started {
            stdin,
            stdout: Box::new(stdout),
            stderr,
            code: Box::pin(code),
            terminal,
            keep: Box::new(process),
        })
    }

    fn carries_end_of_input(&self) -> bool {
        false
    }

    fn place(&self) -> String {
        let container = self.container.iter().map(|name| format!(", container {name}")).collect::<String>();
        format!("pod {}/{}{container}", self.namespace, self.pod)
    }
}

/// The sizes a terminal is told of.
struct Sizes(mpsc::Sender<TerminalSize>);

impl Terminal for Sizes {
    fn resize(&self, rows: u16, columns: u16) {
        let mut to = self.0.clone();
        // A command that has ended has no terminal any more.
        tokio::spawn(async move { to.send(TerminalSize { width: columns, height: rows }).await });
    }
}

fn refused(error: kube::Error) -> CarryError {
    use kube::client::UpgradeConnectionError::ProtocolSwitch;
    match &error {
        kube::Error::Api(status) if status.code == 404 => CarryError::Gone,
        kube::Error::UpgradeConnection(ProtocolSwitch(code)) => match code.as_u16() {
            404 => CarryError::Gone,
            403 => CarryError::other("the cluster forbids it: the user needs `create` on `pods/exec`"),
            code => CarryError::other(format!(
                "the cluster's API answered with status {code}; is the pod running, and does it have that container?"
            )),
        },
        _ => CarryError::other(crate::cluster::words(error)),
    }
}

/// The exit code out of the API's last word (`Status`): of a failure it is a cause.
fn code_of(status: Option<Status>) -> Result<i32, CarryError> {
    let Some(status) = status else {
        return Err(CarryError::other("the connection to the cluster broke before the command ended"));
    };
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.and_then(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    if let Some(code) = code.and_then(|cause| cause.message.as_deref()?.parse().ok()) {
        return Ok(code);
    }
    let said = status.message.unwrap_or_default();
    // containerd's and CRI-O's words for an image without a shell.
    if said.contains("executable file not found") || said.contains("no such file or directory") {
        return Err(CarryError::Missing("sh".to_owned()));
    }
    if said.contains("container not found") || said.contains("not running") {
        return Err(CarryError::Gone);
    }
    Err(CarryError::other(said))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::success(json!({"status": "Success"}), "0")]
    #[case::code(json!({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "42"}]}}), "42")]
    #[case::no_shell(json!({"status": "Failure", "reason": "InternalError", "message": "error executing command in container: exec: \"sh\": executable file not found in $PATH: unknown"}), "missing sh")]
    #[case::stopped(json!({"status": "Failure", "message": "container not found (\"nettool\")"}), "gone")]
    #[case::else_(json!({"status": "Failure", "message": "the kubelet is tired"}), "the kubelet is tired")]
    fn the_apis_last_word_is_read(#[case] status: serde_json::Value, #[case] expected: &str) {
        let said = match code_of(Some(serde_json::from_value(status).unwrap())) {
            Ok(code) => code.to_string(),
            Err(CarryError::Missing(program)) => format!("missing {program}"),
            Err(CarryError::Gone) => "gone".to_owned(),
            Err(CarryError::Cannot(why)) => why,
            Err(CarryError::Io(error)) => error.to_string(),
        };
        assert_eq!(said, expected);
        assert!(matches!(code_of(None), Err(CarryError::Io(_))));
    }
}
