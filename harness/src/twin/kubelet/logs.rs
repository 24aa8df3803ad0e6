//! What containers said.
//!
//! What lives here: keeping the last lines of each. What does not: running them (`containers`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lines kept of each container's output.
const KEPT: usize = 2_000;

/// Namespace, pod and container.
pub(super) type LogKey = (String, String, String);

type Lines = BTreeMap<LogKey, VecDeque<String>>;

/// What containers said, by namespace, pod and container.
#[derive(Debug, Default, Clone)]
pub struct Logs {
    lines: Arc<Mutex<Lines>>,
}

impl Logs {
    fn all(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kept lines of a container, oldest first; of the pod's first one if none is named. `None`: no such container.
    pub fn read(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        tail: Option<usize>,
    ) -> Option<String> {
        let all = self.all();
        let found = all.iter().find(|((in_namespace, in_pod, name), _)| {
            in_namespace == namespace && in_pod == pod && container.is_none_or(|wanted| wanted == name)
        });
        let (_, lines) = found?;
        let skip = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        Some(lines.iter().skip(skip).map(|line| format!("{line}\n")).collect())
    }

    pub(super) fn open(&self, key: &LogKey) {
        self.all().entry(key.clone()).or_default();
    }

    pub(super) fn say(&self, key: &LogKey, line: String) {
        let mut all = self.all();
        let lines = all.entry(key.clone()).or_default();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn forget(&self, namespace: &str, pod: &str) {
        self.all().retain(|(in_namespace, in_pod, _), _| in_namespace != namespace || in_pod != pod);
    }
}
