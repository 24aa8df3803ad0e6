//! What the checks look at: the host's files below a root, and who we are. Data, so that tests can make a host up.

use crate::tools::{Distro, Settings};

/// A capability's number, from linux/capability.h.
pub(super) const CAP_NET_ADMIN: u32 = 12;
/// See [`CAP_NET_ADMIN`].
pub(super) const CAP_SYS_ADMIN: u32 = 21;

pub(super) struct See {
    pub(super) settings: Settings,
    pub(super) distro: Distro,
    /// Effective user id 0.
    pub(super) root: bool,
}

impl See {
    pub(super) fn new(settings: Settings) -> Self {
        Self { distro: settings.distro(), root: nix::unistd::geteuid().is_root(), settings }
    }

    /// The trimmed text of a file of the host; `None` if it cannot be read.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.settings.on_host(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file that holds one number, as those of /proc/sys do.
    pub(super) fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.settings.on_host(path).exists()
    }

    /// The release of the running kernel, `6.1.0-13-amd64`.
    pub(super) fn kernel(&self) -> String {
        self.text("proc/sys/kernel/osrelease").unwrap_or_default()
    }

    /// Whether this process has a capability, by the effective set in /proc/self/status.
    pub(super) fn capable(&self, capability: u32) -> bool {
        let status = self.text("proc/self/status").unwrap_or_default();
        let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let set = set.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        set.is_some_and(|set| set >> capability & 1 == 1)
    }
}
