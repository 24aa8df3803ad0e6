//! Path attributes (RFC 4271, section 4.3): from GoBGP's JSON to the bytes of an UPDATE, and to GoBGP's words for them.
//!
//! What lives here: the attributes that a speaker of Cilium's has. One that is not among them is left out.

use std::fmt::Write;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    /// As in an UPDATE: flags, type, length, value.
    pub(super) wire: Vec<u8>,
    /// As GoBGP prints it.
    pub(super) text: String,
    /// The next hop, if the attribute has one.
    pub(super) next_hop: Option<IpAddr>,
}

const TRANSITIVE: u8 = 0x40;
const OPTIONAL: u8 = 0x80;
const EXTENDED: u8 = 0x10;

/// Reads one attribute; none for a type that no speaker of Cilium's sends.
pub(super) fn attribute(json: &Value) -> Option<Attribute> {
    let kind = u8::try_from(json.get("type")?.as_u64()?).ok()?;
    let number =
        |name: &str| json.get(name).and_then(Value::as_u64).and_then(|value| u32::try_from(value).ok());
    let address = || json.get("nexthop")?.as_str()?.parse::<IpAddr>().ok();
    let mut next_hop = None;
    let (flags, value, text) = match kind {
        1 => {
            let origin = number("value")?;
            let word = ["i", "e"].get(origin as usize).unwrap_or(&"?");
            (TRANSITIVE, vec![u8::try_from(origin).ok()?], format!("{{Origin: {word}}}"))
        }
        2 => {
            let (wire, text) = as_path(json.get("as_paths")?.as_array()?)?;
            (TRANSITIVE, wire, format!("{{AsPath: {text}}}"))
        }
        3 => {
            next_hop = Some(address()?);
            (TRANSITIVE, octets(address()?), format!("{{Nexthop: {}}}", address()?))
        }
        4 => (OPTIONAL, number("metric")?.to_be_bytes().to_vec(), format!("{{Med: {}}}", number("metric")?)),
        5 => (
            TRANSITIVE,
            number("value")?.to_be_bytes().to_vec(),
            format!("{{LocalPref: {}}}", number("value")?),
        ),
        8 => {
            let all = numbers(json.get("communities")?)?;
            let words: Vec<String> = all.iter().map(|community| community_word(*community)).collect();
            let wire = all.iter().flat_map(|community| community.to_be_bytes()).collect();
            (OPTIONAL | TRANSITIVE, wire, format!("{{Communities: {}}}", words.join(", ")))
        }
        14 => {
            next_hop = Some(address()?);
            let (afi, safi) = (u16::try_from(number("afi")?).ok()?, u8::try_from(number("safi")?).ok()?);
            let prefixes: Option<Vec<IpNet>> = json
                .get("value")?
                .as_array()?
                .iter()
                .map(|one| one.get("prefix")?.as_str()?.parse().ok())
                .collect();
            let (prefixes, hop) = (prefixes?, octets(address()?));
            let mut wire =
                [afi.to_be_bytes().to_vec(), vec![safi, u8::try_from(hop.len()).ok()?], hop, vec![0]]
                    .concat();
            wire.extend(prefixes.iter().flat_map(nlri));
            let words: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
            let family = if afi == 2 { "ipv6" } else { "ipv4" };
            let text = format!(
                "{{MpReach({family}-unicast): {{Nexthop: {}, NLRIs: [{}]}}}}",
                address()?,
                words.join(" ")
            );
            (OPTIONAL, wire, text)
        }
        32 => {
            let part = |one: &Value, name: &str| u32::try_from(one.get(name)?.as_u64()?).ok();
            let parts =
                |one: &Value| Some([part(one, "ASN")?, part(one, "LocalData1")?, part(one, "LocalData2")?]);
            let all: Option<Vec<[u32; 3]>> = json.get("value")?.as_array()?.iter().map(parts).collect();
            let all = all?;
            let words: Vec<String> = all.iter().map(|[asn, one, two]| format!("{asn}:{one}:{two}")).collect();
            let wire = all.iter().flatten().flat_map(|part| part.to_be_bytes()).collect();
            (OPTIONAL | TRANSITIVE, wire, format!("{{LargeCommunity: [ {}]}}", words.join(", ")))
        }
        _ => return None,
    };
    Some(Attribute { wire: framed(flags, kind, &value), text, next_hop })
}

/// A prefix as NLRI: its length in bits, and as many bytes as that takes.
pub(super) fn nlri(prefix: &IpNet) -> Vec<u8> {
    let bytes = usize::from(prefix.prefix_len().div_ceil(8));
    let mut wire = vec![prefix.prefix_len()];
    wire.extend(octets(prefix.network()).into_iter().take(bytes));
    wire
}

