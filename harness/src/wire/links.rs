//! Verbs on links: veth pairs between namespaces, bridges, addresses, routes.
//!
//! What lives here: one kernel request per verb. What does not: which links a lab has (`fabric`), addresses to hand
//! out (`addresses`).

use std::collections::HashMap;
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::rtnl::{Rtnl, WireError};

/// One end of a link.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Which namespace it stands in.
    pub wire: &'a Wire,
    /// Interface name there.
    pub interface: &'a str,
    /// Its hardware address; the kernel makes one unless said.
    pub mac: Option<[u8; 6]>,
}

impl End<'_> {
    /// Whether an interface of that name stands there.
    fn is_taken(&self) -> bool {
        self.wire.link(self.interface).is_ok()
    }
}

/// A veth pair to be made.
#[derive(Debug, Clone, Copy)]
pub struct LinkSpec<'a> {
    /// One end.
    pub a: End<'a>,
    /// The other end.
    pub b: End<'a>,
    /// Largest packet in bytes, without the Ethernet header; the kernel's 1500 unless said.
    pub mtu: Option<u32>,
}

/// The links of one network namespace.
#[derive(Debug)]
pub struct Wire {
    name: String,
    namespace: File,
    rtnl: Rtnl,
}

impl Wire {
    /// Opens the links of a namespace; `name` is for messages.
    pub fn open(name: impl Into<String>, namespace: File) -> Result<Self, WireError> {
        let name = name.into();
        let rtnl = Rtnl::open(&namespace)
            .map_err(|error| WireError::refused(format!("open a netlink socket in {name}"), error))?;
        Ok(Self { name, namespace, rtnl })
    }

    /// The namespace itself.
    pub fn namespace(&self) -> &File {
        &self.namespace
    }

    /// Makes a veth pair, each end directly in its namespace, both up.
    pub fn connect(link: &LinkSpec<'_>) -> Result<(), WireError> {
        loop {
            match Self::try_connect(link) {
                // An engine's interfaces keep the indexes they got in its own namespace: ours may be taken. They only grow.
                Err(error) if error.is_there_already() && !link.a.is_taken() && !link.b.is_taken() => {}
                done => return done,
            }
        }
    }

