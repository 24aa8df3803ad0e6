//! Asking the gobgpd of a node, through the node's own `gobgp`.
//!
//! What lives here: finding the sockets, and the questions. What the answers mean is in `peer` and `route`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::peer::{Peer, addresses, peer};
use super::route::{Route, RouteFamily, routes};
use crate::node::{Command, NodeError, NodeRef};

/// `gobgp` answers in milliseconds: this only ends what hangs.
const ANSWER: Duration = Duration::from_secs(10);

/// The sockets of all speakers that ever ran in the node, the newest first: a killed one leaves its own behind.
const SOCKETS: &str = "ls -t /run/gobgp/*/api-*.sock 2>/dev/null";

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakersError {
    /// The node did not do what it was asked to.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// `gobgp` said something that cannot be read.
    #[error("{node}: the answer to `{command}` is not what GoBGP prints: {why}")]
    Answer {
        /// The node.
        node: String,
        /// The command line.
        command: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A speaker that answers.
#[derive(Debug, Clone)]
pub struct Speaker {
    node: NodeRef,
    socket: String,
    /// Its AS number.
    pub asn: u32,
}

/// Which routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those the speaker has to advertise.
    Available,
    /// Those that go out to its peers, or to one of them.
    Advertised(Option<IpAddr>),
}

/// What a speaker answered.
pub type Asked<T> = Result<Vec<T>, SpeakersError>;

/// The speakers of a node, in the order of their AS numbers; none where Cilium speaks to nobody.
///
/// # Errors
/// When the node is gone. A socket nobody listens on is a dead speaker's, and passed over.
pub async fn ask(node: &NodeRef) -> Asked<Speaker> {
    let listed = node.exec(&Command::new(["sh", "-c", SOCKETS]).timeout(ANSWER)).await?;
    let mut found: Vec<Speaker> = Vec::new();
    let mut folders = Vec::new();
    for socket in listed.text().lines() {
        let folder = socket.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        if folders.contains(&folder) {
            continue;
        }
        let mut speaker = Speaker { node: node.clone(), socket: socket.to_owned(), asn: 0 };
        if let Ok(global) = speaker.question(&["global"]).await
            && let Some(asn) = global.get("asn").and_then(Value::as_u64)
        {
            speaker.asn = u32::try_from(asn).unwrap_or_default();
            folders.push(folder);
            found.push(speaker);
        }
    }
    found.sort_by_key(|speaker| speaker.asn);
    Ok(found)
}

impl Speaker {
    /// Its peers, in the order of their addresses.
    ///
    /// # Errors
    /// When `gobgp` fails or cannot be read.
    pub async fn peers(&self) -> Asked<Peer> {
        let mut peers = Vec::new();
        for address in self.addresses().await? {
            // Only asked for one by one does it count what goes out.
            let words = ["neighbor", &address.to_string()];
            let answer = self.question(&words).await?;
            peers.push(peer(&answer, now()).map_err(|why| self.unreadable(&words, &why))?);
        }
        peers.sort_by(|a, b| a.peer_address.cmp(&b.peer_address));
        Ok(peers)
    }

    /// Its routes of one family.
    ///
    /// # Errors
    /// When `gobgp` fails or cannot be read.
    pub async fn routes(&self, which: Which, family: &RouteFamily) -> Asked<Route> {
        let read = |words: &[&str], answer: &Value, neighbor: Option<IpAddr>| {
            routes(answer, self.asn, family, neighbor, now()).map_err(|why| self.unreadable(words, &why))
        };
        let Which::Advertised(only) = which else {
            let words = ["global", "rib", "-a", &family.afi];
            let answer = self.question(&words).await?;
            return read(&words, &answer, None);
        };
        let mut all = Vec::new();
        for address in self.addresses().await? {
            if only.is_none_or(|only| only == address) {
                let words = ["neighbor", &address.to_string(), "adj-out", "-a", &family.afi];
                let answer = self.question(&words).await?;
                all.extend(read(&words, &answer, Some(address))?);
            }
        }
        Ok(all)
    }

    async fn addresses(&self) -> Asked<IpAddr> {
        let words = ["neighbor"];
        let answer = self.question(&words).await?;
        addresses(&answer).map_err(|why| self.unreadable(&words, &why))
    }

    async fn question(&self, words: &[&str]) -> Result<Value, SpeakersError> {
        let command = self.command(words);
        let output = self.node.exec(&command).await?;
        if !output.success() {
            let said = format!("{}{}", output.text(), output.error_text());
            return Err(self.unreadable(words, said.trim()));
        }
        match output.text().trim() {
            // A table without routes is told in words.
            said if !said.starts_with(['{', '[']) => Ok(Value::Null),
            said => serde_json::from_str(said).map_err(|error| self.unreadable(words, &error.to_string())),
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let target = format!("unix://{}", self.socket);
        let words = ["gobgp", "--target", &target, "-j"].iter().chain(words).copied().collect::<Vec<_>>();
        Command::new(words).timeout(ANSWER)
    }

    fn unreadable(&self, words: &[&str], why: &str) -> SpeakersError {
        let (node, command) = (self.node.name().to_owned(), self.command(words).to_string());
        SpeakersError::Answer { node, command, why: why.to_owned() }
    }
}

/// Seconds since 1970, as GoBGP counts.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
