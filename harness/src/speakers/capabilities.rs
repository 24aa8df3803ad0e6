//! Capabilities of an OPEN (RFC 5492): from GoBGP's messages, which its JSON holds as protobuf, to the bytes on the wire.
//!
//! What lives here: the little of protobuf that they use, and each capability's layout. What does not: what an OPEN says
//! as a whole (`peer`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// One field of a protobuf message.
#[derive(Debug, PartialEq, Eq)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The bytes of a capability as an OPEN has them: code, length, value. None for one that cannot be written.
pub(super) fn wire(kind: &str, value: &str) -> Option<Vec<u8>> {
    let name = kind.rsplit('.').next()?.strip_suffix("Capability")?;
    let message = BASE64.decode(value).ok()?;
    let fields = fields(&message)?;
    let number = |id| number(&fields, id);
    let (code, value): (u8, Vec<u8>) = match name {
        // RFC 2858 and 4760.
        "MultiProtocol" => (1, family(bytes(&fields, 1), &[0])?),
        "RouteRefresh" => (2, Vec::new()),
        // RFC 8950: the SAFI has two bytes here.
        "ExtendedNexthop" => (
            5,
            each(&fields, |tuple| {
                let (afi, safi) = afi_safi(bytes(tuple, 1))?;
                let (next_hop, _) = afi_safi(bytes(tuple, 2))?;
                Some([afi.to_be_bytes(), u16::from(safi).to_be_bytes(), next_hop.to_be_bytes()].concat())
            })?,
        ),
        // RFC 4724: four bits of flags, twelve of time.
        "GracefulRestart" => {
            let head = (u16::try_from(number(1)).ok()? << 12) | (u16::try_from(number(2)).ok()? & 0xfff);
            let tuples = each_at(&fields, 3, |tuple| {
                let mut bytes = family(bytes(tuple, 1), &[])?;
                bytes.push(u8::try_from(number_of(tuple, 2)).ok()?);
                Some(bytes)
            })?;
            (64, [head.to_be_bytes().to_vec(), tuples].concat())
        }
        "FourOctetASN" => (65, u32::try_from(number(1)).ok()?.to_be_bytes().to_vec()),
        // RFC 7911.
        "AddPath" => (
            69,
            each(&fields, |tuple| {
                let mut bytes = family(bytes(tuple, 1), &[])?;
                bytes.push(u8::try_from(number_of(tuple, 2)).ok()?);
                Some(bytes)
            })?,
        ),
        "EnhancedRouteRefresh" => (70, Vec::new()),
        // RFC 9494: three bytes of time.
        "LongLivedGracefulRestart" => (
            71,
            each(&fields, |tuple| {
                let mut bytes = family(bytes(tuple, 1), &[])?;
                bytes.push(u8::try_from(number_of(tuple, 2)).ok()?);
                bytes.extend(&u32::try_from(number_of(tuple, 3)).ok()?.to_be_bytes()[1..]);
                Some(bytes)
            })?,
        ),
        // draft-walton-bgp-hostname-capability: two strings, each behind its length.
        "Fqdn" => (73, [counted(bytes(&fields, 1))?, counted(bytes(&fields, 2))?].concat()),
        "SoftwareVersion" => (75, counted(bytes(&fields, 1))?),
        "RouteRefreshCisco" => (128, Vec::new()),
        "Unknown" => (u8::try_from(number(1)).ok()?, bytes(&fields, 2).to_vec()),
        _ => return None,
    };
    Some([vec![code, u8::try_from(value.len()).ok()?], value].concat())
}

fn each(fields: &[(u64, Field<'_>)], of: impl Fn(&[(u64, Field<'_>)]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    each_at(fields, 1, of)
}

