//! What was looked at a moment ago: twenty checks that fail for one reason look once.
//!
//! What lives here: keeping it. What does not: looking, nor what it means.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

/// For so long what was seen stands for what is: checks that fail together do so within moments of each other, and what
/// has changed since is another failure's.
const FRESH: Duration = Duration::from_secs(5);

/// What was seen, by what was looked at.
pub(in crate::run) struct Kept<K, V>(Mutex<HashMap<K, Entry<V>>>);

struct Entry<V> {
    since: Instant,
    seen: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// What was seen lately under this key; who comes first looks, and those who come meanwhile wait for that.
    pub(in crate::run) async fn or_look<F>(&self, key: K, look: impl FnOnce() -> F) -> V
    where
        F: Future<Output = V>,
    {
        let seen = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, entry| entry.since.elapsed() < FRESH);
            let entry = all.entry(key);
            let made = || Entry { since: Instant::now(), seen: Arc::default() };
            Arc::clone(&entry.or_insert_with(made).seen)
        };
        // Who looks may be given up on: then the next one looks.
        seen.get_or_init(look).await.clone()
    }

    /// Forgets everything: a new phase has begun.
    pub(in crate::run) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V> fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_look_once() {
        let kept = Kept::<&str, u32>::default();
        let looks = AtomicU32::new(0);
        let look = || async {
            tokio::task::yield_now().await;
            looks.fetch_add(1, Ordering::Relaxed)
        };
        let all = futures::future::join_all((0..20).map(|_| kept.or_look("tor0", look))).await;
        assert_eq!((all, looks.load(Ordering::Relaxed)), (vec![0; 20], 1));
        assert_eq!(kept.or_look("tor1", look).await, 1);
        kept.clear();
        assert_eq!(kept.or_look("tor0", look).await, 2);
    }

    #[tokio::test]
    async fn one_that_gives_up_leaves_nothing_behind() {
        let kept = Kept::<(), u32>::default();
        let hangs = kept.or_look((), std::future::pending);
        assert!(tokio::time::timeout(Duration::from_millis(1), hangs).await.is_err());
        assert_eq!(kept.or_look((), || async { 7 }).await, 7);
    }
}
