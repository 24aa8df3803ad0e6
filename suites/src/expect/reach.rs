//! `reach:` and `paths:` of lab.yaml: what packets must do.
//!
//! ```yaml
//! reach: [{ from: pod/nettool-1, to: pod/nettool-2, both: true, ttl: [57, 58, 59] }]
//! paths:
//!   - { from: pod/nettool-1, to: pod/nettool-2, both: true,
//!       hops: ["*?", "node(nettool-1):cilium_host", gateway(nettool-1), router0:lo, "*?", pod/nettool-2] }
//!   - { from: client:eth1, to: service/web, family: ipv6, flows: 16, hops: [router0:lo, "{tor0:lo|tor1:lo}", service/web] }
//! ```

use fabric_harness::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node, choice};

use super::family::WantedFamily;
use super::hop::Hop;
use super::patience::Patience;
use super::read;
use super::symbol::{Place, Symbol};

/// That one end reaches the other, or does not.
#[derive(Debug, Clone, PartialEq)]
pub struct ReachExpect {
    /// Where it is written.
    pub at: Location,
    /// Who sends.
    pub from: Symbol,
    /// Who answers.
    pub to: Symbol,
    /// The other way round as well.
    pub both: bool,
    /// False when every request must stay without an answer.
    pub reachable: bool,
    /// In which families; none for that of the first address of `to`.
    pub families: Vec<WantedFamily>,
    /// The TCP port to connect to, instead of pinging.
    pub port: Option<u16>,
    /// Requests (or connections) per attempt.
    pub count: u32,
    /// How many of them may be lost, in percent.
    pub loss: u8,
    /// How large each request is as a packet, in bytes, headers included; it may not be cut on the way. As large as `ping`
    /// makes it when not said.
    pub size: Option<u16>,
    /// The TTLs with which the answers may arrive; empty for any.
    pub ttl: Vec<u8>,
    /// Who probes.
    pub via: Via,
    /// `within` and `holds`.
    pub patience: Patience,
}

/// That packets take a path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathsExpect {
    /// Where it is written.
    pub at: Location,
    /// Who sends.
    pub from: Symbol,
    /// Where to.
    pub to: Symbol,
    /// In which families; none for that of the first address of `to`.
    pub families: Vec<WantedFamily>,
    /// How many flows are traced, each with a source port of its own. With more than one, every member of a set of hops
    /// must be seen.
    pub flows: u16,
    /// The way there.
    pub hops: Vec<Hop>,
    /// The way back: given, or with `both: true` the way there with the two ends exchanged.
    pub back: Option<Vec<Hop>>,
    /// Who probes.
    pub via: Via,
    /// `within` and `holds`.
    pub patience: Patience,
}

/// Who sends probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// This program, from inside the sender's network namespace.
    Native,
    /// The sender's own `ping` or `traceroute`.
    Own,
    /// Both, as two checks.
    Both,
}

const VIAS: [(&str, Via); 5] = [
    ("native", Via::Native),
    ("own", Via::Own),
    ("ping", Via::Own),
    ("traceroute", Via::Own),
    ("both", Via::Both),
];

impl Via {
    /// The probers, each to become a check of its own.
    pub fn probers(self) -> &'static [Prober] {
        match self {
            Self::Native => &[Prober::Native],
            Self::Own => &[Prober::Own],
            Self::Both => &[Prober::Native, Prober::Own],
        }
    }
}

/// One who sends probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prober {
    /// This program, from inside the sender's network namespace.
    Native,
    /// The sender's own `ping` or `traceroute`.
    Own,
}

/// Every link takes packets as large as this (RFC 791, section 3.2).
const SMALLEST: u16 = 68;