fn framed(flags: u8, kind: u8, value: &[u8]) -> Vec<u8> {
    let mut wire = match u8::try_from(value.len()) {
        Ok(length) => vec![flags, kind, length],
        Err(_) => {
            // Nobody has attributes of 64 KiB: a message has 4 at most.
            let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
            vec![flags | EXTENDED, kind, high, low]
        }
    };
    wire.extend(value);
    wire
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn numbers(list: &Value) -> Option<Vec<u32>> {
    list.as_array()?.iter().map(|number| u32::try_from(number.as_u64()?).ok()).collect()
}

/// Segments, each of AS numbers of four bytes (RFC 6793).
fn as_path(segments: &[Value]) -> Option<(Vec<u8>, String)> {
    let (mut wire, mut words) = (Vec::new(), Vec::new());
    for segment in segments {
        let kind = u8::try_from(segment.get("segment_type")?.as_u64()?).ok()?;
        let all = numbers(segment.get("asns")?)?;
        wire.extend([kind, u8::try_from(all.len()).ok()?]);
        wire.extend(all.iter().flat_map(|asn| asn.to_be_bytes()));
        let mut text = String::new();
        for (place, asn) in all.iter().enumerate() {
            let between = if kind == 1 || kind == 4 { "," } else { " " };
            // Writing into a String cannot fail.
            let _ = write!(text, "{}{asn}", if place == 0 { "" } else { between });
        }
        // AS_SET, AS_SEQUENCE, AS_CONFED_SEQUENCE, AS_CONFED_SET.
        words.push(match kind {
            1 => format!("{{{text}}}"),
            3 => format!("({text})"),
            4 => format!("[{text}]"),
            _ => text,
        });
    }
    Some((wire, words.join(" ")))
}

/// Well-known communities by name (RFC 1997, 3765, 7999, 8326, 9494).
fn community_word(community: u32) -> String {
    match community {
        0xffff_0000 => "planned-shut".into(),
        0xffff_0001 => "accept-own".into(),
        0xffff_0006 => "llgr-stale".into(),
        0xffff_0007 => "no-llgr".into(),
        0xffff_029a => "blackhole".into(),
        0xffff_ff01 => "no-export".into(),
        0xffff_ff02 => "no-advertise".into(),
        0xffff_ff03 => "no-export-subconfed".into(),
        0xffff_ff04 => "no-peer".into(),
        other => format!("{}:{}", other >> 16, other & 0xffff),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::origin(json!({"type":1,"value":0}), "QAEBAA==", "{Origin: i}")]
    #[case::no_as_path(json!({"type":2,"as_paths":[]}), "QAIA", "{AsPath: }")]
    #[case::as_path(json!({"type":2,"as_paths":[{"segment_type":2,"num":2,"asns":[65000,65002]}]}),
        "QAIKAgIAAP3oAAD96g==", "{AsPath: 65000 65002}")]
    #[case::next_hop(json!({"type":3,"nexthop":"0.0.0.0"}), "QAMEAAAAAA==", "{Nexthop: 0.0.0.0}")]
    #[case::med(json!({"type":4,"metric":5}), "gAQEAAAABQ==", "{Med: 5}")]
    #[case::local_preference(json!({"type":5,"value":100}), "QAUEAAAAZA==", "{LocalPref: 100}")]
    #[case::communities(json!({"type":8,"communities":[4259840100_u64,4294967041_u64]}),
        "wAgI/egAZP///wE=", "{Communities: 65000:100, no-export}")]
    #[case::large(json!({"type":32,"value":[{"ASN":1,"LocalData1":2,"LocalData2":3}]}),
        "wCAMAAAAAQAAAAIAAAAD", "{LargeCommunity: [ 1:2:3]}")]
    #[case::reach(json!({"type":14,"nexthop":"::","afi":2,"safi":1,"value":[{"prefix":"fd00:9::/64"}]}),
        "gA4eAAIBEAAAAAAAAAAAAAAAAAAAAAAAQP0AAAkAAAAA", "{MpReach(ipv6-unicast): {Nexthop: ::, NLRIs: [fd00:9::/64]}}")]
    fn attributes_in_bytes_and_in_words(#[case] json: Value, #[case] wire: &str, #[case] text: &str) {
        let read = attribute(&json).unwrap();
        assert_eq!((BASE64.encode(&read.wire).as_str(), read.text.as_str()), (wire, text));
    }

    #[test]
    fn a_prefix_takes_as_many_bytes_as_it_is_long() {
        assert_eq!(BASE64.encode(nlri(&"10.1.1.0/24".parse().unwrap())), "GAoBAQ==");
        assert_eq!(nlri(&"0.0.0.0/0".parse().unwrap()), [0]);
    }

    proptest! {
        #[test]
        fn never_panics(kind in 0_u64..40, value: u64, text in ".{0,8}") {
            let _ = attribute(&json!({"type": kind, "value": value, "metric": value, "nexthop": text, "afi": value,
                "as_paths": [{"segment_type": value, "asns": [value]}], "communities": [value, text]}));
        }
    }
}
