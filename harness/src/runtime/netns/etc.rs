//! The host's `/etc` as root of a user namespace could have written it.
//!
//! In a user namespace the host's files are nobody's, also through an overlay: not even its root may change them. So
//! each fabric has one copy of what can be read, which is laid over the host's own folder below the nodes' writable
//! layers. What lives here: making that copy. What does not: laying it over anything (`rootfs`).

use std::fs;
use std::io;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::init::tried;

/// Larger files (indices of hardware, bundles of certificates) are not copied: nodes see the host's own, and can only
/// read it. Nobody edits them, and they are most of what there is, in bytes.
const LARGEST: u64 = 256 * 1024;

/// Copies `/etc` onto a tmpfs mounted on `to`, an empty folder, in the mount namespace of this process.
pub(crate) fn copy(to: &Path) -> io::Result<()> {
    mount(Some("fabric"), to, Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
        .map_err(|error| tried(&format!("mount a tmpfs on {}", to.display()), error.into()))?;
    // What cannot be copied has its reason: it is the host's secret.
    let _ = copy_tree(Path::new("/etc"), to);
    Ok(())
}

/// Folders, and the files in them that can be read. Links shine through from below.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)?.flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let Ok(kind) = entry.file_type() else { continue };
        // One file that cannot be copied does not keep the others.
        let _ = if kind.is_dir() {
            copy_folder(&source, &target)
        } else if kind.is_file() {
            copy_file(&source, &target)
        } else {
            Ok(())
        };
    }
    Ok(())
}

/// A folder that cannot be listed is left as it is: a copy of it would be an empty one.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::read_dir(from)?;
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    copy_tree(from, to)
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    if fs::metadata(from)?.len() > LARGEST {
        return Ok(());
    }
    if let Err(error) = fs::copy(from, to) {
        // An empty file would hide what is below.
        let _ = fs::remove_file(to);
        return Err(error);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_can_be_read_is_copied_with_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("etc"), dir.path().join("copy"));
        fs::create_dir_all(from.join("sysctl.d/empty")).unwrap();
        fs::create_dir(&to).unwrap();
        fs::write(from.join("hosts"), "127.0.0.1 localhost\n").unwrap();
        fs::write(from.join("sysctl.d/local.conf"), "net.core.somaxconn = 1\n").unwrap();
        fs::set_permissions(from.join("sysctl.d/local.conf"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(from.join("hwdb.bin"), vec![0; LARGEST as usize + 1]).unwrap();
        symlink("hosts", from.join("link")).unwrap();
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("hosts")).unwrap(), "127.0.0.1 localhost\n");
        let mode = fs::metadata(to.join("sysctl.d/local.conf")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert!(to.join("sysctl.d/empty").is_dir());
        for below in ["hwdb.bin", "link"] {
            assert!(fs::symlink_metadata(to.join(below)).is_err(), "{below} shines through from below");
        }
    }

    #[test]
    fn what_cannot_be_read_hides_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("copy");
        // As root every file can be read: a folder in a file's place fails for everybody.
        assert!(copy_file(&dir.path().join("shadow"), &to).is_err());
        assert!(copy_folder(&dir.path().join("private"), &to).is_err());
        assert!(fs::symlink_metadata(&to).is_err());
    }
}
