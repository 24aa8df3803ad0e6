//! A layer: the files of a tool's packages in a folder of the cache, shaped so that it can be laid over a host.
//!
//! What does not live here: where packages come from (`apt`) and how a layer is mounted (`runtime`).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::apt::run;
use super::cache::{Cache, blocking};
use super::manifest::{Manifest, Package};
use super::{Distro, Settings, Tool, ToolsError, host};

/// Folders at the top that are links into /usr on every supported distribution, and so must not be folders in a layer.
const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What nodes have no use for: reading matter, and units of a service manager that does not run there.
const UNUSED: [&str; 6] = [
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/lib/systemd",
];

/// How long a fetched program may take to say its version: far more than any needs, so that only a hang meets it.
const TRIAL: Duration = Duration::from_secs(20);

/// A layer that is ready.
#[derive(Debug)]
pub(super) struct Layer {
    /// Holds usr/, etc/ and perhaps var/.
    pub(super) root: PathBuf,
    pub(super) manifest: Manifest,
}

/// How a layer stands in the cache.
#[derive(Debug)]
pub(super) enum State {
    Ready(Layer),
    Absent,
    /// It is there but not as it was made; the words say what is wrong.
    Damaged(String),
}

/// Where the layer of a tool is, or would be. One layer a tool: what one run fetches serves every other.
pub(super) fn place(settings: &Settings, distro: &Distro, tool: Tool) -> Option<PathBuf> {
    settings.packages().map(|packages| packages.join(distro.folder()).join(tool.key()))
}

/// Looks at a layer: its manifest, and size and time of each file. Runs nothing.
pub(super) fn inspect(place: &Path, tool: Tool) -> State {
    if !place.exists() {
        return State::Absent;
    }
    let root = place.join("root");
    match Manifest::read(place) {
        Err(why) => State::Damaged(format!("{}: {why}", place.display())),
        Ok(manifest) if manifest.tool != tool => {
            State::Damaged(format!("{} holds {}, not {tool}", place.display(), manifest.tool))
        }
        Ok(manifest) => match manifest.damage(&root) {
            Some(why) => State::Damaged(why),
            None => State::Ready(Layer { root, manifest }),
        },
    }
}

/// Makes the layer of a tool out of fetched archives and puts it into the cache in one step.
pub(super) async fn make(
    cache: &Cache,
    place: &Path,
    tool: Tool,
    archives: Vec<(PathBuf, Package)>,
    remedy: &str,
) -> Result<(), ToolsError> {
    let room = cache.workroom()?;
    let made = room.path().join("layer");
    let root = made.join("root");
    std::fs::create_dir_all(&root).map_err(ToolsError::io("cannot make", &root))?;
    for (archive, _) in &archives {
        run(std::process::Command::new("dpkg-deb").arg("-x").arg(archive).arg(&root)).await?;
    }
    let shaped = root.clone();
    blocking(move || shape(&shaped, tool)).await?;
    trial(&root, tool, place, remedy).await?;
    let packages = archives.into_iter().map(|(_, package)| package).collect();
    let summed = root.clone();
    let manifest = blocking(move || Manifest::of(&summed, tool, packages)).await?;
    manifest.write(&made)?;
    cache.publish(&made, place)
}

/// Makes the tree fit to be laid over a host with a merged /usr, and makes the links no maintainer script made.
fn shape(root: &Path, tool: Tool) -> Result<(), ToolsError> {
    for name in MERGED {
        let top = root.join(name);
        match std::fs::symlink_metadata(&top) {
            Err(_) => {}
            Ok(meta) if meta.is_dir() => merge(&top, &root.join("usr").join(name))?,
            Ok(_) => std::fs::remove_file(&top).map_err(ToolsError::io("cannot remove", &top))?,
        }
    }
    for unused in UNUSED {
        match std::fs::remove_dir_all(root.join(unused)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ToolsError::Io { what: "cannot remove", path: root.join(unused), source });
            }
            _ => {}
        }
    }
    if tool == Tool::Gobgp {
        put_first(root)?;
    }
    for alternative in tool.alternatives() {
        let link = root.join(alternative.link);
        let target = link.with_file_name(alternative.target);
        if target.exists() && std::fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(alternative.target, &link)
                .map_err(ToolsError::io("cannot link", &link))?;
        }
    }
    Ok(())
}

/// The programs of a GoBGP come before those that a host has in /usr/local, which nodes would find first: the layer is
/// there because the host's is not of the generation that is wanted.
fn put_first(root: &Path) -> Result<(), ToolsError> {
    let folder = root.join("usr/local/sbin");
    std::fs::create_dir_all(&folder).map_err(ToolsError::io("cannot make", &folder))?;
    for probe in
        Tool::Gobgp.probes().iter().filter(|probe| root.join("usr/bin").join(probe.program).is_file())
    {
        let link = folder.join(probe.program);
        std::os::unix::fs::symlink(Path::new("../../bin").join(probe.program), &link)
            .map_err(ToolsError::io("cannot link", &link))?;
    }
    Ok(())
}

/// Moves everything in `from` into `to`, folder by folder; a file of `from` replaces one of `to`.
fn merge(from: &Path, to: &Path) -> Result<(), ToolsError> {
    if !to.is_dir() {
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(ToolsError::io("cannot make", parent))?;
        }
        return std::fs::rename(from, to).map_err(ToolsError::io("cannot move", from));
    }
    for entry in std::fs::read_dir(from).map_err(ToolsError::io("cannot list", from))? {
        let path = entry.map_err(ToolsError::io("cannot list", from))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            merge(&path, &target)?;
        } else {
            std::fs::rename(&path, &target).map_err(ToolsError::io("cannot move", &path))?;
        }
    }
    std::fs::remove_dir(from).map_err(ToolsError::io("cannot remove", from))
}

