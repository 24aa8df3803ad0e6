//! Netlink's messages read into ours. No sockets here.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::dump::{Link, LinkAddress, Neighbour};
use crate::router::fib::{FibNextHop, FibRoute, RouteKind};

/// A header of a netlink message: nothing shorter is one.
const HEADER: usize = 16;

/// Links by index.
pub(super) type Names = BTreeMap<u32, String>;

/// The bytes of a request for everything of one kind.
pub(super) fn dump_request(message: RouteNetlinkMessage, sequence: u32) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = sequence;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    bytes
}

/// The messages of one datagram.
pub(super) fn split(mut datagram: &[u8]) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
    let mut messages = Vec::new();
    while datagram.len() >= HEADER {
        let message = NetlinkMessage::deserialize(datagram)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        // Messages begin at multiples of four bytes.
        let length = (message.header.length as usize).next_multiple_of(4).max(HEADER);
        messages.push(message);
        datagram = datagram.get(length..).unwrap_or_default();
    }
    Ok(messages)
}

/// The prefix a route message is about.
pub(super) fn prefix(message: &RouteMessage) -> Option<IpNet> {
    let written = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(destination) => ip(destination),
        _ => None,
    });
    let default: IpAddr = match message.header.address_family {
        AddressFamily::Inet => Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    IpNet::new(written.unwrap_or(default), message.header.destination_prefix_length).ok()
}

/// True for a route of the main table that stands in it, not in the kernel's cache.
pub(super) fn in_main_table(message: &RouteMessage) -> bool {
    let table = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    table.unwrap_or(u32::from(message.header.table)) == u32::from(RouteHeader::RT_TABLE_MAIN)
        && !message.header.flags.contains(RouteFlags::Cloned)
}

/// One route with its next hops.
pub(super) fn route(message: &RouteMessage, names: &Names) -> FibRoute {
    let mut metric = 0;
    let mut source = None;
    let mut next_hops = Vec::new();
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::PrefSource(address) => source = ip(address),
            RouteAttribute::MultiPath(several) => {
                next_hops.extend(
                    several.iter().map(|hop| next_hop(&hop.attributes, Some(hop.interface_index), names)),
                );
            }
            _ => {}
        }
    }
    if next_hops.is_empty() {
        let only = next_hop(&message.attributes, None, names);
        if only.via.is_some() || only.dev.is_some() {
            next_hops.push(only);
        }
    }
    FibRoute {
        protocol: protocol(message.header.protocol),
        kind: kind(message.header.kind),
        metric,
        source,
        next_hops,
    }
}

fn next_hop(attributes: &[RouteAttribute], index: Option<u32>, names: &Names) -> FibNextHop {
    let mut hop = FibNextHop { via: None, dev: index.map(|index| name(index, names)) };
    for attribute in attributes {
        match attribute {
            RouteAttribute::Gateway(gateway) => hop.via = ip(gateway),
            RouteAttribute::Via(RouteVia::Inet(address)) => hop.via = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => hop.via = Some((*address).into()),
            RouteAttribute::Oif(index) => hop.dev = Some(name(*index, names)),
            _ => {}
        }
    }
    hop
}

/// A link that went away between two dumps has no name; its index says at least which one it was.
fn name(index: u32, names: &Names) -> String {
    names.get(&index).cloned().unwrap_or_else(|| format!("if{index}"))
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some((*v4).into()),
        RouteAddress::Inet6(v6) => Some((*v6).into()),
        _ => None,
    }
}

fn kind(kind: RouteType) -> RouteKind {
    match kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        _ => RouteKind::Other,
    }
}

/// The names iproute2 gives (`/etc/iproute2/rt_protos`).
pub(super) fn protocol(protocol: RouteProtocol) -> String {
    match protocol {
        RouteProtocol::Ra => "ra".to_owned(),
        RouteProtocol::IcmpRedirect => "redirect".to_owned(),
        // FRR's own static routes (`lib/route_types.txt`, RTPROT_ZSTATIC).
        RouteProtocol::Other(196) => "static".to_owned(),
        RouteProtocol::Other(number) => number.to_string(),
        known => format!("{known:?}").to_lowercase(),
    }
}

/// One link.
pub(super) fn link(message: &LinkMessage) -> Link {
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        mtu: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    link
}

/// One address of a link; the near end of a point-to-point pair.
pub(super) fn address(message: &AddressMessage, names: &Names) -> Option<LinkAddress> {
    let mut local = None;
    let mut given = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(ip) => local = Some(*ip),
            AddressAttribute::Address(ip) => given = Some(*ip),
            _ => {}
        }
    }
    Some(LinkAddress {
        dev: name(message.header.index, names),
        address: IpNet::new(local.or(given)?, message.header.prefix_len).ok()?,
        tentative: message.header.flags.contains(AddressHeaderFlags::Tentative),
    })
}

/// One entry of the neighbour table (ARP, neighbour discovery).
pub(super) fn neighbour(message: &NeighbourMessage, names: &Names) -> Option<Neighbour> {
    let mut address = None;
    let mut hardware = None;
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => address = Some(IpAddr::from(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => address = Some(IpAddr::from(*v6)),
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                hardware = Some(bytes.join(":"));
            }
            _ => {}
        }
    }
    Some(Neighbour {
        address: address?,
        dev: name(message.header.ifindex, names),
        hardware,
        state: format!("{:?}", message.header.state).to_lowercase(),
    })
}
