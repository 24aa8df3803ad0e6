//! BIRD's words for why a session was lost, and the error codes behind them.

use crate::router::session::Reset;

/// What BIRD calls an error, its code and subcode (RFC 4271, section 6; RFC 4486; RFC 6608), and the registry's name of
/// both. BIRD prints the words alone.
const WORDS: [(&str, (u8, u8), &str); 37] = [
    ("Invalid message header", (1, 0), "Message Header Error"),
    ("Connection not synchronized", (1, 1), "Message Header Error/Connection Not Synchronized"),
    ("Bad message length", (1, 2), "Message Header Error/Bad Message Length"),
    ("Bad message type", (1, 3), "Message Header Error/Bad Message Type"),
    ("Invalid OPEN message", (2, 0), "OPEN Message Error"),
    ("Unsupported version number", (2, 1), "OPEN Message Error/Unsupported Version Number"),
    ("Bad peer AS", (2, 2), "OPEN Message Error/Bad Peer AS"),
    ("Bad BGP identifier", (2, 3), "OPEN Message Error/Bad BGP Identifier"),
    ("Unsupported optional parameter", (2, 4), "OPEN Message Error/Unsupported Optional Parameter"),
    ("Authentication failure", (2, 5), "OPEN Message Error/Authentication Failure"),
    ("Unacceptable hold time", (2, 6), "OPEN Message Error/Unacceptable Hold Time"),
    ("Required capability missing", (2, 7), "OPEN Message Error/Unsupported Capability"),
    ("No supported AFI/SAFI", (2, 8), "OPEN Message Error/No Supported AFI or SAFI"),
    ("Role mismatch", (2, 11), "OPEN Message Error/Role Mismatch"),
    ("Invalid UPDATE message", (3, 0), "UPDATE Message Error"),
    ("Malformed attribute list", (3, 1), "UPDATE Message Error/Malformed Attribute List"),
    ("Unrecognized well-known attribute", (3, 2), "UPDATE Message Error/Unrecognized Well-known Attribute"),
    ("Missing mandatory attribute", (3, 3), "UPDATE Message Error/Missing Well-known Attribute"),
    ("Invalid attribute flags", (3, 4), "UPDATE Message Error/Attribute Flags Error"),
    ("Invalid attribute length", (3, 5), "UPDATE Message Error/Attribute Length Error"),
    ("Invalid ORIGIN attribute", (3, 6), "UPDATE Message Error/Invalid ORIGIN Attribute"),
    ("Invalid NEXT_HOP attribute", (3, 8), "UPDATE Message Error/Invalid NEXT_HOP Attribute"),
    ("Optional attribute error", (3, 9), "UPDATE Message Error/Optional Attribute Error"),
    ("Invalid network field", (3, 10), "UPDATE Message Error/Invalid Network Field"),
    ("Malformed AS_PATH", (3, 11), "UPDATE Message Error/Malformed AS_PATH"),
    ("Hold timer expired", (4, 0), "Hold Timer Expired"),
    ("Finite state machine error", (5, 0), "Finite State Machine Error"),
    ("Cease", (6, 0), "Cease"),
    ("Maximum number of prefixes reached", (6, 1), "Cease/Maximum Number of Prefixes Reached"),
    ("Administrative shutdown", (6, 2), "Cease/Administrative Shutdown"),
    ("Peer de-configured", (6, 3), "Cease/Peer De-configured"),
    ("Administrative reset", (6, 4), "Cease/Administrative Reset"),
    ("Connection rejected", (6, 5), "Cease/Connection Rejected"),
    ("Other configuration change", (6, 6), "Cease/Other Configuration Change"),
    ("Connection collision resolution", (6, 7), "Cease/Connection Collision Resolution"),
    ("Out of Resources", (6, 8), "Cease/Out of Resources"),
    ("Hard reset", (6, 9), "Cease/Hard Reset"),
];

/// What is before the words where a NOTIFICATION was received, or sent.
const NOTIFIED: [&str; 2] = ["Received", "BGP Error"];

/// Reads `Last error`: `Received: Peer de-configured`, `Socket: Connection reset by peer`.
pub(super) fn reset(said: &str) -> Reset {
    let words = said.split_once(": ").filter(|(class, _)| NOTIFIED.contains(class));
    let known = words.and_then(|(_, words)| {
        WORDS
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(words))
            .map(|(_, code, name)| (*code, *name))
    });
    // A code that BIRD has no word for: `Unknown error 6.10`.
    let unknown = || {
        let (code, subcode) = words?.1.strip_prefix("Unknown error ")?.split_once('.')?;
        Some((code.parse().ok()?, subcode.parse().ok()?))
    };
    Reset {
        reason: said.to_owned(),
        notification: known.map(|(_, name)| name.to_owned()),
        code: known.map(|(code, _)| code).or_else(unknown),
        ago: None,
    }
}
