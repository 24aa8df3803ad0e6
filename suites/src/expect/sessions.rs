//! `sessions:` of lab.yaml: what a router must say of its BGP neighbors.
//!
//! ```yaml
//! sessions:
//!   router0:
//!     net0: { state: established, as: 65010, type: external, hold: 9s, keepalive: 3s, received: 3, sent: 9 }
//!     only: true
//! ```

use std::fmt;
use std::time::Duration;

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node, Spanned, choice};

use super::family::{FAMILIES, WantedFamily};
use super::patience::Patience;
use super::read;
use super::symbol::Symbol;

/// What one router must say of its neighbors.
#[derive(Debug, Clone, PartialEq)]
pub struct RouterSessions {
    /// The router, by its name in the topology.
    pub router: Spanned<String>,
    /// Neighbor by neighbor.
    pub neighbors: Vec<SessionExpect>,
    /// True when no other neighbor may exist.
    pub only: bool,
    /// `within` and `holds` of this router.
    pub patience: Patience,
}

/// What one session must be.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionExpect {
    /// Where it is written.
    pub at: Location,
    /// The neighbor as the router's configuration has it.
    pub neighbor: Neighbor,
    /// The state.
    pub state: Option<WantedState>,
    /// The neighbor's AS number.
    pub remote_as: Option<u32>,
    /// Internal or external.
    pub kind: Option<WantedKind>,
    /// The negotiated hold time.
    pub hold: Option<Duration>,
    /// The negotiated keepalive interval.
    pub keepalive: Option<Duration>,
    /// Prefix counts per address family.
    pub families: Vec<FamilyExpect>,
    /// The families that both ends announced, and no other unicast ones.
    pub carries: Option<Vec<WantedFamily>>,
    /// The name the neighbor gave in its OPEN (FQDN capability): a node's short name fits the whole one.
    pub hostname: Option<String>,
    /// Part of the router's own words for why the session last went down: `Peer De-configured`.
    pub last_reset: Option<String>,
    /// How often the session was lost since the phase began. A flap that ends well is seen by this alone: it is
    /// counted, not told from uptimes.
    pub drops: Option<u64>,
    /// `within` and `holds` of this session.
    pub patience: Patience,
}

/// How a router's configuration names a neighbor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Neighbor {
    /// By interface: BGP unnumbered.
    Interface(String),
    /// By address.
    Address(Symbol),
}

/// The state a session must be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedState {
    /// Established.
    Established,
    /// Any state but Established.
    Down,
    /// Idle (RFC 4271, section 8.2.2).
    Idle,
    /// Connect.
    Connect,
    /// Active.
    Active,
    /// OpenSent.
    OpenSent,
    /// OpenConfirm.
    OpenConfirm,
}

/// The type a session must be of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedKind {
    /// iBGP: both ends in one AS.
    Internal,
    /// eBGP.
    External,
}

/// Prefix counts of one address family.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyExpect {
    /// Which family.
    pub family: WantedFamily,
    /// Prefixes accepted from the neighbor.
    pub received: Option<u64>,
    /// Prefixes sent to the neighbor.
    pub sent: Option<u64>,
}

/// The words for states in lab.yaml.
const STATES: [(&str, WantedState); 7] = [
    ("established", WantedState::Established),
    ("down", WantedState::Down),
    ("idle", WantedState::Idle),
    ("connect", WantedState::Connect),
    ("active", WantedState::Active),
    ("opensent", WantedState::OpenSent),
    ("openconfirm", WantedState::OpenConfirm),
];

/// The words for types in lab.yaml.
const KINDS: [(&str, WantedKind); 4] = [
    ("internal", WantedKind::Internal),
    ("external", WantedKind::External),
    ("ibgp", WantedKind::Internal),
    ("ebgp", WantedKind::External),
];

impl RouterSessions {
    /// Reads the value of `sessions: ROUTER:`.
    pub(super) fn read(router: Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, format!("`sessions` of {}", router.value), ctx)?;
        let only = fields.optional("only", ctx).unwrap_or(false);
        let patience = Patience::read(&mut fields, ctx);
        let neighbors = read::each(&fields, ctx, |key, node, ctx| SessionExpect::read(&key, node, ctx));
        Some(Self { router, neighbors, only, patience })
    }
}

