//! Laws of the store: what a watch and a list must agree on, and what bounds both.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Collection, EventKind, Limits, Store, StoreError, Watch};

/// What happens to an object: which one, and whether it goes.
#[derive(Debug, Clone)]
struct Change {
    namespace: &'static str,
    name: String,
    goes: bool,
    other_collection: bool,
}

fn change() -> impl Strategy<Value = Change> {
    let namespace = prop_oneof![Just("a"), Just("b")];
    (namespace, "[x-z]", prop::bool::weighted(0.3), prop::bool::weighted(0.2)).prop_map(
        |(namespace, name, goes, other_collection)| Change { namespace, name, goes, other_collection },
    )
}

fn pods() -> Collection {
    Collection::new("", "pods")
}

fn value(name: &str, namespace: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": namespace}})
}

/// Does what the change says, whatever is there.
fn make(store: &Store, change: &Change) {
    let collection = if change.other_collection { Collection::new("", "nodes") } else { pods() };
    let key = collection.key(change.namespace, &change.name);
    match (store.get(&key), change.goes) {
        (None, true) => {}
        (None, false) => {
            store.create(&key, value(&change.name, change.namespace)).unwrap();
        }
        (Some(old), true) => {
            store.remove(&key, old.revision).unwrap();
        }
        (Some(old), false) => {
            store.replace(&key, old.revision, old.value.clone()).unwrap();
        }
    }
}

/// What a collection holds: the revision of each object by its place.
type State = BTreeMap<(String, String), u64>;

fn listed(store: &Store, namespace: Option<&str>) -> State {
    let objects = store.list(&pods(), namespace, None).objects;
    let place = |o: &super::Object| (o.meta("namespace").to_owned(), o.meta("name").to_owned());
    objects.iter().map(|object| (place(object), object.revision)).collect()
}

/// Follows a watch to its end; every event must be possible where it stands.
fn replay(state: &mut State, watch: &mut Watch) {
    loop {
        let events = watch.ready().unwrap();
        if events.is_empty() {
            return;
        }
        for event in events {
            let place = (event.object.meta("namespace").to_owned(), event.object.meta("name").to_owned());
            let had = match event.kind {
                EventKind::Deleted => state.remove(&place),
                _ => state.insert(place, event.object.revision),
            };
            assert_eq!(
                had,
                event.previous.map(|old| old.revision),
                "the event says what was there before it"
            );
            assert_eq!(had.is_none(), event.kind == EventKind::Added);
        }
    }
}

