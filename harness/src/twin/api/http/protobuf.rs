//! Bodies in Kubernetes' protobuf, which `kubectl create` and programs of client-go send for built-in types.
//!
//! What lives here: reading such a body as the JSON it stands for, by the table in `protobuf.txt` (field numbers and types, out of the
//! descriptors that kubectl carries). What does not: writing protobuf; a client that sends it accepts JSON.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Number, Value, json};

/// What such a body begins with.
const MAGIC: &[u8] = b"k8s\0";
/// How deep messages may nest; Kubernetes' own types need a dozen levels.
const DEPTH: usize = 32;

/// The type of a field.
#[derive(Debug, Clone, Copy)]
enum Shape {
    One(&'static str),
    List(&'static str),
    Map(&'static str),
}

/// A field: its number, its name in JSON, its type.
type Field = (u64, &'static str, Shape);

/// Messages by name. Kinds outside the core group have the first word of their group before them (`policy.Eviction`).
static MESSAGES: LazyLock<HashMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut messages: HashMap<&str, Vec<Field>> = HashMap::new();
    let mut current = "";
    for line in include_str!("protobuf.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        if !line.starts_with(' ') {
            current = words.next().unwrap_or_default();
        }
        messages.entry(current).or_default().extend(words.filter_map(field));
    }
    messages
});

fn field(word: &'static str) -> Option<Field> {
    let mut parts = word.splitn(3, ':');
    let (number, name, shape) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let shape = match shape.split_once(':') {
        Some(("list", of)) => Shape::List(of),
        Some(("map", of)) => Shape::Map(of),
        _ => Shape::One(shape),
    };
    Some((number, name, shape))
}

/// Fields that stand in JSON among those of the message around them.
const INLINE: [&str; 4] = ["handler", "volumeSource", "localObjectReference", "ephemeralContainerCommon"];

/// Fields whose zero says something: they are pointers in Go. A zero anywhere else is how an encoder of Go says nothing.
const SAID: [&str; 34] = [
    "activeDeadlineSeconds",
    "allocateLoadBalancerNodePorts",
    "allowPrivilegeEscalation",
    "automountServiceAccountToken",
    "blockOwnerDeletion",
    "controller",
    "defaultMode",
    "deletionGracePeriodSeconds",
    "enableServiceLinks",
    "expirationSeconds",
    "fsGroup",
    "gracePeriodSeconds",
    "hostUsers",
    "immutable",
    "leaseDurationSeconds",
    "leaseTransitions",
    "mode",
    "optional",
    "orphanDependents",
    "priority",
    "privileged",
    "readOnlyRootFilesystem",
    "ready",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "serving",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "started",
    "terminating",
    "terminationGracePeriodSeconds",
    "timeoutSeconds",
    "tolerationSeconds",
];

/// Reads a body; `None` when it is not protobuf of a type in the table.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let envelope = fields(bytes.strip_prefix(MAGIC)?)?;
    let part = |wanted: u64| envelope.iter().find(|(number, _)| *number == wanted).map(|(_, wire)| *wire);
    let Some(Wire::Bytes(meta)) = part(1) else { return None };
    let Some(Wire::Bytes(raw)) = part(2) else { return None };
    let mut names = [String::new(), String::new()];
    for (number, wire) in fields(meta)? {
        if let (at @ 1..=2, Wire::Bytes(text)) = (number, wire) {
            names[usize::from(at == 2)] = String::from_utf8(text.to_vec()).ok()?;
        }
    }
    let [api_version, kind] = names;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let message = format!("{}.{kind}", group.split('.').next().unwrap_or_default());
    let message = if MESSAGES.contains_key(message.as_str()) { message } else { kind.clone() };
    let mut object = Map::new();
    object.insert("kind".into(), json!(kind));
    object.insert("apiVersion".into(), json!(api_version));
    into(&mut object, &message, raw, 0)?;
    Some(Value::Object(object))
}

