//! A node's file system: the host's programs, the node's own everything else, as a container image would give.
//!
//! What lives here: the mounts, made by the node's first process in its own mount namespace. What does not: which
//! layers and files a node gets (`keeper`).
//!
//! `/usr` and `/etc` are overlays of the package layers and the host's, with the node's own writable layer on top;
//! `/var`, `/run`, `/tmp` and the rest are empty folders of one tmpfs, which is the root.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde::{Deserialize, Serialize};

use super::init::tried;
use super::spawn::InitSpec;

/// A file to be written into a node before anything runs in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// Where, from the node's root.
    pub path: PathBuf,
    /// Permission bits.
    pub mode: u32,
    /// The content.
    pub text: String,
}

/// A folder or file of the host shown in a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// On the host.
    pub source: PathBuf,
    /// In the node.
    pub target: PathBuf,
    /// Whether writing is refused.
    pub read_only: bool,
}

/// Folders of the root that are the node's own and empty.
const OWN: [&str; 15] = [
    "dev",
    "proc",
    "sys",
    "run",
    "run/lock",
    "tmp",
    "root",
    "home",
    "mnt",
    "var",
    "var/tmp",
    "var/log",
    "var/lib",
    "var/cache",
    "var/spool",
];

/// Makes the file system and moves into it. Returns what did not go as asked but does not stop the node.
pub(super) fn make(spec: &InitSpec) -> io::Result<Vec<String>> {
    let root = spec.root.as_path();
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(|error| tried("make the mounts private", error.into()))?;
    mount(Some("fabric"), root, Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
        .map_err(|error| tried(&format!("mount a tmpfs on {}", root.display()), error.into()))?;
    for folder in OWN {
        fs::create_dir(root.join(folder)).map_err(|error| tried(&format!("make /{folder}"), error))?;
    }
    for open in ["tmp", "var/tmp", "run/lock"] {
        fs::set_permissions(root.join(open), fs::Permissions::from_mode(0o1777))?;
    }
    symlink("/run", root.join("var/run"))?;
    symlink("/run/lock", root.join("var/lock"))?;

    programs(spec, root)?;
    let (etc_files, other_files): (Vec<_>, Vec<_>) = spec
        .files
        .iter()
        .partition(|file| file.path.starts_with("/etc") && !file.path.starts_with("/etc/frr"));
    overlay(spec, root, "etc", &etc_files)?;
    own_folder(root, "etc/frr")?;
    own_folder(root, "etc/bird")?;
    for file in other_files {
        write(root, file)?;
    }

    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some("/dev"), &root.join("dev"), None::<&str>, bind, None::<&str>)
        .map_err(|error| tried("show /dev", error.into()))?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), &root.join("proc"), Some("proc"), quiet, None::<&str>)
        .map_err(|error| tried("mount /proc", error.into()))?;
    mount(Some("sysfs"), &root.join("sys"), Some("sysfs"), quiet, None::<&str>)
        .map_err(|error| tried("mount /sys", error.into()))?;
    for wanted in &spec.mounts {
        show(root, wanted)?;
    }

    nix::unistd::chdir(root)?;
    nix::unistd::pivot_root(".", ".").map_err(|error| tried("make the folder the root", error.into()))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(|error| tried("let the host's root go", error.into()))?;
    nix::unistd::chdir("/")?;
    nix::unistd::sethostname(&spec.hostname).map_err(|error| tried("set the host name", error.into()))?;
    set_sysctls(&spec.sysctls)
}

/// `/usr`, and beside it what merged-usr systems have as links and others as folders.
fn programs(spec: &InitSpec, root: &Path) -> io::Result<()> {
    overlay(spec, root, "usr", &[])?;
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "opt"] {
        let host = Path::new("/").join(name);
        let Ok(found) = fs::symlink_metadata(&host) else { continue };
        if found.is_symlink() {
            symlink(fs::read_link(&host)?, root.join(name))?;
        } else if found.is_dir() {
            let bind = MountSpec { source: host.clone(), target: host, read_only: false };
            show(root, &bind)?;
        }
    }
    Ok(())
}

/// An overlay of the layers' folder and the host's, with a writable layer of the node's own that starts with `files`.
fn overlay(spec: &InitSpec, root: &Path, name: &str, files: &[&FileSpec]) -> io::Result<()> {
    let own = root.join(".fabric").join(name);
    let (upper, work, target) = (own.join("upper"), own.join("work"), root.join(name));
    for folder in [&upper, &work, &target] {
        fs::create_dir_all(folder)?;
    }
    if spec.userns && name == "usr" {
        own_folders(&upper);
    }
    for file in files {
        let below = file.path.strip_prefix(Path::new("/").join(name)).map_err(io::Error::other)?;
        write(&upper, &FileSpec { path: below.to_path_buf(), ..(*file).clone() })?;
    }
    let copy = (name == "etc").then(|| spec.etc.clone()).flatten();
    let layers = spec.layers.iter().map(|layer| layer.join(name)).chain(copy);
    let mut lower: Vec<String> = layers.filter(|path| path.is_dir()).map(escaped).collect();
    lower.push(format!("/{name}"));
    let mut options =
        format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), escaped(upper.clone()), escaped(work));
    if spec.userns {
        options.push_str(",userxattr");
    }
    match mount(Some("overlay"), &target, Some("overlay"), MsFlags::empty(), Some(options.as_str())) {
        Ok(()) => Ok(()),
        // A container's /etc has files mounted into it, over which an overlay is refused in a user namespace. Its
        // content is small: copy it.
        Err(_) if name == "etc" => {
            for layer in
                spec.layers.iter().rev().map(|layer| layer.join(name)).chain([PathBuf::from("/etc")]).rev()
            {
                copy_tree(&layer, &target);
            }
            copy_tree(&upper, &target);
            Ok(())
        }
        Err(error) => Err(tried(&format!("lay an overlay over /{name} ({options})"), error.into())),
    }
}