    fn try_connect(link: &LinkSpec<'_>) -> Result<(), WireError> {
        let what = || {
            format!(
                "link {}:{} to {}:{}",
                link.a.wire.name, link.a.interface, link.b.wire.name, link.b.interface
            )
        };
        let [near_index, far_index] = [next_index(), next_index()];
        let mut far = message(&link.b, link.mtu);
        far.header.index = far_index;
        far.attributes.push(LinkAttribute::NetNsFd(link.b.wire.namespace.as_raw_fd()));
        let mut near = message(&link.a, link.mtu);
        // Only the near end may be made up: the kernel refuses a peer that is up before its partner exists.
        near.header.index = near_index;
        near.header.flags = LinkFlags::Up;
        near.header.change_mask = LinkFlags::Up;
        near.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(far))),
        ]));
        link.a
            .wire
            .rtnl
            .change(RouteNetlinkMessage::NewLink(near), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|error| WireError::refused(what(), error))?;
        link.b.wire.up(link.b.interface)
    }

    /// Makes a bridge that forwards from the start (no spanning tree).
    pub fn bridge(&self, name: &str) -> Result<(), WireError> {
        let mut bridge = LinkMessage::default();
        bridge.header.flags = LinkFlags::Up;
        bridge.header.change_mask = LinkFlags::Up;
        bridge.attributes.push(LinkAttribute::IfName(name.to_owned()));
        bridge.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        let made = self.rtnl.change(RouteNetlinkMessage::NewLink(bridge), NLM_F_CREATE | NLM_F_EXCL);
        made.map_err(|error| self.refused(format!("make the bridge {name}"), error))
    }

    /// Puts an interface under a bridge.
    pub fn enslave(&self, interface: &str, bridge: &str) -> Result<(), WireError> {
        let index = self.index(bridge)?;
        self.set(interface, LinkAttribute::Controller(index), "put under the bridge")
    }

    /// Sets an interface up.
    pub fn up(&self, interface: &str) -> Result<(), WireError> {
        let mut link = LinkMessage::default();
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes.push(LinkAttribute::IfName(interface.to_owned()));
        let set = self.rtnl.change(RouteNetlinkMessage::SetLink(link), 0);
        set.map_err(|error| self.refused(format!("set {interface} up"), error))
    }

    /// Removes an interface (and its peer).
    pub fn remove(&self, interface: &str) -> Result<(), WireError> {
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(interface.to_owned()));
        let gone = self.rtnl.change(RouteNetlinkMessage::DelLink(link), 0);
        gone.map_err(|error| self.refused(format!("remove {interface}"), error))
    }

    fn set(&self, interface: &str, attribute: LinkAttribute, what: &str) -> Result<(), WireError> {
        let mut link = LinkMessage::default();
        link.header.index = self.index(interface)?;
        link.attributes.push(attribute);
        let set = self.rtnl.change(RouteNetlinkMessage::SetLink(link), 0);
        set.map_err(|error| self.refused(format!("{interface}: {what}"), error))
    }

    /// Gives an interface an address with its prefix length.
    pub fn address(&self, interface: &str, address: IpNet) -> Result<(), WireError> {
        let mut message = AddressMessage::default();
        message.header.index = self.index(interface)?;
        message.header.family = family(address.addr());
        message.header.prefix_len = address.prefix_len();
        message.header.scope = AddressScope::Universe;
        if address.addr().is_ipv6() {
            // Nobody else can have it, and an address that is being looked for cannot be a route's source yet.
            message.header.flags = AddressHeaderFlags::Nodad;
        }
        message.attributes.push(AddressAttribute::Local(address.addr()));
        message.attributes.push(AddressAttribute::Address(address.addr()));
        if let IpNet::V4(v4) = address
            && v4.prefix_len() < 31
        {
            message.attributes.push(AddressAttribute::Broadcast(v4.broadcast()));
        }
        let made = self.rtnl.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL);
        made.map_err(|error| self.refused(format!("give {interface} the address {address}"), error))
    }

    /// Takes an address from an interface.
    pub fn forget(&self, interface: &str, address: IpNet) -> Result<(), WireError> {
        let mut message = AddressMessage::default();
        message.header.index = self.index(interface)?;
        message.header.family = family(address.addr());
        message.header.prefix_len = address.prefix_len();
        message.attributes.push(AddressAttribute::Local(address.addr()));
        message.attributes.push(AddressAttribute::Address(address.addr()));
        let gone = self.rtnl.change(RouteNetlinkMessage::DelAddress(message), 0);
        gone.map_err(|error| self.refused(format!("take the address {address} from {interface}"), error))
    }

    /// Adds or replaces a route in the main table.
    pub fn route(&self, route: &RouteSpec<'_>) -> Result<(), WireError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(route.to.addr());
        message.header.destination_prefix_length = route.to.prefix_len();
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Boot;
        message.header.kind = RouteType::Unicast;
        message.header.scope = if route.via.is_some() { RouteScope::Universe } else { RouteScope::Link };
        if route.to.prefix_len() > 0 {
            message.attributes.push(RouteAttribute::Destination(route.to.network().into()));
        }
        message.attributes.push(RouteAttribute::Oif(self.index(route.interface)?));
        if let Some(via) = route.via {
            message.attributes.push(RouteAttribute::Gateway(RouteAddress::from(via)));
        }
        if let Some(source) = route.source {
            message.attributes.push(RouteAttribute::PrefSource(RouteAddress::from(source)));
        }
        let made = self.rtnl.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE);
        made.map_err(|error| self.refused(format!("route {} by {}", route.to, route.interface), error))
    }

    /// Pins the hardware address of a neighbor on a link.
    pub fn neighbor(&self, interface: &str, address: IpAddr, mac: &[u8]) -> Result<(), WireError> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = self.index(interface)?;
        message.header.state = NeighbourState::Permanent;
        message.attributes.push(NeighbourAttribute::Destination(match address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        }));
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        let made = self.rtnl.change(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE);
        made.map_err(|error| self.refused(format!("pin the neighbor {address} on {interface}"), error))
    }

    /// The hardware address of an interface.
    pub fn mac(&self, interface: &str) -> Result<Vec<u8>, WireError> {
        let link = self.link(interface)?;
        let mac = link.attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::Address(mac) => Some(mac),
            _ => None,
        });
        mac.ok_or_else(|| {
            self.refused(format!("{interface} has no hardware address"), std::io::ErrorKind::NotFound.into())
        })
    }

    fn index(&self, interface: &str) -> Result<u32, WireError> {
        Ok(self.link(interface)?.header.index)
    }

    fn link(&self, interface: &str) -> Result<LinkMessage, WireError> {
        let mut by_name: HashMap<String, LinkMessage> = self.links()?;
        by_name.remove(interface).ok_or_else(|| {
            self.refused(format!("find the interface {interface}"), std::io::ErrorKind::NotFound.into())
        })
    }

    fn links(&self) -> Result<HashMap<String, LinkMessage>, WireError> {
        let all = self
            .rtnl
            .dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))
            .map_err(|error| self.refused("list the interfaces", error))?;
        Ok(all
            .into_iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewLink(link) => {
                    let name = link.attributes.iter().find_map(|attribute| match attribute {
                        LinkAttribute::IfName(name) => Some(name.clone()),
                        _ => None,
                    })?;
                    Some((name, link))
                }
                _ => None,
            })
            .collect())
    }

    fn refused(&self, what: impl std::fmt::Display, error: std::io::Error) -> WireError {
        WireError::refused(format!("{}: {what}", self.name), error)
    }
}

