//! The folder of layers: who may write to it now, and rooms for half-made things.
//!
//! What does not live here: what a layer is (`layer`).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::{Settings, ToolsError};

/// The cache, locked for us: as long as this lives no other run fetches into it.
#[derive(Debug)]
pub(super) struct Cache {
    packages: PathBuf,
    // Closing the file gives the lock back, however this process ends.
    _lock: File,
}

impl Cache {
    /// Makes the folder if need be and waits until no other run fetches into it.
    pub(super) async fn lock(
        settings: &Settings,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, ToolsError> {
        let packages = settings.packages().ok_or_else(|| ToolsError::NoCache {
            why: "neither FABRIC_CACHE_DIR, XDG_CACHE_HOME nor a home folder is known".to_owned(),
        })?;
        std::fs::create_dir_all(&packages).map_err(|source| ToolsError::NoCache {
            why: format!("cannot make {}: {source}", packages.display()),
        })?;
        let path = packages.join(".lock");
        let lock =
            File::options().create(true).truncate(false).write(true).open(&path).map_err(|source| {
                ToolsError::NoCache { why: format!("cannot open {}: {source}", path.display()) }
            })?;
        let lock = match lock.try_lock() {
            Ok(()) => lock,
            Err(TryLockError::WouldBlock) => {
                progress("another run is fetching packages; waiting for it");
                blocking(move || lock.lock().map(|()| lock))
                    .await
                    .map_err(ToolsError::io("cannot lock", &path))?
            }
            Err(TryLockError::Error(source)) => {
                return Err(ToolsError::Io { what: "cannot lock", path, source });
            }
        };
        let cache = Self { packages, _lock: lock };
        cache.sweep();
        Ok(cache)
    }

    /// An empty folder on the cache's own file system, so that what is made in it can be renamed into place. It goes
    /// when dropped, and is swept by the next run that fetches if we are killed.
    pub(super) fn workroom(&self) -> Result<tempfile::TempDir, ToolsError> {
        tempfile::Builder::new()
            .prefix(WORKROOM)
            .tempdir_in(&self.packages)
            .map_err(ToolsError::io("cannot make a folder in", &self.packages))
    }

    /// Puts a finished folder where others look for it, in one step. What was there goes.
    pub(super) fn publish(&self, made: &Path, place: &Path) -> Result<(), ToolsError> {
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent).map_err(ToolsError::io("cannot make", parent))?;
        }
        let trash = self.workroom()?;
        match std::fs::rename(place, trash.path().join("old")) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(ToolsError::Io { what: "cannot move away", path: place.to_owned(), source });
            }
            _ => {}
        }
        std::fs::rename(made, place).map_err(ToolsError::io("cannot put into place", place))
    }

    fn sweep(&self) {
        // Under the lock nobody else has a workroom, so every one that is here is a dead run's. Failing to remove it
        // costs only space: the next run tries again.
        let Ok(entries) = std::fs::read_dir(&self.packages) else { return };
        for entry in entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(WORKROOM)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

const WORKROOM: &str = ".work-";

/// Runs file work off the async threads. A panic in it is ours and goes on as one.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Never started: the runtime is being shut down, and nobody will ask for the value.
            Err(_) => std::future::pending().await,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn settings(dir: &Path) -> Settings {
        Settings { host: "/".into(), cache: Some(dir.to_owned()), assume_absent: Vec::new() }
    }

    #[tokio::test]
    async fn one_fetches_at_a_time_and_the_other_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let told = AtomicUsize::new(0);
        let tell = |_: &str| {
            told.fetch_add(1, Ordering::SeqCst);
        };
        let first = Cache::lock(&settings, &tell).await.unwrap();
        assert_eq!(told.load(Ordering::SeqCst), 0);
        let mut second = Box::pin(Cache::lock(&settings, &tell));
        assert!(futures::poll!(&mut second).is_pending());
        assert_eq!(told.load(Ordering::SeqCst), 1);
        drop(first);
        second.await.unwrap();
    }

    #[tokio::test]
    async fn a_dead_runs_workroom_is_swept_and_a_layer_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let dead = dir.path().join("packages/.work-dead/root");
        std::fs::create_dir_all(&dead).unwrap();
        let cache = Cache::lock(&settings, &|_| ()).await.unwrap();
        assert!(!dead.exists());

        let place = dir.path().join("packages/debian-12/frr");
        for content in ["first", "second"] {
            let room = cache.workroom().unwrap();
            let made = room.path().join("made");
            std::fs::create_dir(&made).unwrap();
            std::fs::write(made.join("file"), content).unwrap();
            cache.publish(&made, &place).unwrap();
            assert_eq!(std::fs::read_to_string(place.join("file")).unwrap(), content);
        }
        let left: Vec<_> = std::fs::read_dir(dir.path().join("packages")).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "the lock and the distribution: {left:?}");
    }

    #[tokio::test]
    async fn no_cache_is_an_error_that_says_what_to_set() {
        let mut settings = settings(Path::new("/"));
        settings.cache = Some("/proc/nowhere".into());
        let error = Cache::lock(&settings, &|_| ()).await.unwrap_err();
        assert!(error.to_string().contains("set FABRIC_CACHE_DIR"), "{error}");
    }
}
