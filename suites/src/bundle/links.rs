//! The captures of links as files.

use chrono::Utc;
use fabric_harness::capture::{LinkCapture, write};

use super::part::{Content, Piece};

const ABOUT: &str = "the last packets of BGP, ICMP and ARP that passed this link";

/// A file for each link that was listened to, and a line for each that was not.
pub(super) fn pieces(captures: &[LinkCapture]) -> Vec<Piece> {
    captures.iter().map(piece).collect()
}

fn piece(capture: &LinkCapture) -> Piece {
    let [a, b] = capture.point.ends.each_ref().map(|end| end.replace([':', '/'], "_"));
    let path = format!("captures/{a}--{b}.pcapng");
    let from = match &capture.point.at {
        Some((node, interface)) => format!("a packet socket in {node}, {interface}, both directions"),
        None => "a packet socket".to_owned(),
    };
    // A link that fell silent halfway has still something to show.
    if let (Some(why), 0) = (&capture.silent, capture.seen) {
        return Piece::missing(path, ABOUT, from, why.as_str());
    }
    let mut about = format!("{ABOUT}: {} of {}", capture.packets.len(), capture.seen);
    if capture.dropped > 0 {
        about.push_str(&format!(", {} older ones made room", capture.dropped));
    }
    if capture.lost > 0 {
        about.push_str(&format!(", {} were lost in the node's kernel", capture.lost));
    }
    if let Some(why) = &capture.silent {
        about.push_str(&format!("; nothing more was heard: {why}"));
    }
    let mut bytes = Vec::new();
    let content =
        write(capture, &mut bytes).map(|()| Content::Bytes(bytes)).map_err(|error| error.to_string());
    Piece { path, about, from, at: Utc::now(), took: std::time::Duration::ZERO, content }
}