/// What a repeated field's messages come to, one behind the other.
fn each_at(
    all: &[(u64, Field<'_>)],
    id: u64,
    of: impl Fn(&[(u64, Field<'_>)]) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let messages = all.iter().filter_map(|(number, field)| match field {
        Field::Bytes(bytes) if *number == id => Some(*bytes),
        _ => None,
    });
    let each: Option<Vec<Vec<u8>>> = messages.map(|message| of(&fields(message)?)).collect();
    Some(each?.concat())
}

fn afi_safi(message: &[u8]) -> Option<(u16, u8)> {
    let fields = fields(message)?;
    Some((u16::try_from(number(&fields, 1)).ok()?, u8::try_from(number(&fields, 2)).ok()?))
}

/// AFI and SAFI with what stands between the two.
fn family(message: &[u8], between: &[u8]) -> Option<Vec<u8>> {
    let (afi, safi) = afi_safi(message)?;
    Some([&afi.to_be_bytes(), between, &[safi]].concat())
}

fn counted(text: &[u8]) -> Option<Vec<u8>> {
    Some([&[u8::try_from(text.len()).ok()?], text].concat())
}

fn number(fields: &[(u64, Field<'_>)], id: u64) -> u64 {
    number_of(fields, id)
}

/// A number, 0 when it is not there: protobuf leaves zeros out.
fn number_of(fields: &[(u64, Field<'_>)], id: u64) -> u64 {
    let found = fields.iter().find(|(number, _)| *number == id);
    found.map_or(0, |(_, field)| if let Field::Number(value) = field { *value } else { 0 })
}

fn bytes<'a>(fields: &[(u64, Field<'a>)], id: u64) -> &'a [u8] {
    let found = fields.iter().find(|(number, _)| *number == id);
    found.map_or(&[], |(_, field)| if let Field::Bytes(value) = field { value } else { &[] })
}

/// Takes a message apart: numbers (wire type 0) and strings of bytes (wire type 2); the others are not used here.
fn fields(mut message: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (value, rest) = message.split_at_checked(length)?;
                message = rest;
                Field::Bytes(value)
            }
            _ => return None,
        };
        fields.push((tag >> 3, field));
    }
    Some(fields)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Left: what GoBGP's JSON has; right: what Cilium's API has for the same OPEN of FRR's or GoBGP's.
    #[rstest]
    #[case("RouteRefresh", "", "AgA=")]
    #[case("EnhancedRouteRefresh", "", "RgA=")]
    #[case("RouteRefreshCisco", "", "gAA=")]
    #[case("Unknown", "CAY=", "BgA=")]
    #[case("Fqdn", "CgR0b3Iw", "SQYEdG9yMAA=")]
    #[case("MultiProtocol", "CgQIARAB", "AQQAAQAB")]
    #[case("FourOctetASN", "CPL7Aw==", "QQQAAP3y")]
    #[case("AddPath", "CggKBAgBEAEQAQ==", "RQQAAQEB")]
    #[case("LongLivedGracefulRestart", "CgkKBAgBEAEQgAE=", "RwcAAQGAAAAA")]
    #[case("ExtendedNexthop", "CgwKBAgBEAESBAgCEAE=", "BQYAAQABAAI=")]
    #[case("GracefulRestart", "CAQQeA==", "QAJAeA==")]
    fn capabilities_are_those_of_the_wire(#[case] name: &str, #[case] value: &str, #[case] wanted: &str) {
        let kind = format!("type.googleapis.com/apipb.{name}Capability");
        assert_eq!(BASE64.encode(wire(&kind, value).unwrap()), wanted);
    }

    #[test]
    fn what_nobody_knows_is_left_out() {
        assert_eq!(wire("type.googleapis.com/apipb.NewCapability", ""), None);
        assert_eq!(wire("", ""), None);
    }

    proptest! {
        #[test]
        fn never_panics(name in "(MultiProtocol|Fqdn|AddPath|GracefulRestart|Unknown|ExtendedNexthop)", value: Vec<u8>) {
            let _ = wire(&format!("x.{name}Capability"), &BASE64.encode(value));
        }
    }
}
