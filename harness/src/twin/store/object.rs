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
    /// About how many bytes of memory the value takes.
    pub(super) weight: usize,
    bytes: OnceLock<Bytes>,
    /// The rendering in a version that is not the one it is kept in: `v2alpha1` of something kept as `v2`.
    other: OnceLock<(String, Bytes)>,
}

impl Object {
    /// Wraps a value and writes its revision into `metadata.resourceVersion`.
    pub(super) fn new(mut value: Value, revision: u64) -> Arc<Self> {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), Value::String(revision.to_string()));
        }
        let weight = weight(&value);
        Arc::new(Self { value, revision, weight, bytes: OnceLock::new(), other: OnceLock::new() })
    }

    /// The same place and revision with another value: what a write would make of it, were it done.
    pub(crate) fn with(&self, value: Value) -> Arc<Self> {
        Self::new(value, self.revision)
    }

    /// The object as JSON. Made on first use and kept, so that a hundred watchers cost one rendering.
    pub fn bytes(&self) -> Bytes {
        self.bytes.get_or_init(|| Bytes::from(self.value.to_string())).clone()
    }

    /// The object as JSON in a version of its resource: versions differ in name only. Like [`Object::bytes`], rendered once
    /// for all who watch; only a third version would be rendered anew each time.
    pub fn bytes_in(&self, api_version: &str) -> Bytes {
        if self.value["apiVersion"] == api_version {
            return self.bytes();
        }
        let render = || {
            let mut value = self.value.clone();
            value["apiVersion"] = Value::String(api_version.to_owned());
            Bytes::from(value.to_string())
        };
        let (version, bytes) = self.other.get_or_init(|| (api_version.to_owned(), render()));
        if version == api_version { bytes.clone() } else { render() }
    }

    /// A string under `metadata`; empty when it is not there.
    pub fn meta(&self, field: &str) -> &str {
        self.value["metadata"][field].as_str().unwrap_or_default()
    }
}

/// What one field of a map costs beside its key's text and its value: the key, its hash, its place in the index.
const ENTRY: usize = 64;

/// About how many bytes of memory a value takes. Most of it is not text: a list of a million zeros is two megabytes as
/// JSON, and sixty as values.
pub(crate) fn weight(value: &Value) -> usize {
    let below = match value {
        Value::String(text) => text.capacity(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.capacity() + ENTRY + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    size_of::<Value>() + below
}

/// How many bytes the value is as JSON.
pub(super) fn rendered(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither a value nor a counter can refuse.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rendering_is_made_once_in_each_version() {
        let object = Object::new(json!({"apiVersion": "a/v2", "kind": "K", "metadata": {"name": "n"}}), 7);
        let one = object.bytes_in("a/v1");
        assert!(one.starts_with(b"{\"apiVersion\":\"a/v1\","));
        assert_eq!(one.as_ptr(), object.bytes_in("a/v1").as_ptr(), "the same bytes, not equal ones");
        assert_eq!(object.bytes_in("a/v2").as_ptr(), object.bytes().as_ptr());
        assert!(object.bytes_in("a/v3").starts_with(b"{\"apiVersion\":\"a/v3\","));
    }

    #[test]
    fn what_a_value_weighs() {
        let zeros = Value::from(vec![0; 1000]);
        assert_eq!((rendered(&zeros), weight(&zeros)), (2001, 1001 * size_of::<Value>()));
        assert!(weight(&json!({"key": "x".repeat(100)})) > 100);
    }
}
