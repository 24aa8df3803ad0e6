//! What this machine shows that explains a failure of kind's or containerlab's.
//!
//! What lives here: a few numbers, read once. What does not: what follows from them (`known`).

use std::path::Path;

/// What was seen of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    /// `fs.inotify.max_user_instances`.
    pub(crate) inotify_instances: Option<u64>,
    /// `fs.inotify.max_user_watches`.
    pub(crate) inotify_watches: Option<u64>,
    /// Whether cgroup v2 alone is mounted.
    pub(crate) cgroup2: bool,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        Self::under(Path::new("/"))
    }

    pub(super) fn under(root: &Path) -> Self {
        let number = |path: &str| std::fs::read_to_string(root.join(path)).ok()?.trim().parse().ok();
        Self {
            inotify_instances: number("proc/sys/fs/inotify/max_user_instances"),
            inotify_watches: number("proc/sys/fs/inotify/max_user_watches"),
            cgroup2: root.join("sys/fs/cgroup/cgroup.controllers").exists(),
        }
    }

    /// What kind's documentation names as too little for several nodes, if it is.
    pub(crate) fn few_watches(&self) -> Option<String> {
        let instances = self.inotify_instances.filter(|found| *found < 512);
        let watches = self.inotify_watches.filter(|found| *found < 524_288);
        let one = |name: &str, found: Option<u64>| found.map(|found| format!("fs.inotify.{name} is {found}"));
        let all: Vec<String> = one("max_user_instances", instances)
            .into_iter()
            .chain(one("max_user_watches", watches))
            .collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}
