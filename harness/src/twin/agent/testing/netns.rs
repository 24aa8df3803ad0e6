//! A node for tests: host commands in a network and mount namespace of their own.
//!
//! What lives here: just enough of [`Node`] to run a real gobgpd. The real ones are in `runtime`.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin};

use crate::node::{Command, Node, NodeError, NodeRef, Output, Process, Reader, SocketKind, Writer};

/// Holds a namespace open; everything in it ends when this is dropped.
pub(crate) struct Netns {
    node: NodeRef,
    _holder: Arc<Holder>,
}

/// Both ends read our pipe: they end with it.
struct Holder {
    _child: Child,
    _stdin: ChildStdin,
}

#[derive(Debug)]
struct FakeNode {
    name: String,
    pid: u32,
    folder: tempfile::TempDir,
}

/// Makes two namespaces joined by a veth `net0`, 10.9.0.1 and 10.9.0.2; prints the pids that hold them.
const SCRIPT: &str = "
    exec 3<&0
    unshare -n -m -u cat <&3 >/dev/null & far=$!
    mount -t tmpfs run /run
    wait_for() { until [ \"$(readlink /proc/$far/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do :; done; }
    wait_for
    ip link add net0 type veth peer name net0 netns $far
    ip link set lo up; ip addr add 10.9.0.1/24 dev net0; ip link set net0 up
    nsenter -t $far -n sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev net0; ip link set net0 up'
    nsenter -t $far -m mount -t tmpfs run /run
    echo ready $$ $far
    exec cat
";

impl Netns {
    pub(crate) async fn pair(near: &str, far: &str) -> (Self, Self) {
        let mut child = tokio::process::Command::new("unshare")
            .args(["-r", "-n", "-m", "-u", "sh", "-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("unshare");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pids = loop {
            let line = lines.next_line().await.unwrap().expect("the namespaces could not be made");
            if let Some(pids) = line.strip_prefix("ready ") {
                break pids.split(' ').map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>();
            }
        };
        let holder = Arc::new(Holder { _stdin: child.stdin.take().unwrap(), _child: child });
        let one = |name: &str, pid: u32| {
            let node = FakeNode { name: name.to_owned(), pid, folder: tempfile::tempdir().unwrap() };
            Self { node: Arc::new(node), _holder: Arc::clone(&holder) }
        };
        (one(near, pids[0]), one(far, pids[1]))
    }

    pub(crate) fn node(&self) -> NodeRef {
        Arc::clone(&self.node)
    }
}

impl FakeNode {
    /// Paths of the node are folders of ours, so that they can be read and written from outside.
    fn outside(&self, path: &Path) -> PathBuf {
        self.folder.path().join(path.strip_prefix("/").unwrap())
    }

    fn command(&self, command: &Command) -> tokio::process::Command {
        let folder = self.folder.path().display().to_string();
        let mut host = tokio::process::Command::new("nsenter");
        host.args(["-t", &self.pid.to_string(), "-U", "-n", "-u", "--preserve-credentials", "--"]);
        host.args(command.argv.iter().map(|word| word.replace("/run/gobgp", &format!("{folder}/run/gobgp"))));
        host.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        host
    }

    fn io(&self, what: &str) -> impl FnOnce(std::io::Error) -> NodeError {
        let (node, what) = (self.name.clone(), what.to_owned());
        move |source| NodeError::Io { node, what, source }
    }
}

#[async_trait]
impl Node for FakeNode {
    fn name(&self) -> &str {
        &self.name
    }

    async fn exec(&self, command: &Command) -> Result<Output, NodeError> {
        let output = self.command(command).output().await.map_err(self.io("exec"))?;
        let code = output.status.code().unwrap_or(-1);
        Ok(Output { code, stdout: output.stdout, stderr: output.stderr })
    }

    async fn spawn(&self, command: &Command) -> Result<Box<dyn Process>, NodeError> {
        let child = self.command(command).spawn().map_err(self.io("spawn"))?;
        Ok(Box::new(FakeProcess(child)))
    }

    async fn socket(&self, kind: SocketKind) -> Result<OwnedFd, NodeError> {
        let (what, why) = (format!("{kind:?}"), "a node for tests has no sockets".to_owned());
        Err(NodeError::Unsupported { node: self.name.clone(), what, why })
    }

    async fn unix(&self, path: &Path) -> Result<UnixStream, NodeError> {
        UnixStream::connect(self.outside(path)).await.map_err(self.io("unix"))
    }

    async fn write_file(&self, path: &Path, bytes: &[u8], _mode: u32) -> Result<(), NodeError> {
        let path = self.outside(path);
        tokio::fs::create_dir_all(path.parent().unwrap()).await.map_err(self.io("mkdir"))?;
        let mut file = tokio::fs::File::create(path).await.map_err(self.io("create"))?;
        file.write_all(bytes).await.map_err(self.io("write"))?;
        file.flush().await.map_err(self.io("flush"))
    }

    async fn read_file(&self, path: &Path) -> Result<Vec<u8>, NodeError> {
        tokio::fs::read(self.outside(path)).await.map_err(self.io("read"))
    }
}

struct FakeProcess(Child);

#[async_trait]
impl Process for FakeProcess {
    fn stdin(&mut self) -> Option<Writer> {
        None
    }

    fn stdout(&mut self) -> Option<Reader> {
        self.0.stdout.take().map(|stream| Box::new(stream) as Reader)
    }

    fn stderr(&mut self) -> Option<Reader> {
        self.0.stderr.take().map(|stream| Box::new(stream) as Reader)
    }

    async fn wait(&mut self) -> Result<i32, NodeError> {
        let status = self.0.wait().await;
        Ok(status.ok().and_then(|status| status.code()).unwrap_or(-1))
    }

    fn signal(&self, signal: i32) -> Result<(), NodeError> {
        let gone = || NodeError::Gone { node: "test".to_owned() };
        let pid = self.0.id().ok_or_else(gone)?;
        let signal = nix::sys::signal::Signal::try_from(signal).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).map_err(|_| gone())
    }
}

impl fmt::Debug for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}
