//! Links, in containerlab's short form (`endpoints: ["a:eth1", "b:eth1"]`) and its extended one (`type: veth`, ...).

use super::types::{Endpoint, Link};
use crate::lab::yaml::{Diagnostics, Fields, FromTree, Location, Node, Spanned, choice};

/// The types of link containerlab has.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    Veth,
    MgmtNet,
    Host,
    /// Known, but not made here.
    Refused,
}

const TYPES: &[(&str, Type)] = &[
    ("veth", Type::Veth),
    ("mgmt-net", Type::MgmtNet),
    ("host", Type::Host),
    ("macvlan", Type::Refused),
    ("vxlan", Type::Refused),
    ("vxlan-stitch", Type::Refused),
    ("dummy", Type::Refused),
];

/// Notes that a type of link is not made, and what stands in for it.
fn refuse(at: &Location, name: &str, ctx: &mut Diagnostics) {
    let help = match name {
        "dummy" => "write `ip link add NAME type dummy` as an `exec` line of the node",
        "macvlan" => {
            "it would need an interface of the host, which is never touched; a `bridge` node can stand in"
        }
        _ => "it would need a peer outside the lab; a link to a node that plays the peer can stand in",
    };
    ctx.error(at, format!("a link of type `{name}` is not made")).help(help);
}

/// Reads a link whose interface names are well formed. Whether its nodes exist is not checked here.
impl FromTree for Link {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a link", ctx)?;
        let mtu = fields.optional::<Spanned<u32>>("mtu", ctx);
        if let Some(mtu) = &mtu
            && !(68..=65535).contains(&mtu.value)
        {
            ctx.error(&mtu.at, format!("a link cannot have an MTU of {}", mtu.value))
                .help("write 68 to 65535 bytes");
        }
        fields.not_honoured(&["labels", "vars"], "nothing reads them", ctx);
        let ends = match fields.node("type") {
            None => short(&mut fields, ctx),
            Some(word) => match choice(word, "a type of link", TYPES, ctx)? {
                Type::Veth => veth(&mut fields, ctx),
                Type::MgmtNet => special(&mut fields, ctx, |interface| Endpoint::MgmtNet { interface }),
                Type::Host => special(&mut fields, ctx, |interface| Endpoint::Host { interface }),
                Type::Refused => {
                    refuse(&word.at, word.as_text().unwrap_or_default(), ctx);
                    return None;
                }
            },
        };
        fields.finish(ctx);
        let mut ends = ends?;
        // A special end always comes second, whichever way it is written.
        if !matches!(ends[0].0, Endpoint::Node { .. }) {
            ends.reverse();
        }
        let [(a, a_at), (b, b_at)] = ends;
        if matches!(a, Endpoint::Node { .. }) {
            let mtu = mtu.map(|mtu| mtu.value);
            return Some(Link { a, b, mtu, at: node.at.clone(), ends_at: [a_at, b_at] });
        }
        ctx.error(&node.at, "a link needs a node at one end at least")
            .help("write `node:interface` at one end");
        None
    }
}

/// An end, and where it is written.
type End = (Endpoint, Location);

