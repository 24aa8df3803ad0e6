//! The state file: what runs, written by its keeper, read by every other command.
//!
//! What lives here: where it is, reading it, telling a living fabric from a dead one's leavings. What does not:
//! acting on it (`client`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::outside::Made;

use super::protocol::{KeeperSpec, NodeInfo, RuntimeSpec};

/// A fabric as its keeper describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// What the keeper was given.
    pub spec: KeeperSpec,
    /// Pid of the keeper.
    pub keeper: i32,
    /// True when the nodes live in a user namespace of their own.
    pub userns: bool,
    /// When it started, RFC 3339.
    pub started: String,
    /// The phase that was reached last.
    pub phase: Option<String>,
    /// The nodes.
    pub nodes: Vec<NodeInfo>,
    /// Where the API endpoint listens, once it does.
    pub api: Option<String>,
    /// The kubeconfig for it (mode 0600).
    pub kubeconfig: Option<PathBuf>,
    /// The version of the GoBGP that an upgrade gave the cluster's nodes; none while they run the one they were made with.
    #[serde(default)]
    pub speaker: Option<String>,
    /// What programs of others made for it.
    #[serde(default)]
    pub made: Made,
}

/// What can go wrong with the state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The folder cannot be used.
    #[error("cannot use {}: {why}; set XDG_RUNTIME_DIR to a folder of your own", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// No such fabric.
    #[error("no fabric named {id} is up{}; `fabric up` brings one up", listed(.others))]
    NoSuchFabric {
        /// The name asked for.
        id: String,
        /// Those that are up.
        others: Vec<String>,
    },
    /// A fabric of that name runs.
    #[error(
        "a fabric named {id} is already up (keeper {keeper}); `fabric down` ends it, `--name` starts another beside it"
    )]
    AlreadyUp {
        /// Its name.
        id: String,
        /// Its keeper's pid.
        keeper: i32,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" (up: {})", names.join(", ")) }
}

const FILE: &str = "state.json";
const LOCK: &str = "lock";

/// The folder that holds the folders of this user's fabrics: `$XDG_RUNTIME_DIR/fabric`, else `/tmp/fabric-<uid>`.
///
/// It is made with mode 0700, and refused when it belongs to somebody else: what is in it can run commands.
pub fn runtime_dir() -> Result<PathBuf, StateError> {
    let uid = nix::unistd::geteuid().as_raw();
    let own = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == uid);
    let dir = match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(runtime) if own(&runtime) => runtime.join("fabric"),
        _ => PathBuf::from(format!("/tmp/fabric-{uid}")),
    };
    let refused = |why: String| StateError::Folder { path: dir.clone(), why };
    match fs::DirBuilder::new().mode(0o700).create(&dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(&dir).map_err(|error| refused(error.to_string()))?;
            if !found.is_dir() || found.uid() != uid {
                return Err(refused("it belongs to somebody else".into()));
            }
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700))
                .map_err(|error| refused(error.to_string()))?;
        }
        Err(error) => return Err(refused(error.to_string())),
    }
    Ok(dir)
}

/// Held by a keeper for as long as it lives; the kernel lets go of it however the keeper ends.
pub(super) type Lock = Flock<File>;

impl State {
    /// Claims a fabric's folder, sweeping away what a dead keeper left in it.
    pub(super) fn claim(dir: &Path) -> io::Result<Lock> {
        let file = File::options().create(true).write(true).truncate(false).open(dir.join(LOCK))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
    }

    /// Whether the keeper whose folder this is still lives.
    pub(super) fn alive(dir: &Path) -> bool {
        match File::options().write(true).open(dir.join(LOCK)) {
            Ok(file) => Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err(),
            Err(_) => false,
        }
    }

    /// Writes the state file whole or not at all.
    pub(crate) fn write(&self) -> io::Result<()> {
        let path = self.spec.dir.join(FILE);
        let new = self.spec.dir.join("state.json.new");
        fs::write(&new, serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
        fs::rename(new, path)
    }

    /// Reads the state of a living fabric.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let bytes = fs::read(dir.join(FILE)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// The user's living fabrics, by name. What dead keepers left behind is removed on the way, if it is only files.
pub fn states() -> Result<Vec<State>, StateError> {
    Ok(all_states()?.0)
}

/// Fabrics whose keeper died and whose containers may still be there, by name: the kernel takes namespaces with it, an
/// engine's containers it does not.
pub fn leftovers() -> Result<Vec<State>, StateError> {
    Ok(all_states()?.1)
}

fn all_states() -> Result<(Vec<State>, Vec<State>), StateError> {
    let dir = runtime_dir()?;
    let refused = |error: io::Error| StateError::Folder { path: dir.clone(), why: error.to_string() };
    let (mut all, mut dead) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&dir).map_err(refused)?.flatten() {
        let path = entry.path();
        if State::alive(&path) {
            all.extend(State::read(&path));
        } else if path.join(FILE).exists() {
            match State::read(&path) {
                Some(state) if state.spec.runtime != RuntimeSpec::Netns => dead.push(state),
                // Only files are left, the kernel has taken everything else.
                _ => drop(fs::remove_dir_all(&path)),
            }
        }
    }
    for states in [&mut all, &mut dead] {
        states.sort_by(|a, b| a.spec.id.cmp(&b.spec.id));
    }
    Ok((all, dead))
}
