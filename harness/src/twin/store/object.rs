//! One kept object, its place, and the bytes it is sent as.
//!
//! What lives here: the key of an object and its immutable, shared form. What does not: the shelves (`keep`).

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;

/// A kind of thing that is kept together: an API group and a plural (`""`, `pods`). Versions share a collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Collection {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Plural, lower-case name of the resource.
    pub plural: Arc<str>,
}

impl Collection {
    /// A collection by group and plural.
    pub fn new(group: &str, plural: &str) -> Self {
        Self { group: group.into(), plural: plural.into() }
    }

    /// The key of one object in it; an empty namespace means cluster-scoped.
    pub fn key(&self, namespace: &str, name: &str) -> Key {
        Key { collection: self.clone(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.plural)
        } else {
            write!(f, "{}.{}", self.plural, self.group)
        }
    }
}

/// Where one object is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Group and plural.
    pub collection: Collection,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name, unique in its namespace.
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} \"{}\"", self.collection, self.name)
        } else {
            write!(f, "{} \"{}/{}\"", self.collection, self.namespace, self.name)
        }
    }
}

/// One state of one object: never changed, shared by every reader, turned into bytes at most once.
#[derive(Debug)]
pub struct Object {
    /// The object as it is served, `metadata.resourceVersion` included.
    pub value: Value,
    /// The revision at which it became so: the number in `metadata.resourceVersion`.
    pub revision: u64,
    bytes: OnceLock<Bytes>,
}

impl Object {
    /// Wraps a value and writes its revision into `metadata.resourceVersion`.
    pub(super) fn new(mut value: Value, revision: u64) -> Arc<Self> {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), Value::String(revision.to_string()));
        }
        Arc::new(Self { value, revision, bytes: OnceLock::new() })
    }

    /// The same place and revision with another value: what a write would make of it, were it done.
    pub(crate) fn with(&self, value: Value) -> Arc<Self> {
        Self::new(value, self.revision)
    }

    /// The object as JSON. Made on first use and kept, so that a hundred watchers cost one rendering.
    pub fn bytes(&self) -> Bytes {
        self.bytes.get_or_init(|| Bytes::from(self.value.to_string())).clone()
    }

    /// A string under `metadata`; empty when it is not there.
    pub fn meta(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }
}