impl FromTree for ReachExpect {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a reach", ctx)?;
        let ends = ends(&mut fields, ctx);
        let families = families(&mut fields, ctx);
        let port = fields.optional("port", ctx);
        let both = fields.optional("both", ctx).unwrap_or(false);
        let reachable = fields.optional("reachable", ctx).unwrap_or(true);
        let count = fields.optional("count", ctx).unwrap_or(3);
        let loss = fields.optional("loss", ctx).unwrap_or(0);
        let size: Option<u16> = fields.optional("size", ctx);
        let ttl = fields.node("ttl").map_or(Some(Vec::new()), |node| read::one_or_more::<u8>(node, ctx));
        let via = match fields.node("via") {
            Some(node) => choice(node, "a way to probe", &VIAS, ctx),
            None if port.is_some() => Some(Via::Native),
            // That a packet may not be cut is what the program can ask for.
            None if size.is_some() => Some(Via::Own),
            None => Some(Via::Both),
        };
        let patience = Patience::read(&mut fields, ctx);
        let at = fields.at().clone();
        fields.finish(ctx);
        if port.is_some()
            && (!ttl.as_ref().is_some_and(Vec::is_empty) || via != Some(Via::Native) || port == Some(0))
        {
            ctx.error(&at, "a connection has no TTL, and this program alone makes it")
                .help("keep `port` (1 to 65535) without `ttl` and `via`, or leave `port` out to ping");
            return None;
        }
        if let Some(size) = size
            && (port.is_some() || via != Some(Via::Own) || !reachable || size < SMALLEST)
        {
            ctx.error(&at, "the size of a packet is that of the sender's own ping, and it must arrive").help(format!(
                "keep `size` ({SMALLEST} to 65535 bytes, headers included) without `port`, `via` and `reachable`"
            ));
            return None;
        }
        if count == 0 || loss > 99 {
            ctx.error(&at, "a check that can only pass says nothing")
                .help("write a `count` of 1 or more and a `loss` below 100; `reachable: false` for no answer at all");
            return None;
        }
        let ((from, to), ttl) = (ends?, ttl?);
        if !reachable && !ttl.is_empty() {
            ctx.error(&at, "no answer is wanted, so none has a TTL").help("remove `ttl`");
            return None;
        }
        Some(Self {
            at,
            from,
            to,
            families: families?,
            port,
            both,
            reachable,
            count,
            loss,
            size,
            ttl,
            via: via?,
            patience,
        })
    }
}

impl FromTree for PathsExpect {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a path", ctx)?;
        let ends = ends(&mut fields, ctx);
        let families = families(&mut fields, ctx);
        let flows = fields.optional("flows", ctx).unwrap_or(1);
        let hops: Option<Vec<Hop>> = fields.required("hops", ctx);
        let both = fields.optional("both", ctx).unwrap_or(false);
        let back: Option<Vec<Hop>> = fields.optional("back", ctx);
        let via =
            fields.node("via").map_or(Some(Via::Both), |node| choice(node, "a way to probe", &VIAS, ctx));
        let patience = Patience::read(&mut fields, ctx);
        let at = fields.at().clone();
        fields.finish(ctx);
        let ((from, to), hops) = (ends?, hops?);
        let set = |hop: &Hop| matches!(hop, Hop::Responder(several) if several.len() > 1);
        if !(1..=MOST_FLOWS).contains(&flows) || (flows > 1 && !hops.iter().any(set)) {
            ctx.error(&at, format!("`flows: {flows}` proves nothing here")).help(format!(
                "several flows (up to {MOST_FLOWS}) show that every member of a set is used: hops: [\"{{tor0:lo|tor1:lo}}\", ...]"
            ));
            return None;
        }
        if !hops.iter().any(|hop| matches!(hop, Hop::Responder(_))) {
            ctx.error(&at, "a path needs a hop that answers")
                .help("write at least the far end: hops: [pod/nettool-2]");
            return None;
        }
        if both && back.is_some() {
            ctx.error(&at, "`both: true` makes the way back from the way there, and `back` gives it")
                .help("keep one of the two");
            return None;
        }
        let back = match (back, both) {
            (None, true) => {
                let (left, right) = (end_name(&from), end_name(&to));
                Some(hops.iter().map(|hop| hop.exchanged(&left, &right)).collect())
            }
            (given, _) => given,
        };
        Some(Self { at, from, to, families: families?, flows, hops, back, via: via?, patience })
    }
}

/// More flows than this would only cost time: of two ways one is missed by 64 flows once in 2^63 times.
const MOST_FLOWS: u16 = 64;

/// `family: ipv6`, or both of them as a list.
fn families(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Option<Vec<WantedFamily>> {
    fields.node("family").map_or(Some(Vec::new()), |node| read::one_or_more(node, ctx))
}

/// The two ends, `from` and `to`.
fn ends(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Option<(Symbol, Symbol)> {
    let [from, to] = ["from", "to"].map(|key| fields.required::<Node>(key, ctx));
    let to = to.and_then(|node| read::address(&node, ctx));
    let node = from?;
    let from = read::address(&node, ctx)?;
    if !matches!(from, Symbol::Pod(_) | Symbol::Node(_) | Symbol::Interface { .. }) {
        ctx.error(&node.at, format!("`{from}` cannot send: it does not say from which box"))
            .help("write pod/nettool-1, node/worker, or a box with its interface (router0:lo)");
        return None;
    }
    Some((from, to?))
}

/// The name that is exchanged when a path is seen from its other end.
fn end_name(end: &Symbol) -> String {
    match end {
        Symbol::Pod(pod) => pod.name.clone(),
        Symbol::Node(whose) | Symbol::Gateway(whose) => whose.clone(),
        Symbol::Interface { place, .. } => match place {
            Place::Device(name) | Place::NodeOf(name) | Place::TorOf(name) => name.clone(),
        },
        Symbol::Service(_, service) => service.name.clone(),
        other => other.to_string(),
    }
}