/// Starts the tool's programs, which shows that they are for this machine and that every library is there: the
/// host's, or the layer's own.
pub(super) async fn trial(root: &Path, tool: Tool, place: &Path, remedy: &str) -> Result<(), ToolsError> {
    let libraries = library_folders(root);
    for (probe, flag) in tool.probes().iter().filter_map(|p| Some((p.program, p.trial?))) {
        let failed = |reason: String| ToolsError::DoesNotRun {
            tool,
            layer: place.to_owned(),
            program: probe.to_owned(),
            reason,
            remedy: remedy.to_owned(),
        };
        let program =
            host::program_under(root, probe).ok_or_else(|| failed("it is in no package".to_owned()))?;
        let mut command = std::process::Command::new(program);
        command.arg(flag).env("LD_LIBRARY_PATH", &libraries);
        match tokio::time::timeout(TRIAL, run(&mut command)).await {
            Ok(Ok(_)) => {}
            Ok(Err(ToolsError::Command { reason, .. })) => return Err(failed(reason)),
            Ok(Err(other)) => return Err(other),
            Err(_) => return Err(failed(format!("it was still running after {TRIAL:?}"))),
        }
    }
    if host::find_under(root, tool).is_none() {
        return Err(ToolsError::DoesNotRun {
            tool,
            layer: place.to_owned(),
            program: tool.probes().iter().map(|p| p.program).collect::<Vec<_>>().join(", "),
            reason: "not all of them are in the packages".to_owned(),
            remedy: remedy.to_owned(),
        });
    }
    Ok(())
}

/// Folders with shared libraries below usr/lib, for `LD_LIBRARY_PATH`. In a node the layer is laid over /usr, where the
/// loader looks by itself.
fn library_folders(root: &Path) -> std::ffi::OsString {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root.join("usr/lib")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                folders.push(path);
            } else if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.contains(".so"))
                && found.last() != Some(&folder)
            {
                found.push(folder.clone());
            }
        }
    }
    // A folder whose name has a colon cannot be said in this variable; the trial will tell.
    std::env::join_paths(found).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn everything_ends_up_under_usr() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "bin/ping", "ping");
        put(root, "lib/x86_64-linux-gnu/liba.so.1", "a");
        put(root, "lib/systemd/system/frr.service", "unit");
        put(root, "usr/lib/x86_64-linux-gnu/libb.so.1", "b");
        put(root, "usr/share/man/man8/ping.8", "manual");
        put(root, "etc/frr/daemons", "bgpd=no");
        std::os::unix::fs::symlink("usr/lib64", root.join("lib64")).unwrap();
        shape(root, Tool::Ping).unwrap();
        for kept in [
            "usr/bin/ping",
            "usr/lib/x86_64-linux-gnu/liba.so.1",
            "usr/lib/x86_64-linux-gnu/libb.so.1",
            "etc/frr/daemons",
        ] {
            assert!(root.join(kept).is_file(), "{kept}");
        }
        for gone in ["bin", "lib", "lib64", "usr/lib/systemd", "usr/share/man"] {
            assert!(std::fs::symlink_metadata(root.join(gone)).is_err(), "{gone}");
        }
        assert_eq!(library_folders(root), root.join("usr/lib/x86_64-linux-gnu").into_os_string());
    }

    #[test]
    fn links_that_installation_would_make_are_made() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "usr/bin/traceroute.db", "real");
        shape(dir.path(), Tool::Traceroute).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("usr/bin/traceroute")).unwrap(), "real");
        assert!(!dir.path().join("usr/bin/traceroute6").is_symlink(), "no link to what is not there");
    }

    #[test]
    fn a_layers_gobgp_comes_before_one_of_usr_local() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "usr/bin/gobgpd", "layer's");
        put(dir.path(), "usr/bin/gobgp", "layer's");
        shape(dir.path(), Tool::Gobgp).unwrap();
        put(dir.path(), "usr/local/bin/gobgpd", "host's");
        let found = host::find_under(dir.path(), Tool::Gobgp).unwrap();
        assert_eq!(std::fs::read_to_string(found).unwrap(), "layer's");
    }

    #[tokio::test]
    async fn a_program_that_does_not_start_is_told_with_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        put(
            dir.path(),
            "usr/bin/ping",
            "#!/bin/sh\necho 'libidn2.so.0: cannot open shared object file' >&2; exit 127\n",
        );
        let error =
            trial(dir.path(), Tool::Ping, dir.path(), "apt install it").await.unwrap_err().to_string();
        assert!(error.contains("libidn2.so.0") && error.contains("apt install it"), "{error}");
        put(dir.path(), "usr/bin/ping", "#!/bin/sh\nexit 0\n");
        trial(dir.path(), Tool::Ping, dir.path(), "").await.unwrap();
    }

    #[test]
    fn a_layer_without_a_manifest_is_damaged_and_none_is_absent() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(inspect(&dir.path().join("frr"), Tool::Frr), State::Absent));
        std::fs::create_dir_all(dir.path().join("frr/root")).unwrap();
        assert!(matches!(inspect(&dir.path().join("frr"), Tool::Frr), State::Damaged(_)));
        Manifest::of(&dir.path().join("frr/root"), Tool::Gobgp, Vec::new())
            .unwrap()
            .write(&dir.path().join("frr"))
            .unwrap();
        assert!(
            matches!(inspect(&dir.path().join("frr"), Tool::Frr), State::Damaged(why) if why.contains("holds GoBGP"))
        );
        assert!(matches!(inspect(&dir.path().join("frr"), Tool::Gobgp), State::Ready(_)));
    }
}
