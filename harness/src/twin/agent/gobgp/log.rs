//! gobgpd's log, one JSON object per line: the events a speaker is watched by.

use std::net::IpAddr;

use serde::Deserialize;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `info`, `warning`, `error`, `fatal`, ...
    pub level: String,
    /// The message with its reason or error, for people.
    pub text: String,
    /// What it means for us.
    pub said: Said,
}

/// What a line of the log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A neighbor is configured; its first connect timer runs.
    Added(IpAddr),
    /// A neighbor is no longer configured; its session, if any, is being ended.
    Deleted(IpAddr),
    /// A session is Established.
    Up(IpAddr),
    /// A session went down, and why.
    Down(IpAddr, String),
    /// A configuration whose policies differ has been taken in.
    Refiltered,
    /// gobgpd cannot go on.
    Fatal,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
    #[serde(default, rename = "Key")]
    key: serde_json::Value,
    #[serde(default, rename = "Reason")]
    reason: serde_json::Value,
    #[serde(default, rename = "Error", alias = "Err")]
    error: serde_json::Value,
}

/// Reads a line. A line that is not JSON (a panic of Go, a message of the loader) is kept as it is.
pub fn log_line(line: &str) -> LogLine {
    let Ok(raw) = serde_json::from_str::<Raw>(line) else {
        return LogLine { level: "error".to_owned(), text: line.to_owned(), said: Said::Other };
    };
    let key = raw.key.as_str().and_then(|key| key.parse::<IpAddr>().ok());
    let word = |value: &serde_json::Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let reason = word(&raw.reason).or_else(|| word(&raw.error));
    let said = match (raw.msg.as_str(), key) {
        ("Add a peer configuration", Some(peer)) => Said::Added(peer),
        ("Delete a peer configuration", Some(peer)) => Said::Deleted(peer),
        ("Peer Up", Some(peer)) => Said::Up(peer),
        ("Peer Down", Some(peer)) => Said::Down(peer, reason.clone().unwrap_or_default()),
        // The last thing a reload does, for all neighbors at once, when policies changed.
        ("Neighbor soft reset in", None) => Said::Refiltered,
        _ if raw.level == "fatal" || raw.level == "panic" => Said::Fatal,
        _ => Said::Other,
    };
    let peer = key.map(|peer| format!(" {peer}")).unwrap_or_default();
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    LogLine { level: raw.level, text: format!("{}{peer}{why}", raw.msg), said }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECORDED: &str = include_str!("../../../../../fixtures/recorded/gobgp-3.10/gobgpd.log");

    #[test]
    fn the_recorded_log_tells_its_story() {
        let peer = |last: u8| IpAddr::from([10, 9, 0, last]);
        let said: Vec<Said> =
            RECORDED.lines().map(|line| log_line(line).said).filter(|said| *said != Said::Other).collect();
        let dying = || Said::Down(peer(2), "dying".to_owned());
        let first = [Said::Added(peer(2)), Said::Up(peer(2)), Said::Added(peer(3)), Said::Deleted(peer(2))];
        assert_eq!(said[..4], first);
        assert_eq!(said[4..6], [Said::Deleted(peer(3)), dying()]);
        assert_eq!(said.last(), Some(&Said::Fatal));
        assert_eq!(said.iter().filter(|said| **said == dying()).count(), 3);
    }

    #[test]
    fn last_words_carry_their_reason() {
        let last = log_line(RECORDED.lines().last().unwrap());
        assert!(last.text.contains("failed to listen grpc port: listen unix"), "{}", last.text);
        let panic = log_line("panic: runtime error: index out of range");
        assert_eq!((panic.level.as_str(), panic.said), ("error", Said::Other));
    }

    proptest! {
        #[test]
        fn never_panics(line in ".{0,80}") {
            let _ = log_line(&line);
        }
    }
}