impl SessionExpect {
    fn read(key: &Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let neighbor = Neighbor::read(key, ctx);
        // `net0: established` is short for `net0: { state: established }`.
        if node.as_scalar().is_some_and(|scalar| !scalar.is_null()) {
            let state = WantedState::from_tree(node, ctx)?;
            return Some(Self { state: Some(state), ..Self::empty(key.at.clone(), neighbor?) });
        }
        let mut fields = Fields::of(node, format!("the session with {}", key.value), ctx)?;
        let mut expect = Self::empty(key.at.clone(), Neighbor::Interface(key.value.clone()));
        expect.state = fields.optional("state", ctx);
        expect.remote_as = fields.optional("as", ctx);
        expect.kind = fields.node("type").and_then(|node| choice(node, "a type of session", &KINDS, ctx));
        expect.hold = fields.optional("hold", ctx);
        expect.keepalive = fields.optional("keepalive", ctx);
        expect.hostname = fields.optional("hostname", ctx);
        expect.last_reset = fields.optional("last-reset", ctx);
        expect.drops = fields.optional("drops", ctx);
        expect.patience = Patience::read(&mut fields, ctx);
        let (received, sent) = (fields.optional("received", ctx), fields.optional("sent", ctx));
        if received.is_some() || sent.is_some() {
            expect.families.push(FamilyExpect { family: WantedFamily::Ipv4, received, sent });
        }
        if let Some(node) = fields.node("families") {
            expect.read_families(node, ctx);
        }
        fields.finish(ctx);
        expect.neighbor = neighbor?;
        if node.as_mapping().is_none_or(|mapping| mapping.entries.is_empty()) {
            ctx.error(&key.at, format!("nothing is expected of the session with {}", key.value))
                .help("write its state (`net0: established`), or what else must be true of it");
            return None;
        }
        Some(expect)
    }

    fn empty(at: Location, neighbor: Neighbor) -> Self {
        Self {
            at,
            neighbor,
            state: None,
            remote_as: None,
            kind: None,
            hold: None,
            keepalive: None,
            families: Vec::new(),
            carries: None,
            hostname: None,
            last_reset: None,
            drops: None,
            patience: Patience::default(),
        }
    }

    /// `families: [ipv4, ipv6]` says which, `families: { ipv6: { received: 4 } }` how many prefixes of each.
    fn read_families(&mut self, node: &Node, ctx: &mut Diagnostics) {
        if node.as_mapping().is_none() {
            self.carries = read::one_or_more(node, ctx);
            return;
        }
        let Some(mut families) = Fields::of(node, "the address families", ctx) else { return };
        for (key, family) in FAMILIES {
            let Some(node) = families.node(key) else { continue };
            if self.families.iter().any(|there| there.family == family) {
                ctx.error(&node.at, "IPv4 prefix counts are given twice")
                    .help("write them here, or as `received` and `sent` of the session");
                continue;
            }
            let Some(mut fields) = Fields::of(node, format!("the family {key}"), ctx) else { continue };
            let (received, sent) = (fields.optional("received", ctx), fields.optional("sent", ctx));
            fields.finish(ctx);
            self.families.push(FamilyExpect { family, received, sent });
        }
        families.finish(ctx);
    }
}

impl Neighbor {
    fn read(key: &Spanned<String>, ctx: &mut Diagnostics) -> Option<Self> {
        let text = key.value.as_str();
        if !text.contains([':', '/', '(', '.']) {
            return Some(Self::Interface(text.to_owned()));
        }
        match Symbol::parse(text) {
            Ok(symbol) if symbol.names_an_address() => Some(Self::Address(symbol)),
            Ok(symbol) => {
                ctx.error(&key.at, format!("`{symbol}` is a prefix, and a neighbor has an address")).help(
                    "write net0 for an unnumbered neighbor, 10.0.1.2 or node/worker for one with an address",
                );
                None
            }
            // VLAN interfaces have dots in their names: net0.100.
            Err(_)
                if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains([':', '/', '(']) =>
            {
                Some(Self::Interface(text.to_owned()))
            }
            Err(error) => {
                read::note(&error, text, &key.at, key.at.width as usize > text.chars().count(), ctx);
                None
            }
        }
    }
}

impl fmt::Display for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => f.write_str(name),
            Self::Address(symbol) => symbol.fmt(f),
        }
    }
}

impl fmt::Display for WantedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = STATES.iter().find(|(_, state)| state == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

impl fmt::Display for WantedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Internal => "internal (iBGP)",
            Self::External => "external (eBGP)",
        })
    }
}

/// `sessions:` as a whole, with the times of the group put into its routers.
pub(super) fn read_all(node: &Node, ctx: &mut Diagnostics) -> Vec<RouterSessions> {
    let Some(mut fields) = Fields::of(node, "`sessions` of a phase", ctx) else { return Vec::new() };
    let outer = Patience::read(&mut fields, ctx);
    let mut all = read::each(&fields, ctx, RouterSessions::read);
    for router in &mut all {
        router.patience = router.patience.or(outer);
    }
    all
}

impl FromTree for WantedState {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        choice(node, "a state of a session", &STATES, ctx)
    }
}
