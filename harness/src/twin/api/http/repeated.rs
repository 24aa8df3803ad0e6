//! Reading JSON and YAML with an eye on keys that are there twice.
//!
//! What lives here: a value, and the paths of such keys; the last of them counts, as with a Kubernetes server. What does not: who is told
//! (`rules::conform`).

use std::cell::RefCell;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// After so many the others are not noted: an answer is for reading.
const MANY: usize = 64;

/// A value, and what was said twice in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::twin::api) struct Noted {
    /// The value.
    pub value: Value,
    /// The paths of the keys that were there twice (`spec.virtualRouters[0].localASN`).
    pub repeated: Vec<String>,
}

impl From<Value> for Noted {
    fn from(value: Value) -> Self {
        Self { value, repeated: Vec::new() }
    }
}

impl<'de> Deserialize<'de> for Noted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let notes = RefCell::default();
        let value = Look(&notes).deserialize(deserializer)?;
        Ok(Self { value, repeated: notes.into_inner().repeated })
    }
}

#[derive(Debug, Default)]
struct Notes {
    /// Where the reader is.
    path: String,
    repeated: Vec<String>,
}

#[derive(Clone, Copy)]
struct Look<'a>(&'a RefCell<Notes>);

impl Look<'_> {
    /// Goes one step down the path and tells how to come back.
    fn enter(&self, step: fmt::Arguments<'_>) -> usize {
        let path = &mut self.0.borrow_mut().path;
        let before = path.len();
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(path, step);
        before
    }

    fn leave(&self, before: usize) {
        self.0.borrow_mut().path.truncate(before);
    }

    fn note(&self) {
        let mut notes = self.0.borrow_mut();
        let path = notes.path.trim_start_matches('.').to_owned();
        if notes.repeated.len() < MANY && !notes.repeated.contains(&path) {
            notes.repeated.push(path);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let before = self.enter(format_args!("[{}]", list.len()));
            let item = items.next_element_seed(self);
            self.leave(before);
            match item? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let before = self.enter(format_args!(".{key}"));
            let value = entries.next_value_seed(self);
            if map.contains_key(&key) {
                self.note();
            }
            self.leave(before);
            map.insert(key, value?);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_noted_and_the_last_counts() {
        let text = r#"{"a": 1, "s": {"a": 1, "a": 2, "l": [{}, {"b": {"c": 1, "c": 2, "c": 3}}]}, "a": 3}"#;
        let read: Noted = serde_json::from_str(text).unwrap();
        assert_eq!(read.value, json!({"a": 3, "s": {"a": 2, "l": [{}, {"b": {"c": 3}}]}}));
        assert_eq!(read.repeated, ["s.a", "s.l[1].b.c", "a"]);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f32>().prop_map(|f| Value::from(f64::from(f))),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_says_nothing_twice_is_read_as_ever(value in value()) {
            let text = value.to_string();
            let plain: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<Noted>(&text).unwrap(), Noted::from(plain));
        }
    }
}
