//! `show protocols all`, read into one record a protocol; what it means is told in `sessions`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::control::Reply;

/// Codes of the answer: a protocol's row, and what is told below it.
const ROW: u16 = 1002;
const BELOW: u16 = 1006;

/// One protocol of BIRD's, of whatever kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::router) struct Protocol {
    /// Its name in the configuration, or the one BIRD gave to a dynamic one.
    pub(super) name: String,
    /// `BGP`, `Direct`, `Kernel`, ...
    pub(super) kind: String,
    /// `up`, `start`, `down`, ...
    pub(super) state: String,
    /// Since when, as BIRD wrote it: a time of today, or a date.
    pub(super) since: String,
    /// What is below the row, by its name: `BGP state`, `Neighbor AS`, `Last error`.
    pub(super) facts: BTreeMap<String, String>,
    /// The name the neighbor gave in its OPEN.
    pub(super) hostname: Option<String>,
    /// Its channels, in BIRD's order.
    pub(super) channels: Vec<Channel>,
}

/// One channel: a family of a protocol, and the table it is joined to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Channel {
    /// `ipv4`, `ipv6`, `ipv4-mpls`, ...
    pub(super) name: String,
    /// Whether it is in state UP: for BGP, whether both ends announced it.
    pub(super) up: bool,
    /// The table.
    pub(super) table: String,
    /// Routes taken in.
    pub(super) imported: u64,
    /// Routes given out.
    pub(super) exported: u64,
    /// Changes taken in or given out since the channel came up.
    pub(super) changes: u64,
}

impl Protocol {
    pub(super) fn is_bgp(&self) -> bool {
        self.kind == "BGP"
    }

    /// A fact that is there and not empty.
    pub(super) fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.fact(name)?.parse().ok()
    }

    /// The neighbor's address and, for a link-local one, its interface (`fe80::1%net0`).
    pub(super) fn neighbor(&self) -> (Option<IpAddr>, Option<&str>) {
        // A word may follow: `onlink`.
        let text = self.fact("Neighbor address").and_then(|text| text.split_whitespace().next());
        match text.map(|text| text.split_once('%').unwrap_or((text, ""))) {
            Some((address, interface)) => {
                (address.parse().ok(), Some(interface).filter(|name| !name.is_empty()))
            }
            None => (None, None),
        }
    }

    pub(super) fn router_id(&self) -> Option<Ipv4Addr> {
        self.fact("Neighbor ID")?.parse().ok()
    }
}

/// Reads the answer. Lines that are not understood are passed over.
pub(in crate::router) fn protocols(reply: &Reply) -> Vec<Protocol> {
    let mut all: Vec<Protocol> = Vec::new();
    let mut part = Part::Protocol;
    for (code, line) in &reply.0 {
        match *code {
            ROW => {
                all.extend(row(line));
                part = Part::Protocol;
            }
            BELOW => {
                if let Some(protocol) = all.last_mut() {
                    below(protocol, line, &mut part);
                }
            }
            _ => {}
        }
    }
    all
}

/// Where in a protocol's part a line stands.
enum Part {
    Protocol,
    /// What this end announced; the other end's facts of the same names count.
    Ours,
    Theirs,
    Channel,
}

/// `server2    BGP        ---        up     22:11:08.064  Established   `
fn row(line: &str) -> Option<Protocol> {
    let mut words = line.split_whitespace();
    let (name, kind, _table, state) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut since = words.next().unwrap_or_default().to_owned();
    // A day and a time of day are two words (`timeformat protocol iso long`).
    if since.contains('-')
        && let Some(time) = words.next().filter(|word| word.contains(':'))
    {
        since = format!("{since} {time}");
    }
    let (name, kind, state) = (name.to_owned(), kind.to_owned(), state.to_owned());
    Some(Protocol { name, kind, state, since, ..Protocol::default() })
}

fn below(protocol: &mut Protocol, line: &str, part: &mut Part) {
    let text = line.trim();
    if let Some(name) = text.strip_prefix("Channel ") {
        protocol.channels.push(Channel { name: name.to_owned(), ..Channel::default() });
        *part = Part::Channel;
        return;
    }
    match text {
        "Local capabilities" => return *part = Part::Ours,
        "Neighbor capabilities" => return *part = Part::Theirs,
        _ => {}
    }
    let Some((name, value)) = text.split_once(':') else { return };
    let value = value.trim();
    // What follows the capabilities stands less deep than they do.
    let depth = line.len() - line.trim_start().len();
    if matches!(part, Part::Ours | Part::Theirs) && depth <= FACT {
        *part = Part::Protocol;
    }
    match part {
        Part::Ours => {}
        Part::Theirs => {
            if name == "Hostname" {
                protocol.hostname = Some(value.to_owned());
            }
        }
        Part::Protocol => {
            protocol.facts.insert(name.to_owned(), value.to_owned());
        }
        Part::Channel => {
            if let Some(channel) = protocol.channels.last_mut() {
                fact(channel, name, value);
            }
        }
    }
}

/// How far a fact of a protocol is indented; capabilities are further in.
const FACT: usize = 4;

fn fact(channel: &mut Channel, name: &str, value: &str) {
    match name {
        "State" => channel.up = value == "UP",
        "Table" => value.clone_into(&mut channel.table),
        // `6 imported, 1 filtered, 3 exported, 6 preferred`
        "Routes" => {
            for (count, what) in value.split(',').filter_map(|part| part.trim().split_once(' ')) {
                let count = count.parse().unwrap_or_default();
                match what.trim() {
                    "imported" => channel.imported = count,
                    "exported" => channel.exported = count,
                    _ => {}
                }
            }
        }
        "Import updates" | "Import withdraws" | "Export updates" | "Export withdraws" => {
            // received, rejected, filtered, ignored, accepted; BIRD 3 has one column more.
            let counts = value.split_whitespace().filter_map(|word| word.parse::<u64>().ok());
            channel.changes = counts.fold(channel.changes, u64::wrapping_add);
        }
        _ => {}
    }
}
