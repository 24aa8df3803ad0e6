//! The observers of a fabric's routers, and who is told what they see.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fabric, FabricError};
use crate::router::{Listener, Observer, Router, Whichever};

/// The observers made so far, and who listens to them.
#[derive(Default)]
pub(super) struct Observers {
    by_router: BTreeMap<String, Arc<Observer>>,
    listener: Option<Listener>,
}

impl Fabric {
    /// The observer of a router, made when it is first asked for.
    pub async fn observer(&self, router: &str) -> Result<Arc<Observer>, FabricError> {
        let node = self.node(router).await?;
        let mut observers = self.observers.lock().await;
        let Observers { by_router, listener } = &mut *observers;
        let made = || {
            let observer = Observer::start(Arc::new(Whichever::new(node)) as Arc<dyn Router>);
            if let Some(listener) = listener {
                observer.listen(listener.clone());
            }
            Arc::new(observer)
        };
        Ok(Arc::clone(by_router.entry(router.to_owned()).or_insert_with(made)))
    }

    /// Tells `listener` what changes on the routers that are observed, now and later, as it is seen. Whoever listened
    /// before is told no more.
    pub async fn listen(&self, listener: Listener) {
        let mut observers = self.observers.lock().await;
        for observer in observers.by_router.values() {
            observer.listen(listener.clone());
        }
        observers.listener = Some(listener);
    }

    /// The observers made so far, by router.
    pub async fn observers(&self) -> BTreeMap<String, Arc<Observer>> {
        self.observers.lock().await.by_router.clone()
    }
}