/// One value as it is on the wire.
#[derive(Debug, Clone, Copy)]
enum Wire<'a> {
    Number(u64),
    Double(u64),
    Bytes(&'a [u8]),
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Wire<'_>)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let wire = match tag & 7 {
            0 => Wire::Number(varint(&mut bytes)?),
            1 => {
                let (number, rest) = bytes.split_first_chunk::<8>()?;
                bytes = rest;
                Wire::Double(u64::from_le_bytes(*number))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Wire::Bytes(value)
            }
            5 => {
                bytes = bytes.get(4..)?;
                continue;
            }
            _ => return None,
        };
        found.push((tag >> 3, wire));
    }
    Some(found)
}

/// Puts a message's fields into a map. Fields that the table does not know are left out: they are newer than it.
fn into(object: &mut Map<String, Value>, message: &str, bytes: &[u8], depth: usize) -> Option<()> {
    if depth > DEPTH {
        return None;
    }
    let known = MESSAGES.get(message)?;
    for (number, wire) in fields(bytes)? {
        let Some((_, name, shape)) = known.iter().find(|(known, _, _)| *known == number) else { continue };
        match shape {
            Shape::One(of) if INLINE.contains(name) => {
                let Wire::Bytes(bytes) = wire else { return None };
                into(object, of, bytes, depth + 1)?;
            }
            Shape::One(of) => {
                let value = value(of, wire, depth)?;
                if !value.is_null() && (!nothing(&value) || SAID.contains(name)) {
                    object.insert((*name).to_owned(), value);
                }
            }
            Shape::List(of) => {
                let value = value(of, wire, depth)?;
                object.entry(*name).or_insert_with(|| json!([])).as_array_mut()?.push(value);
            }
            Shape::Map(of) => {
                let Wire::Bytes(entry) = wire else { return None };
                let (mut key, mut held) = (String::new(), empty(of));
                for (number, wire) in fields(entry)? {
                    match (number, wire) {
                        (1, Wire::Bytes(text)) => key = String::from_utf8(text.to_vec()).ok()?,
                        (2, wire) => held = value(of, wire, depth)?,
                        _ => {}
                    }
                }
                object.entry(*name).or_insert_with(|| json!({})).as_object_mut()?.insert(key, held);
            }
        }
    }
    Some(())
}

/// What an entry of a map holds that says nothing.
fn empty(of: &str) -> Value {
    match of {
        "string" | "bytes" => json!(""),
        _ => Value::Null,
    }
}

fn nothing(value: &Value) -> bool {
    *value == json!("") || *value == json!(0) || *value == json!(false)
}

fn value(of: &str, wire: Wire<'_>, depth: usize) -> Option<Value> {
    Some(match (of, wire) {
        ("bool", Wire::Number(number)) => json!(number != 0),
        // Negative numbers are written as 64 bits whatever their size.
        ("int", Wire::Number(number)) => json!(number.cast_signed()),
        ("double", Wire::Double(bits)) => {
            Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number)
        }
        ("string", Wire::Bytes(text)) => json!(std::str::from_utf8(text).ok()?),
        ("bytes", Wire::Bytes(bytes)) => json!(STANDARD.encode(bytes)),
        (special, Wire::Bytes(bytes)) => match special {
            "Time" | "MicroTime" => time(bytes, special == "MicroTime")?,
            "Quantity" => text(bytes, 1)?,
            "FieldsV1" => serde_json::from_slice(inner(bytes, 1)?).ok()?,
            "IntOrString" => int_or_string(bytes)?,
            "authentication.ExtraValue" => {
                let mut list = Map::new();
                into(&mut list, special, bytes, depth + 1)?;
                list.shift_remove("items").unwrap_or_else(|| json!([]))
            }
            message => {
                let mut object = Map::new();
                into(&mut object, message, bytes, depth + 1)?;
                Value::Object(object)
            }
        },
        _ => return None,
    })
}

