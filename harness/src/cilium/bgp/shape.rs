//! Pieces of schemas that several resources share.
//!
//! What lives here: ranges of numbers, and the pattern of an address. What does not: which field has which.

use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator, json_schema};

/// A number from 0 to 255, as IPv4 addresses have four of.
const OCTET: &str = r"([0-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])";
/// An IPv4 address inside an IPv6 address (RFC 4291 section 2.2).
const EMBEDDED: &str = r"((25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3})";
/// A group of an IPv6 address.
const GROUP: &str = "[0-9A-Fa-f]{1,4}";

/// An IPv4 address, or an IPv6 address in any of its forms, with a zone or without.
static IP: LazyLock<String> = LazyLock::new(|| {
    let rest = |before: usize| match before {
        7 => format!("({GROUP}|:)"),
        6 => format!("(:{GROUP}|{EMBEDDED}|:)"),
        5 => format!("(((:{GROUP}){{1,2}})|:{EMBEDDED}|:)"),
        4 => format!("(((:{GROUP}){{1,3}})|((:{GROUP})?:{EMBEDDED})|:)"),
        _ => {
            let (most, embedded) = (7 - before, 5 - before);
            format!("(((:{GROUP}){{1,{most}}})|((:{GROUP}){{0,{embedded}}}:{EMBEDDED})|:)")
        }
    };
    // By how many groups stand before the first gap.
    let forms: Vec<String> =
        (1..=7).rev().map(|before| format!("(({GROUP}:){{{before}}}{})", rest(before))).collect();
    let v6 = format!("{}|(:{})", forms.join("|"), rest(0));
    format!(r"((^\s*(({OCTET}\.){{3}}{OCTET})\s*$)|(^\s*({v6})(%.+)?\s*$))")
});

pub(super) fn ip(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": *IP })
}

pub(super) fn ipv4(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "ipv4" })
}

/// A name of an instance or a peer.
pub(super) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": 255 })
}

pub(super) fn local_asn(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": 4_294_967_295_u32 })
}

pub(super) fn peer_asn(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": 4_294_967_295_u32 })
}

pub(super) fn peer_asn_or_any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer", "format": "int64", "minimum": 0, "maximum": 4_294_967_295_u32, "default": 0,
    })
}

pub(super) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 65535 })
}

#[cfg(test)]
mod tests {
    use regex::Regex;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.0.1", true)]
    #[case("fd00::1", true)]
    #[case("::", true)]
    #[case("::ffff:10.0.0.1", true)]
    #[case("1:2:3:4:5:6:7:8", true)]
    #[case("fe80::1%eth0", true)]
    #[case("10.0.0.1/32", false)]
    #[case("10.0.0.256", false)]
    #[case("1::2::3", false)]
    #[case("tor0", false)]
    fn addresses(#[case] text: &str, #[case] is: bool) {
        assert_eq!(Regex::new(&IP).unwrap().is_match(text), is);
    }
}
