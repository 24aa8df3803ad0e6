//! A test's own place: a folder, a runtime directory, a mark on every process, and the program run in it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::host::Host;
use super::kin::{Kin, MARK};
use super::wait::{a_second, until};

/// No single command of these tests takes longer on any machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A test's own place. Whatever is up in it at the end of the test is ended.
pub(crate) struct Ground {
    folder: tempfile::TempDir,
    mark: String,
    host: Host,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in:\n{}", self.out))
    }
}

/// A command that runs.
pub(crate) struct Running {
    child: Child,
    logs: [PathBuf; 2],
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Its end, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it has written to standard error so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.logs[1]).unwrap_or_default()
    }

    /// Waits until its standard error has this in it.
    #[track_caller]
    pub(crate) fn says(&mut self, text: &str) {
        let said = until(PATIENCE, || match self.said() {
            said if said.contains(text) => Ok(()),
            said => match self.ended() {
                Some(status) => {
                    assert!(said.contains(text), "it ended with {status} before `{text}`:\n{said}");
                    Ok(())
                }
                None => Err(format!("it has not said `{text}`:\n{said}")),
            },
        });
        said.unwrap();
    }

    #[track_caller]
    pub(crate) fn wait(mut self) -> Done {
        let status =
            until(PATIENCE, || self.ended().ok_or_else(|| format!("it still runs:\n{}", self.said())));
        if status.is_err() {
            self.signal(Signal::SIGKILL);
        }
        let status = status.unwrap();
        use std::os::unix::process::ExitStatusExt;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        let [out, err] = &self.logs;
        let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Done { code, out: read(out), err: read(err) }
    }
}

impl Ground {
    /// A place for a test, or nothing where this kernel or its administrator allows no user namespaces.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if !can_isolate() {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: user namespaces are not allowed here; `fabric doctor` says what to type"
            );
            return None;
        }
        let folder = tempfile::Builder::new().prefix("live-").tempdir().unwrap();
        fs::DirBuilder::new().mode(0o700).create(folder.path().join("run")).unwrap();
        let mark = folder.path().file_name().unwrap().to_string_lossy().into_owned();
        Some(Self { folder, mark, host: Host::now() })
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command with this place around it.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", self.path("run")).env(MARK, &self.mark);
        for ours in [
            "FABRIC_LAB",
            "FABRIC_ENV",
            "FABRIC_KUBECONFIG",
            "FABRIC_REPORT_DIR",
            "NEXTEST",
            "KUBECONFIG",
            "CLICOLOR_FORCE",
            "NO_COLOR",
            "COLORTERM",
            "GITHUB_ACTIONS",
            "GITHUB_STEP_SUMMARY",
            "GITHUB_WORKSPACE",
        ] {
            command.env_remove(ours);
        }
        command
    }

    /// The program, with these arguments.
    pub(crate) fn fabric(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_fabric"));
        command.args(arguments);
        command
    }

    /// Starts a command; its output goes into files, so that it can be read while it runs.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let logs = [self.log(), self.log()];
        let [out, err] = logs.each_ref().map(|path| File::create(path).unwrap());
        let child = command.stdout(out).stderr(err).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        Running { child, logs }
    }

    fn log(&self) -> PathBuf {
        let file = tempfile::Builder::new().prefix("log-").tempfile_in(self.folder.path()).unwrap();
        file.into_temp_path().keep().unwrap()
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.start(self.fabric(arguments)).wait()
    }

    /// Runs a command in a node of the fabric of this name; it must end well.
    #[track_caller]
    pub(crate) fn exec(&self, name: &str, node: &str, command: &[&str]) -> Done {
        let arguments = [&["exec", "--name", name, node, "--"], command].concat();
        self.run(&arguments).code(0)
    }

    /// The processes of this test that live now.
    pub(crate) fn kin(&self) -> Kin {
        Kin::of(&self.mark)
    }

    /// Nothing is left of what was there: no process, no namespace, no mount, and the host is as it was. Looked for until
    /// a second of its own has passed since now.
    #[track_caller]
    pub(crate) fn nothing_is_left_of(&self, before: &Kin) {
        let gone = until(a_second(), || {
            let left = [before.remains(), self.kin().remains(), self.host.changes(&Host::now())].concat();
            if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
        });
        if let Err(left) = gone {
            panic!("something is left {left}");
        }
    }

    /// The next command sweeps the state folder, and the next run works.
    #[track_caller]
    pub(crate) fn goes_on(&self, lab: &Path) {
        let listed = self.run(&["list", "--format", "json"]).code(0).json();
        assert_eq!(listed, Value::Array(Vec::new()));
        let left: Vec<_> =
            fs::read_dir(self.path("run/fabric")).unwrap().flatten().map(|entry| entry.path()).collect();
        assert!(left.is_empty(), "the state folder is not swept: {left:?}");
        self.run(&["test", lab.to_str().unwrap(), "--only", "cluster::nodes"]).code(0);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.path("run/fabric").exists() {
            let ended = self.fabric(&["down", "--all"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut ended = ended.unwrap();
            let waited = until(Duration::from_secs(20), || {
                ended.try_wait().ok().flatten().ok_or_else(|| "`fabric down --all` does not end".to_owned())
            });
            if waited.is_err() {
                let _ = ended.kill();
            }
        }
        // A test that failed may have left what `down` does not know of: keepers take all else with them.
        for keeper in self.kin().keepers() {
            let _ = kill(Pid::from_raw(keeper), Signal::SIGKILL);
        }
        // Files a node's root wrote into a bind are still ours to remove.
        let _ = fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o700));
    }
}

/// Whether namespaces can be made at all.
fn can_isolate() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let tried = Command::new("unshare").args(["--user", "--map-root-user", "--net", "true"]).output();
        nix::unistd::geteuid().is_root() || tried.is_ok_and(|output| output.status.success())
    })
}
