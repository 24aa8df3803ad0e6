//! gobgpd's log, one JSON object per line: the events a speaker is watched by.
//!
//! GoBGP 3 and 4 say the same of these events. The fourth writes levels in capitals, and `WARN`; it has no `fatal`, so
//! that the one thing it cannot live with (nobody can ask it anything) is known by its words.

use std::net::IpAddr;

use serde::Deserialize;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `info`, `warning`, `error`, `fatal`, ...: GoBGP 3's words.
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
    let level = match raw.level.to_ascii_lowercase() {
        short if short == "warn" => "warning".to_owned(),
        level => level,
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
        ("failed to listen grpc port", _) => Said::Fatal,
        _ if level == "fatal" || level == "panic" => Said::Fatal,
        _ => Said::Other,
    };
    let peer = key.map(|peer| format!(" {peer}")).unwrap_or_default();
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    LogLine { level, text: format!("{}{peer}{why}", raw.msg), said }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const V3_10: &str = include_str!("../../../../../fixtures/recorded/gobgp-3.10/gobgpd.log");
    const V3_36: &str = include_str!("../../../../../fixtures/recorded/gobgp-3.36/gobgpd.log");
    const V4_8: &str = include_str!("../../../../../fixtures/recorded/gobgp-4.8/gobgpd.log");

    fn story(log: &str) -> Vec<Said> {
        log.lines().map(|line| log_line(line).said).filter(|said| *said != Said::Other).collect()
    }

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([10, 9, 0, last])
    }

    #[rstest]
    #[case(V3_10, "dying", 3)]
    #[case(V3_36, "dying", 2)]
    #[case(V4_8, "unknown", 2)]
    fn the_recorded_log_tells_its_story(#[case] log: &str, #[case] why: &str, #[case] times: usize) {
        let said = story(log);
        let first = [Said::Added(peer(2)), Said::Up(peer(2)), Said::Added(peer(3)), Said::Deleted(peer(2))];
        assert_eq!(said[..4], first);
        let down = Said::Down(peer(2), why.to_owned());
        let (gone, rest) = (Said::Deleted(peer(3)), &said[4..6]);
        assert!(rest.contains(&gone) && rest.contains(&down), "{rest:?}");
        assert_eq!(said.iter().filter(|said| **said == down).count(), times);
        assert!(said.contains(&Said::Fatal), "the stale socket");
    }

    #[rstest]
    #[case(V3_10, "fatal")]
    #[case(V3_36, "fatal")]
    #[case(V4_8, "error")]
    fn last_words_carry_their_reason(#[case] log: &str, #[case] level: &str) {
        let last = log.lines().map(log_line).find(|line| line.said == Said::Fatal).unwrap();
        assert!(last.text.contains("failed to listen grpc port: listen unix"), "{}", last.text);
        assert_eq!(last.level, level);
        let panic = log_line("panic: runtime error: index out of range");
        assert_eq!((panic.level.as_str(), panic.said), ("error", Said::Other));
    }

    #[test]
    fn a_warning_is_a_warning_to_both() {
        for log in [V3_36, V4_8] {
            assert_eq!(log.lines().map(log_line).filter(|line| line.level == "warning").count(), 1);
        }
    }

    proptest! {
        #[test]
        fn never_panics(line in ".{0,80}") {
            let _ = log_line(&line);
        }
    }
}