/// Folders of `/usr` that a lab may put programs into. In a user namespace the host's folders are nobody's, and nothing
/// could be made in them; the node's own of the same name are shown as one with them.
fn own_folders(upper: &Path) {
    for folder in ["", "local"] {
        let Ok(entries) = fs::read_dir(Path::new("/usr").join(folder)) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            // One that cannot be made is only less than it could be.
            let _ = fs::create_dir_all(upper.join(folder).join(entry.file_name()));
        }
    }
}

/// Colons and commas mean something in an overlay's options.
fn escaped(path: PathBuf) -> String {
    path.to_string_lossy().replace('\\', "\\\\").replace(':', "\\:").replace(',', "\\,")
}

/// Copies what can be read; what cannot (keys, shadow files) has no place in a node anyway.
fn copy_tree(from: &Path, to: &Path) {
    let _ = fs::create_dir_all(to);
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_tree(&source, &target),
            Ok(kind) if kind.is_symlink() => {
                if let Ok(points_to) = fs::read_link(&source) {
                    let _ = fs::remove_file(&target);
                    let _ = symlink(points_to, &target);
                }
            }
            Ok(kind) if kind.is_file() => {
                let _ = fs::copy(&source, &target);
            }
            _ => {}
        }
    }
}

/// An empty folder of the node's own where the host's would show through (or could not even be read).
fn own_folder(root: &Path, name: &str) -> io::Result<()> {
    let target = root.join(name);
    if fs::symlink_metadata(&target).is_err() {
        return fs::create_dir_all(&target);
    }
    mount(Some("fabric"), &target, Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
        .map_err(|error| tried(&format!("empty /{name}"), error.into()))
}

fn write(root: &Path, file: &FileSpec) -> io::Result<()> {
    let path = root.join(file.path.strip_prefix("/").unwrap_or(&file.path));
    if let Some(above) = path.parent() {
        fs::create_dir_all(above).map_err(|error| tried(&format!("make {}", above.display()), error))?;
    }
    fs::write(&path, &file.text).map_err(|error| tried(&format!("write {}", file.path.display()), error))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))
}

fn show(root: &Path, wanted: &MountSpec) -> io::Result<()> {
    let what = || format!("show {} as {}", wanted.source.display(), wanted.target.display());
    let target = root.join(wanted.target.strip_prefix("/").unwrap_or(&wanted.target));
    let found = fs::metadata(&wanted.source).map_err(|error| tried(&what(), error))?;
    if found.is_dir() {
        fs::create_dir_all(&target)?;
    } else if fs::symlink_metadata(&target).is_err() {
        if let Some(above) = target.parent() {
            fs::create_dir_all(above)?;
        }
        fs::File::create(&target)?;
    }
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(&wanted.source), &target, None::<&str>, bind, None::<&str>)
        .map_err(|error| tried(&what(), error.into()))?;
    if wanted.read_only {
        // In a user namespace the flags the host's mount has are locked: keep them.
        let kept = nix::sys::statvfs::statvfs(&target)
            .map(|found| kept_flags(found.flags()))
            .unwrap_or(MsFlags::empty());
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | kept;
        mount(None::<&str>, &target, None::<&str>, flags, None::<&str>)
            .map_err(|error| tried(&format!("{}, read-only", what()), error.into()))?;
    }
    Ok(())
}

fn kept_flags(flags: nix::sys::statvfs::FsFlags) -> MsFlags {
    use nix::sys::statvfs::FsFlags;
    [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ]
    .into_iter()
    .filter(|(seen, _)| flags.contains(*seen))
    .fold(MsFlags::empty(), |all, (_, keep)| all | keep)
}

/// Sets kernel parameters of the calling thread's namespaces; `true` marks those that must not fail. Returns what did not go
/// as asked.
pub(crate) fn set_sysctls(all: &[(String, String, bool)]) -> io::Result<Vec<String>> {
    let mut warnings = Vec::new();
    for (name, value, needed) in all {
        // A dot separates; a slash stands for a dot inside an interface's name.
        let path = Path::new("/proc/sys").join(name.replace('/', "\0").replace('.', "/").replace('\0', "."));
        if let Err(error) = fs::write(&path, value) {
            let what = format!("set {name}={value}");
            if *needed {
                return Err(tried(&what, error));
            }
            warnings.push(format!("{what}: {error}"));
        }
    }
    Ok(warnings)
}
