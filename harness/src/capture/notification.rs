//! What a NOTIFICATION says, in words: RFC 4271 section 4.5, RFC 4486, RFC 5492, RFC 6608, RFC 7313, RFC 8538, RFC 9003, RFC 9234, RFC 9384.

use std::fmt;

/// Why a session was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The error code.
    pub code: u8,
    /// The error subcode.
    pub subcode: u8,
    /// What an operator wrote (RFC 9003), or what a Hard Reset stands for (RFC 8538), where it is there.
    pub reason: Option<String>,
}

const CODES: [(u8, &str); 8] = [
    (1, "Message Header Error"),
    (2, "OPEN Message Error"),
    (3, "UPDATE Message Error"),
    (4, "Hold Timer Expired"),
    (5, "Finite State Machine Error"),
    (6, "Cease"),
    (7, "ROUTE-REFRESH Message Error"),
    (8, "Send Hold Timer Expired"),
];

const SUBCODES: [(u8, u8, &str); 36] = [
    (1, 1, "Connection Not Synchronized"),
    (1, 2, "Bad Message Length"),
    (1, 3, "Bad Message Type"),
    (2, 1, "Unsupported Version Number"),
    (2, 2, "Bad Peer AS"),
    (2, 3, "Bad BGP Identifier"),
    (2, 4, "Unsupported Optional Parameter"),
    (2, 5, "Authentication Failure"),
    (2, 6, "Unacceptable Hold Time"),
    (2, 7, "Unsupported Capability"),
    (2, 11, "Role Mismatch"),
    (3, 1, "Malformed Attribute List"),
    (3, 2, "Unrecognized Well-known Attribute"),
    (3, 3, "Missing Well-known Attribute"),
    (3, 4, "Attribute Flags Error"),
    (3, 5, "Attribute Length Error"),
    (3, 6, "Invalid ORIGIN Attribute"),
    (3, 7, "AS Routing Loop"),
    (3, 8, "Invalid NEXT_HOP Attribute"),
    (3, 9, "Optional Attribute Error"),
    (3, 10, "Invalid Network Field"),
    (3, 11, "Malformed AS_PATH"),
    (5, 1, "Unexpected Message in OpenSent"),
    (5, 2, "Unexpected Message in OpenConfirm"),
    (5, 3, "Unexpected Message in Established"),
    (6, 1, "Maximum Number of Prefixes Reached"),
    (6, 2, "Administrative Shutdown"),
    (6, 3, "Peer De-configured"),
    (6, 4, "Administrative Reset"),
    (6, 5, "Connection Rejected"),
    (6, 6, "Other Configuration Change"),
    (6, 7, "Connection Collision Resolution"),
    (6, 8, "Out of Resources"),
    (6, 9, "Hard Reset"),
    (6, 10, "BFD Down"),
    (7, 1, "Invalid Message Length"),
];

impl Notification {
    /// Reads the body: everything behind the header, as much of it as there is.
    pub(super) fn read(body: &[u8]) -> Self {
        let [code, subcode] = [0, 1].map(|at| body.get(at).copied().unwrap_or(0));
        // Administrative Shutdown and Reset may say why: a length, then UTF-8.
        let reason = (code == 6 && matches!(subcode, 2 | 4)).then(|| {
            let length = usize::from(*body.get(2)?);
            let text = std::str::from_utf8(body.get(3..3 + length)?).ok()?;
            (!text.is_empty()).then(|| format!("{text:?}"))
        });
        let reason = match body {
            [6, 9, rest @ ..] if rest.len() >= 2 => Some(Self::read(rest).to_string()),
            _ => reason.flatten(),
        };
        Self { code, subcode, reason }
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, subcode, reason } = self;
        match CODES.iter().find(|(known, _)| known == code) {
            Some((_, words)) => f.write_str(words)?,
            None => write!(f, "error {code}")?,
        }
        match SUBCODES.iter().find(|(known, under, _)| (known, under) == (code, subcode)) {
            Some((.., words)) => write!(f, "/{words}")?,
            None if *subcode != 0 => write!(f, "/subcode {subcode}")?,
            None => {}
        }
        match reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[2, 2, 0, 1], "OPEN Message Error/Bad Peer AS")]
    #[case(&[4, 0], "Hold Timer Expired")]
    #[case(&[6, 3], "Cease/Peer De-configured")]
    #[case(&[6, 2, 4, b'w', b'o', b'r', b'k'], "Cease/Administrative Shutdown (\"work\")")]
    #[case(&[6, 2, 200, b'w'], "Cease/Administrative Shutdown")]
    #[case(&[6, 9, 6, 4], "Cease/Hard Reset (Cease/Administrative Reset)")]
    #[case(&[6, 9], "Cease/Hard Reset")]
    #[case(&[6, 99], "Cease/subcode 99")]
    #[case(&[77, 1], "error 77/subcode 1")]
    #[case(&[], "error 0")]
    fn codes_in_words(#[case] body: &[u8], #[case] words: &str) {
        assert_eq!(Notification::read(body).to_string(), words);
    }
}