fn short(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Option<[End; 2]> {
    fields.not_honoured(&["ipv4", "ipv6"], "addresses come from `exec` lines (`ip addr add ...`)", ctx);
    let ends: Spanned<Vec<Spanned<String>>> = fields.required("endpoints", ctx)?;
    two(&ends, short_end, ctx)
}

fn veth(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Option<[End; 2]> {
    let ends: Spanned<Vec<NodeEnd>> = fields.required("endpoints", ctx)?;
    two(&ends, |end, _| Some((end.0.clone(), end.1.clone())), ctx)
}

fn two<T>(
    ends: &Spanned<Vec<T>>,
    read: impl Fn(&T, &mut Diagnostics) -> Option<End>,
    ctx: &mut Diagnostics,
) -> Option<[End; 2]> {
    let read: Vec<Option<End>> = ends.iter().map(|end| read(end, ctx)).collect();
    match <[_; 2]>::try_from(read) {
        Ok([a, b]) => Some([a?, b?]),
        Err(other) => {
            ctx.error(&ends.at, format!("a link has two ends, and here are {}", other.len()))
                .help("write `endpoints: [\"a:eth1\", \"b:eth1\"]`");
            None
        }
    }
}

fn special(
    fields: &mut Fields<'_>,
    ctx: &mut Diagnostics,
    make: impl Fn(String) -> Endpoint,
) -> Option<[End; 2]> {
    let end: Option<NodeEnd> = fields.required("endpoint", ctx);
    let interface: Option<Spanned<String>> = fields.required("host-interface", ctx);
    let interface = interface?;
    check_interface(&interface, &interface.at, ctx)?;
    let NodeEnd(end, at) = end?;
    Some([(end, at), (make(interface.value), interface.at)])
}

/// `node:interface`, or a special word in the node's place.
fn short_end(text: &Spanned<String>, ctx: &mut Diagnostics) -> Option<End> {
    let Some((node, interface)) = text.split_once(':').filter(|(node, _)| !node.is_empty()) else {
        ctx.error(&text.at, format!("{:?} is not an end of a link", text.value))
            .help("write `node:interface`, `host:interface` or `mgmt-net:interface`");
        return None;
    };
    if let Some((name, _)) = TYPES.iter().find(|(name, kind)| *name == node && *kind == Type::Refused) {
        refuse(&text.at, name, ctx);
        return None;
    }
    check_interface(interface, &text.at, ctx)?;
    let interface = interface.to_owned();
    let end = match node {
        "host" => Endpoint::Host { interface },
        "mgmt-net" => Endpoint::MgmtNet { interface },
        _ => Endpoint::Node { node: node.to_owned(), interface, mac: None },
    };
    Some((end, text.at.clone()))
}

/// An end in the extended form, and where its node is named.
struct NodeEnd(Endpoint, Location);

impl FromTree for NodeEnd {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "an endpoint", ctx)?;
        let name: Option<Spanned<String>> = fields.required("node", ctx);
        let interface: Option<Spanned<String>> = fields.required("interface", ctx);
        let mac: Option<Spanned<String>> = fields.optional("mac", ctx);
        fields.not_honoured(&["ipv4", "ipv6"], "addresses come from `exec` lines (`ip addr add ...`)", ctx);
        fields.not_honoured(&["vars"], "nothing reads them", ctx);
        fields.finish(ctx);
        let interface = interface?;
        check_interface(&interface, &interface.at, ctx)?;
        if let Some(mac) = &mac {
            check_mac(mac, ctx)?;
        }
        let mac = mac.map(|mac| mac.value.to_lowercase());
        let Spanned { value: node, at } = name?;
        Some(NodeEnd(Endpoint::Node { node, interface: interface.value, mac }, at))
    }
}

/// Linux takes names of 1 to 15 bytes without `/`, `:` and white space (net/core/dev.c, `dev_valid_name`).
pub(super) fn check_interface(name: &str, at: &Location, ctx: &mut Diagnostics) -> Option<()> {
    let wrong = if name.is_empty() || name == "." || name == ".." {
        format!("{name:?} is not a name for an interface")
    } else if name.len() > 15 {
        format!("the interface name {name:?} has {} characters", name.len())
    } else if name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) {
        format!("the interface name {name:?} holds a character that Linux does not take")
    } else {
        return Some(());
    };
    ctx.error(at, wrong).help("write 1 to 15 characters, without `/`, `:` and spaces");
    None
}

fn check_mac(mac: &Spanned<String>, ctx: &mut Diagnostics) -> Option<()> {
    let bytes: Vec<Option<u8>> = mac
        .split(':')
        .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2 && !pair.starts_with('+')))
        .collect();
    match bytes.iter().copied().collect::<Option<Vec<u8>>>() {
        // The lowest bit of the first byte marks a group address: no interface may have one.
        Some(bytes) if bytes.len() == 6 && bytes[0] & 1 == 0 => Some(()),
        _ => {
            ctx.error(&mac.at, format!("{:?} is not a hardware address an interface can have", mac.value))
                .help("write six pairs of hexadecimal digits, the first one even: `aa:c1:ab:00:00:01`");
            None
        }
    }
}