fn inner(bytes: &[u8], wanted: u64) -> Option<&[u8]> {
    fields(bytes)?.into_iter().find_map(|(number, wire)| match wire {
        Wire::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn text(bytes: &[u8], wanted: u64) -> Option<Value> {
    let bytes = inner(bytes, wanted).unwrap_or_default();
    Some(json!(std::str::from_utf8(bytes).ok()?))
}

fn number(bytes: &[u8], wanted: u64) -> Option<i64> {
    let found = fields(bytes)?.into_iter().find_map(|(number, wire)| match wire {
        Wire::Number(value) if number == wanted => Some(value.cast_signed()),
        _ => None,
    });
    Some(found.unwrap_or(0))
}

/// A moment; nothing for the moment of Go that is none.
fn time(bytes: &[u8], micro: bool) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Null);
    }
    let nanos = u32::try_from(number(bytes, 2)?).ok()?;
    let moment = DateTime::from_timestamp(number(bytes, 1)?, nanos)?;
    let form = if micro { SecondsFormat::Micros } else { SecondsFormat::Secs };
    Some(json!(moment.to_rfc3339_opts(form, true)))
}

fn int_or_string(bytes: &[u8]) -> Option<Value> {
    match number(bytes, 1)? {
        0 => Some(json!(number(bytes, 2)?)),
        _ => text(bytes, 3),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tagged(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        out.extend(bytes);
        out
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let meta = [tagged(1, api_version.as_bytes()), tagged(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), tagged(1, &meta), tagged(2, raw)].concat()
    }

    #[test]
    fn a_service_of_kubectl_is_read() {
        // `kubectl create service clusterip s --tcp=80:8080`, 1.33: empty texts and a nodePort of 0 stand there too.
        let metadata = tagged(1, &[tagged(1, b"s"), tagged(2, b""), tagged(8, b"")].concat());
        let port = [
            tagged(1, b"80-8080"),
            tagged(2, b"TCP"),
            vec![3 << 3, 80],
            tagged(4, &[8, 0, 16, 0x90, 0x3f]),
            vec![5 << 3, 0],
        ]
        .concat();
        let entry = [tagged(1, b"app"), tagged(2, b"s")].concat();
        let spec = tagged(2, &[tagged(1, &port), tagged(2, &entry), tagged(3, b"")].concat());
        let read = read(&body("v1", "Service", &[metadata, spec].concat())).unwrap();
        let expected = json!({
            "kind": "Service", "apiVersion": "v1", "metadata": {"name": "s"},
            "spec": {
                "ports": [{"name": "80-8080", "protocol": "TCP", "port": 80, "targetPort": 8080}],
                "selector": {"app": "s"},
            },
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn a_grace_of_zero_is_said_and_a_secret_is_base64() {
        let eviction = tagged(2, &[1 << 3, 0]);
        let read_back = read(&body("policy/v1", "Eviction", &eviction)).unwrap();
        assert_eq!(read_back["deleteOptions"], json!({"gracePeriodSeconds": 0}));
        let entry = [tagged(1, b"a"), tagged(2, b"\xff\x00")].concat();
        assert_eq!(read(&body("v1", "Secret", &tagged(2, &entry))).unwrap()["data"], json!({"a": "/wA="}));
    }

    #[test]
    fn every_type_in_the_table_is_there() {
        let scalars = [
            "string",
            "bytes",
            "bool",
            "int",
            "double",
            "Time",
            "MicroTime",
            "Quantity",
            "IntOrString",
            "FieldsV1",
        ];
        for (message, fields) in MESSAGES.iter() {
            for (_, name, shape) in fields {
                let (Shape::One(of) | Shape::List(of) | Shape::Map(of)) = shape;
                assert!(scalars.contains(of) || MESSAGES.contains_key(of), "{message}.{name}: {of}");
            }
        }
        assert!(SAID.iter().all(|said| MESSAGES.values().flatten().any(|(_, name, _)| name == said)));
        assert!(INLINE.iter().all(|inline| MESSAGES.values().flatten().any(|(_, name, _)| name == inline)));
    }

    #[test]
    fn what_is_not_in_the_table_is_not_read() {
        assert_eq!(read(b"k8s\0"), None);
        assert_eq!(read(&body("apps/v1", "Deployment", b"")), None);
        assert_eq!(read(&body("v1", "Pod", &[10, 200])), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(raw in prop::collection::vec(any::<u8>(), 0..120), kind in "Pod|Service|Secret|Node") {
            let _ = read(&body("v1", &kind, &raw));
            let _ = read(&[MAGIC.to_vec(), raw].concat());
        }
    }
}
