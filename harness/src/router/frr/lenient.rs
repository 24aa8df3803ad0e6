//! Reading values that FRR writes in more than one way.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};

/// An object of JSON.
pub(super) type Object = Map<String, Value>;

/// An AS number: a number, a string of digits, or `high.low` (`bgp as-notation dot`, FRR 9.0). 0 is no AS.
pub(super) fn asn(value: Option<&Value>) -> Option<u32> {
    match value? {
        Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n != 0),
        Value::String(text) => asn_text(text),
        _ => None,
    }
}

/// The same from text.
pub(super) fn asn_text(text: &str) -> Option<u32> {
    let number = match text.split_once('.') {
        Some((high, low)) => {
            (u32::from(high.parse::<u16>().ok()?) << 16) | u32::from(low.parse::<u16>().ok()?)
        }
        None => text.parse().ok()?,
    };
    Some(number).filter(|n| *n != 0)
}

/// AS numbers of a path written as text; brackets of sets and confederations are dropped.
pub(super) fn as_path(text: &str) -> Vec<u32> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter_map(asn_text).collect()
}

/// A number that may be written as a string.
pub(super) fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The same, when it fits 32 bits.
pub(super) fn number32(value: Option<&Value>) -> Option<u32> {
    number(value).and_then(|n| u32::try_from(n).ok())
}

/// Milliseconds.
pub(super) fn milliseconds(value: Option<&Value>) -> Option<Duration> {
    number(value).map(Duration::from_millis)
}

/// Text that is there and not empty.
pub(super) fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// An owned copy of the same.
pub(super) fn string(object: &Object, key: &str) -> Option<String> {
    text(object, key).map(str::to_owned)
}

/// A flag: absent is false.
pub(super) fn flag(object: &Object, key: &str) -> bool {
    object.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// An address that means something: not `none`, `Unknown`, `(unspec)` nor all zeros.
pub(super) fn address(value: Option<&Value>) -> Option<IpAddr> {
    value?.as_str()?.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified())
}

/// An object in an object.
pub(super) fn object<'a>(object: &'a Object, key: &str) -> Option<&'a Object> {
    object.get(key)?.as_object()
}
