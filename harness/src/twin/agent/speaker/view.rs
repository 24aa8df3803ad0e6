//! What a speaker's log has told so far.
//!
//! What lives here: following gobgpd's output to its end. What its lines mean is in `gobgp::log`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{Notify, watch};

use super::Peers;
use crate::node::{NodeRef, Process, Reader};
use crate::twin::agent::gobgp::{Said, log_line};

/// A speaker as its log shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SpeakerView {
    /// The neighbors gobgpd has, and those whose session is still ending.
    pub peers: Peers,
    /// The last warning or error: when it ended, probably why.
    pub last_words: Option<String>,
    /// How many reloads have changed policies.
    pub refiltered: u64,
    /// Whether gobgpd has closed its output, which it does by ending.
    pub ended: bool,
}

/// One neighbor as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerView {
    /// When gobgpd took it in: its first connect timer runs from here.
    pub added_at: SystemTime,
    /// Since when its session is Established; `None` while it is not.
    pub up_since: Option<SystemTime>,
    /// How often it became Established.
    pub times_up: u32,
    /// Why it last went down.
    pub last_down: Option<String>,
    /// Whether it has been deleted and only its session is still ending.
    #[serde(skip)]
    leaving: bool,
}

impl SpeakerView {
    /// Takes in what one line said; whether anything changed.
    fn take(&mut self, said: Said) -> bool {
        match said {
            Said::Added(peer) => {
                let new = PeerView {
                    added_at: SystemTime::now(),
                    up_since: None,
                    times_up: 0,
                    last_down: None,
                    leaving: false,
                };
                self.peers.insert(peer, new);
            }
            Said::Deleted(peer) => self.leave(peer),
            Said::Up(peer) => {
                let Some(view) = self.peers.get_mut(&peer) else { return false };
                view.up_since = Some(SystemTime::now());
                view.times_up += 1;
            }
            Said::Down(peer, why) => {
                let Some(view) = self.peers.get_mut(&peer) else { return false };
                view.up_since = None;
                view.last_down = Some(why);
                if view.leaving {
                    self.peers.remove(&peer);
                }
            }
            Said::Refiltered => self.refiltered += 1,
            Said::Fatal | Said::Other => return false,
        }
        true
    }

    /// A neighbor that is up goes when its session has gone, which is when its Cease is out.
    fn leave(&mut self, peer: IpAddr) {
        match self.peers.get_mut(&peer) {
            Some(view) if view.up_since.is_some() => view.leaving = true,
            _ => drop(self.peers.remove(&peer)),
        }
    }
}

/// The log in the node: as gobgpd wrote it, for whoever looks into a fabric that misbehaves.
struct Kept {
    node: NodeRef,
    path: PathBuf,
    /// How many bytes may still be added.
    left: AtomicUsize,
}

/// How much of a log is kept. A speaker writes some lines for each session that comes or goes.
const KEPT: usize = 1024 * 1024;

impl Kept {
    async fn add(&self, line: &[u8]) {
        let fits = self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(line.len()));
        if fits.is_ok() {
            // A node whose files cannot be added to has no log; its speaker speaks all the same.
            let _ = self.node.append_file(&self.path, line).await;
        }
    }
}

/// Follows both outputs of gobgpd in tasks that end with it, and keeps them in the node at `log`.
pub(super) fn watch_log(
    process: &mut dyn Process,
    node: &NodeRef,
    log: PathBuf,
    asn: u32,
    wake: Arc<Notify>,
) -> watch::Receiver<SpeakerView> {
    let (sender, receiver) = watch::channel(SpeakerView::default());
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let kept = Kept { node: node.clone(), path: log, left: AtomicUsize::new(KEPT) };
    tokio::spawn(async move {
        tokio::join!(follow(stdout, &sender, &kept, asn, &wake), follow(stderr, &sender, &kept, asn, &wake));
        sender.send_modify(|view| view.ended = true);
        wake.notify_one();
    });
    receiver
}

async fn follow(
    stream: Option<Reader>,
    sender: &watch::Sender<SpeakerView>,
    kept: &Kept,
    asn: u32,
    wake: &Notify,
) {
    let node = kept.node.name();
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    // Bytes, not `lines()`: a line that is not UTF-8 must not end the watch, or gobgpd would block on a full pipe.
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        let read = log_line(text.trim_end());
        tracing::debug!(node, asn, level = read.level, "gobgpd: {}", read.text);
        let grave = matches!(read.level.as_str(), "warning" | "error" | "fatal" | "panic");
        let changed = sender.send_if_modified(|view| {
            if grave {
                view.last_words = Some(read.text.clone());
            }
            view.take(read.said) || grave
        });
        if changed {
            wake.notify_one();
        }
        kept.add(&line).await;
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn after(said: &[Said]) -> SpeakerView {
        let mut view = SpeakerView::default();
        for said in said {
            view.take(said.clone());
        }
        view
    }

    #[test]
    fn a_session_comes_and_goes() {
        let down = || Said::Down(PEER, "hold-timer-expired".to_owned());
        let view = after(&[Said::Added(PEER), Said::Up(PEER), down(), Said::Up(PEER)]);
        assert_eq!(view.peers[&PEER].times_up, 2);
        assert!(view.peers[&PEER].up_since.is_some());
        assert_eq!(view.peers[&PEER].last_down.as_deref(), Some("hold-timer-expired"));
    }

    #[test]
    fn a_neighbor_leaves_when_its_session_has_ended() {
        let up = [Said::Added(PEER), Said::Up(PEER), Said::Deleted(PEER)];
        assert!(after(&up).peers.contains_key(&PEER));
        let mut gone = up.to_vec();
        gone.push(Said::Down(PEER, "dying".to_owned()));
        assert!(after(&gone).peers.is_empty());
        assert!(after(&[Said::Added(PEER), Said::Deleted(PEER)]).peers.is_empty());
    }

    #[test]
    fn lines_about_strangers_change_nothing() {
        let mut view = SpeakerView::default();
        assert!(
            !view.take(Said::Up(PEER))
                && !view.take(Said::Down(PEER, String::new()))
                && !view.take(Said::Other)
        );
        assert_eq!(view, SpeakerView::default());
    }
}
