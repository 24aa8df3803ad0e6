//! Finding a tool on the host by its files, without running anything.
//!
//! What does not live here: which files a tool has (`tool`), and layers (`layer`).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Settings, Tool};

/// Where a node looks for programs: the host's `PATH` plays no part, since a node has its own.
pub(super) const PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The tool's main program on the host, if every file the tool needs is there and may be run.
pub(super) fn find(settings: &Settings, tool: Tool) -> Option<PathBuf> {
    if settings.assume_absent.contains(&tool) {
        return None;
    }
    find_under(&settings.host, tool)
}

/// The same below any root: a layer's, for instance.
pub(super) fn find_under(root: &Path, tool: Tool) -> Option<PathBuf> {
    let mut found = tool.probes().iter().map(|probe| program_under(root, probe.program));
    let main = found.next()??;
    found.all(|other| other.is_some()).then_some(main)
}

/// A program below `root`: an absolute path as it is, a bare name on [`PATH`].
pub(super) fn program_under(root: &Path, probe: &str) -> Option<PathBuf> {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    if probe.starts_with('/') {
        return Some(below(probe)).filter(|path| runnable(path));
    }
    PATH.iter().map(|dir| below(dir).join(probe)).find(|path| runnable(path))
}

fn runnable(path: &Path) -> bool {
    // Follows links: an alternative that leads nowhere is not a program.
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, mode: u32) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_tool_is_there_when_all_of_it_is() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "usr/local/bin/gobgpd", 0o755);
        assert_eq!(find_under(root.path(), Tool::Gobgp), None, "the client is missing");
        put(root.path(), "usr/bin/gobgp", 0o644);
        assert_eq!(find_under(root.path(), Tool::Gobgp), None, "the client may not be run");
        put(root.path(), "usr/bin/gobgp", 0o755);
        assert_eq!(find_under(root.path(), Tool::Gobgp), Some(root.path().join("usr/local/bin/gobgpd")));
    }

    #[test]
    fn a_link_to_nowhere_is_not_a_program() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "usr/bin/other", 0o755);
        std::os::unix::fs::symlink("/nowhere/iptables", root.path().join("usr/bin/iptables")).unwrap();
        assert_eq!(find_under(root.path(), Tool::Iptables), None);
    }

    #[test]
    fn what_is_assumed_absent_is_absent() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "usr/bin/ping", 0o755);
        let mut settings = Settings { host: root.path().to_owned(), cache: None, assume_absent: Vec::new() };
        assert!(find(&settings, Tool::Ping).is_some());
        settings.assume_absent.push(Tool::Ping);
        assert_eq!(find(&settings, Tool::Ping), None);
    }
}