proptest! {
    /// From wherever a client begins, what it listed and what it is told since make what is there now.
    #[test]
    fn a_watch_from_any_revision_makes_the_list(changes in prop::collection::vec(change(), 1..60)) {
        for namespace in [None, Some("a")] {
            let store = Store::new();
            let mut begun = vec![(store.revision(), listed(&store, namespace))];
            for change in &changes {
                make(&store, change);
                begun.push((store.revision(), listed(&store, namespace)));
            }
            for (revision, mut state) in begun {
                replay(&mut state, &mut store.watch(&pods(), namespace, revision));
                prop_assert_eq!(&state, &listed(&store, namespace), "from {}", revision);
            }
        }
    }

    /// A bookmark is a promise: nothing at or before it is still to come, and a watch that begins there misses nothing.
    #[test]
    fn bookmarks_never_go_back_and_keep_their_promise(
        steps in prop::collection::vec((change(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let store = Store::new();
        let mut watch = store.watch(&pods(), None, store.revision());
        let mut state = State::new();
        let (mut last, mut seen) = (0, 0);
        for (change, read, ask) in &steps {
            make(&store, change);
            if *read {
                for event in watch.ready().unwrap() {
                    prop_assert!(event.object.revision > last, "an event behind a bookmark");
                    seen = event.object.revision;
                    let place = (event.object.meta("namespace").to_owned(), event.object.meta("name").to_owned());
                    match event.kind {
                        EventKind::Deleted => state.remove(&place),
                        _ => state.insert(place, event.object.revision),
                    };
                }
            }
            if *ask && let Some(bookmark) = watch.bookmark() {
                prop_assert!(bookmark >= last && bookmark >= seen);
                prop_assert_eq!(&state, &listed(&store, None), "a bookmark stands for all there is");
                let mut resumed = state.clone();
                replay(&mut resumed, &mut store.watch(&pods(), None, bookmark));
                prop_assert_eq!(&resumed, &state);
                last = bookmark;
            }
        }
    }

    /// Whatever is written, what is remembered stays within its bounds, and a watcher is told the truth or told that it
    /// is too late.
    #[test]
    fn the_history_keeps_its_bounds(
        changes in prop::collection::vec((change(), 0_usize..4000), 1..80),
        events in 1_usize..8,
    ) {
        let limits = Limits { events, collection: 20_000, history: 30_000, ..Limits::default() };
        let store = Store::with_limits(limits);
        let begin = store.revision();
        for (change, size) in &changes {
            let mut change = change.clone();
            change.goes &= *size < 2000;
            make(&store, &change);
            let key = pods().key(change.namespace, &change.name);
            if let Some(old) = store.get(&key) {
                let mut value = old.value.clone();
                value["text"] = json!("x".repeat(*size));
                store.replace(&key, old.revision, value).unwrap();
            }
            let (counts, weight) = store.remembered();
            prop_assert!(counts.iter().all(|count| *count <= events.max(1)));
            // The last event of a collection is always kept, however heavy it is.
            prop_assert!(weight <= 30_000 || counts.iter().all(|count| *count <= 1), "{} in {:?}", weight, counts);
        }
        let mut watch = store.watch(&pods(), None, begin);
        let mut state = State::new();
        match watch.ready() {
            Err(old) => prop_assert!(old.oldest > begin),
            Ok(_) => {
                replay(&mut state, &mut store.watch(&pods(), None, begin));
                prop_assert_eq!(state, listed(&store, None));
            }
        }
    }
}

#[test]
fn an_object_may_be_so_large_and_all_of_them_so_heavy() {
    let limits = Limits { object: 10_000, objects: 40_000, ..Limits::default() };
    let store = Store::with_limits(limits);
    let text = |size: usize| json!({"metadata": {"name": "n"}, "text": "x".repeat(size)});
    let key = |n: usize| pods().key("a", &format!("p{n}"));
    assert!(matches!(store.create(&key(0), text(10_000)), Err(StoreError::TooLarge { limit: 10_000, .. })));
    let mut full = None;
    for n in 0..10 {
        if let Err(error) = store.create(&key(n), text(9_000)) {
            full = Some((n, error));
            break;
        }
    }
    let (n, error) = full.unwrap();
    assert_eq!((n, error), (4, StoreError::Full(key(4))));
    let old = store.get(&key(0)).unwrap();
    let same = store.replace(&key(0), old.revision, text(9_000)).unwrap();
    assert!(matches!(store.replace(&key(0), same.revision, text(9_900)), Err(StoreError::Full(_))));
    store.remove(&key(0), same.revision).unwrap();
    store.create(&key(4), text(9_000)).unwrap();
}

#[test]
fn a_batch_for_a_watcher_is_light() {
    let store = Store::new();
    let mut watch = store.watch(&pods(), None, store.revision());
    for n in 0..20 {
        let text = "x".repeat(500_000);
        let value = json!({"metadata": {"name": format!("p{n}"), "namespace": "a"}, "text": text});
        store.create(&pods().key("a", &format!("p{n}")), value).unwrap();
    }
    let mut batches = Vec::new();
    loop {
        match watch.ready().unwrap().len() {
            0 => break,
            count => batches.push(count),
        }
    }
    assert_eq!(batches.iter().sum::<usize>(), 20);
    assert!(batches.iter().all(|count| *count <= 3), "{batches:?}");
}