/// A route to be made.
#[derive(Debug, Clone, Copy)]
pub struct RouteSpec<'a> {
    /// Destination.
    pub to: IpNet,
    /// Next hop; on the link itself unless said.
    pub via: Option<IpAddr>,
    /// Interface.
    pub interface: &'a str,
    /// Address that our own packets (and ICMP errors) along this route come from.
    pub source: Option<IpAddr>,
}

impl<'a> RouteSpec<'a> {
    /// The default route of the next hop's family.
    pub fn default(via: IpAddr, interface: &'a str) -> Self {
        Self { to: everywhere(via), via: Some(via), interface, source: None }
    }
}

/// An interface index that no other interface of this keeper has, as a container engine's interfaces have on a host.
///
/// Two ends of a link with the same index in their two namespaces look to the kernel like no link at all, and what
/// follows from its coming up (the transmit queue of the end that was up first) then waits for up to a second.
fn next_index() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(100);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The prefix of all addresses of a family.
fn everywhere(family: IpAddr) -> IpNet {
    match family {
        IpAddr::V4(_) => IpNet::V4(Default::default()),
        IpAddr::V6(_) => IpNet::V6(Default::default()),
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn message(end: &End<'_>, mtu: Option<u32>) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.attributes.push(LinkAttribute::IfName(end.interface.to_owned()));
    if let Some(mtu) = mtu {
        link.attributes.push(LinkAttribute::Mtu(mtu));
    }
    if let Some(mac) = end.mac {
        link.attributes.push(LinkAttribute::Address(mac.to_vec()));
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::netns::socket::new_namespace;

    /// Indexes of an engine's interfaces and of ours meet: a link must not fail for it.
    #[test]
    fn a_taken_index_is_no_reason_to_fail() {
        // Only root may make a namespace without a user namespace around it, and that wants a process of one thread.
        let (Ok(a), Ok(b)) = (new_namespace(), new_namespace()) else {
            eprintln!("not run: making a network namespace takes root");
            return;
        };
        let (a, b) = (Wire::open("a", a).expect("a"), Wire::open("b", b).expect("b"));
        let end = |wire, interface| End { wire, interface, mac: None };
        let link = |x, y| LinkSpec { a: end(&a, x), b: end(&b, y), mtu: None };
        Wire::connect(&link("one", "one")).expect("the first link");
        let last = a.link("one").expect("one").header.index.max(b.link("one").expect("one").header.index);
        for index in last + 1..last + 9 {
            let mut other = LinkMessage::default();
            other.header.index = index;
            other.attributes.push(LinkAttribute::IfName(format!("o{index}")));
            other.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
            let made = b.rtnl.change(RouteNetlinkMessage::NewLink(other), NLM_F_CREATE | NLM_F_EXCL);
            made.expect("an interface with an index of its own");
        }
        Wire::connect(&link("two", "two")).expect("a link beside taken indexes");
        let error = Wire::connect(&link("two", "three")).expect_err("the name is taken");
        assert!(error.is_there_already(), "{error}");
    }
}
