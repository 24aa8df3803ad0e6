//! Reverse-path filtering in kind's nodes.
//!
//! What lives here: seeing that it is on, and switching it off. kind's node image sets it to 1, and the kernel takes the larger of
//! `all` and the interface's: packets that come in by net0 while the route back is eth0's would be dropped in silence.

use std::io;
use std::path::Path;

use crate::runtime::netns::socket::{inside, namespace_of};

/// Sets every rp_filter of the network namespace of process `pid` to 0. True if one was not.
pub(super) async fn loosen(pid: i32) -> io::Result<bool> {
    let work = move || inside(&namespace_of(pid)?, || set(Path::new("/proc/sys/net/ipv4/conf")));
    tokio::task::spawn_blocking(work).await?
}

fn set(conf: &Path) -> io::Result<bool> {
    let mut changed = false;
    for entry in std::fs::read_dir(conf)? {
        let file = entry?.path().join("rp_filter");
        if std::fs::read_to_string(&file)?.trim() != "0" {
            std::fs::write(&file, "0")?;
            changed = true;
        }
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_zero_afterwards() {
        let room = tempfile::tempdir().unwrap();
        for (name, value) in [("all", "1\n"), ("default", "1\n"), ("eth0", "0\n")] {
            std::fs::create_dir(room.path().join(name)).unwrap();
            std::fs::write(room.path().join(name).join("rp_filter"), value).unwrap();
        }
        assert!(set(room.path()).unwrap());
        for name in ["all", "default", "eth0"] {
            assert_eq!(
                std::fs::read_to_string(room.path().join(name).join("rp_filter")).unwrap().trim(),
                "0"
            );
        }
        assert!(!set(room.path()).unwrap(), "nothing to do the second time");
    }
}
