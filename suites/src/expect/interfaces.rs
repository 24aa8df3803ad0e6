//! `interfaces:` of lab.yaml: the ends of links and their addresses.
//!
//! ```yaml
//! interfaces:
//!   router0: { net0: up, lo: { addresses: [10.0.0.0/32] }, eth0: { in: mgmt } }
//!   tor0: { eth0: absent }
//! ```

use fabric_harness::lab::yaml::{Diagnostics, Fields, Node, Spanned, choice};
use ipnet::IpNet;

use super::patience::Patience;
use super::read;
use super::symbol::Symbol;

/// What the interfaces of one box must be.
#[derive(Debug, Clone, PartialEq)]
pub struct BoxInterfaces {
    /// The box, by its name in the topology.
    pub place: Spanned<String>,
    /// Interface by interface.
    pub interfaces: Vec<InterfaceExpect>,
    /// `within` and `holds` of this box.
    pub patience: Patience,
}

/// What one interface must be.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfaceExpect {
    /// Its name in the box.
    pub name: Spanned<String>,
    /// Whether it is up, down, or not there at all.
    pub state: WantedLink,
    /// Its MTU in bytes.
    pub mtu: Option<u32>,
    /// Addresses it has, among others.
    pub addresses: Vec<IpNet>,
    /// A prefix in which one of its addresses lies.
    pub inside: Option<Symbol>,
    /// `within` and `holds` of this interface.
    pub patience: Patience,
}

/// The state of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedLink {
    /// Up, with a carrier.
    Up,
    /// There, and not up.
    Down,
    /// Not there.
    Absent,
}

const LINKS: [(&str, WantedLink); 3] =
    [("up", WantedLink::Up), ("down", WantedLink::Down), ("absent", WantedLink::Absent)];

impl WantedLink {
    /// The word of lab.yaml.
    pub fn word(self) -> &'static str {
        LINKS.iter().find(|(_, link)| *link == self).map_or("", |(word, _)| word)
    }
}

impl InterfaceExpect {
    fn read(name: Spanned<String>, node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let empty = |name, state| Self {
            name,
            state,
            mtu: None,
            addresses: Vec::new(),
            inside: None,
            patience: Patience::default(),
        };
        if node.as_scalar().is_some_and(|scalar| !scalar.is_null()) {
            let state = choice(node, "a state of an interface", &LINKS, ctx)?;
            return Some(empty(name, state));
        }
        let mut fields = Fields::of(node, format!("the interface {}", name.value), ctx)?;
        let state = fields.node("state").map(|node| choice(node, "a state of an interface", &LINKS, ctx));
        let expect = Self {
            mtu: fields.optional("mtu", ctx),
            addresses: fields.optional("addresses", ctx).unwrap_or_default(),
            inside: fields.node("in").and_then(|node| read::prefix(node, ctx)),
            patience: Patience::read(&mut fields, ctx),
            ..empty(name, state.flatten().unwrap_or(WantedLink::Up))
        };
        fields.finish(ctx);
        Some(expect)
    }
}

/// `interfaces:` as a whole, with the times of the group put into its boxes.
pub(super) fn read_all(node: &Node, ctx: &mut Diagnostics) -> Vec<BoxInterfaces> {
    let Some(mut fields) = Fields::of(node, "`interfaces` of a phase", ctx) else { return Vec::new() };
    let outer = Patience::read(&mut fields, ctx);
    read::each(&fields, ctx, |place, node, ctx| {
        let mut fields = Fields::of(node, format!("`interfaces` of {}", place.value), ctx)?;
        let patience = Patience::read(&mut fields, ctx).or(outer);
        let interfaces = read::each(&fields, ctx, InterfaceExpect::read);
        Some(BoxInterfaces { place, interfaces, patience })
    })
}
