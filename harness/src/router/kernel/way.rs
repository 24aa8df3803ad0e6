//! Which way a kernel sends one packet: its own answer, with its rules and its checks of where a packet comes from.
//!
//! What lives here: the question (`RTM_GETROUTE` for one packet, as `ip route get` asks it) and its answer. What does
//! not: whole tables (`dump`), and following a packet from box to box.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};

use super::dump::Kernel;
use super::iproute;
use super::messages;
use crate::node::Command;
use crate::router::error::RouterError;
use crate::router::fib::{FibNextHop, RouteKind};

/// A packet of which a kernel is asked where it would go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Where it is to go.
    pub to: IpAddr,
    /// Where it says it comes from; the kernel's own choice when not said.
    pub from: Option<IpAddr>,
    /// The interface by which it has come in; a packet of the node's own when not said.
    pub arrives: Option<String>,
}

/// Where a kernel would send a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To nobody: it is for the node itself.
    Local {
        /// The source that the kernel would give a packet of the node's own.
        source: Option<IpAddr>,
    },
    /// On.
    On {
        /// The next hop.
        next: FibNextHop,
        /// The source that the kernel would give a packet of the node's own.
        source: Option<IpAddr>,
    },
    /// Nowhere: the kernel drops it.
    Refused {
        /// The system's error number; 0 where there is none.
        code: i32,
        /// The system's words for it.
        why: String,
    },
}

impl Packet {
    /// A packet of the node's own.
    pub fn to(to: IpAddr) -> Self {
        Self { to, from: None, arrives: None }
    }

    /// The command that asks the same.
    pub fn by_hand(&self) -> String {
        let six = if self.to.is_ipv6() { "-6 " } else { "" };
        let mut line = format!("ip {six}route get {}", self.to);
        if let Some(from) = self.from {
            line += &format!(" from {from}");
        }
        if let Some(arrives) = &self.arrives {
            line += &format!(" iif {arrives}");
        }
        line
    }
}

impl Kernel {
    /// Asks the kernel where a packet would go. Nothing is sent.
    ///
    /// # Errors
    /// When the kernel cannot be asked, or has no interface of that name. That it would drop the packet is an answer.
    pub async fn way(&self, packet: &Packet) -> Result<Way, RouterError> {
        if self.by_program().await? {
            return self.way_by_program(packet).await;
        }
        let names = self.names().await?;
        let arrives = match &packet.arrives {
            None => None,
            Some(wanted) => {
                let found = names.iter().find(|(_, name)| *name == wanted).map(|(index, _)| *index);
                let none = || io::Error::other(format!("there is no interface {wanted}"));
                Some(found.ok_or_else(|| self.broken("the way of a packet", &none()))?)
            }
        };
        let answer = self.ask("the way of a packet", &request(packet, arrives)).await?;
        match answer {
            Ok(RouteNetlinkMessage::NewRoute(message)) => Ok(read(&message, &names)),
            Ok(_) => Ok(Way::Refused { code: 0, why: "an answer that is no route".to_owned() }),
            Err(error) => {
                let why = io_words(&error);
                Ok(Way::Refused { code: error.raw_os_error().unwrap_or_default(), why })
            }
        }
    }

    async fn way_by_program(&self, packet: &Packet) -> Result<Way, RouterError> {
        let line = packet.by_hand().replacen("ip ", "ip -json ", 1);
        let output = self.node().exec(&Command::new(line.split_whitespace())).await?;
        if output.success() {
            return iproute::way(&output.text())
                .map_err(|error| self.broken("the way of a packet", &io::Error::other(error)));
        }
        // `RTNETLINK answers: Network is unreachable`; any other word is not the kernel's.
        let said = output.error_text();
        match said.split_once("RTNETLINK answers:") {
            Some((_, why)) => Ok(Way::Refused { code: 0, why: why.trim().to_owned() }),
            None => Err(self.broken("the way of a packet", &io::Error::other(said.trim().to_owned()))),
        }
    }
}

/// The system's words without its number: `Network is unreachable`.
fn io_words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

fn request(packet: &Packet, arrives: Option<u32>) -> Vec<u8> {
    let mut message = RouteMessage::default();
    let (family, bits) =
        if packet.to.is_ipv6() { (AddressFamily::Inet6, 128) } else { (AddressFamily::Inet, 32) };
    message.header.address_family = family;
    message.header.destination_prefix_length = bits;
    message.attributes.push(RouteAttribute::Destination(address(packet.to)));
    if let Some(from) = packet.from {
        message.header.source_prefix_length = bits;
        message.attributes.push(RouteAttribute::Source(address(from)));
    }
    if let Some(index) = arrives {
        message.attributes.push(RouteAttribute::Iif(index));
    }
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = 1;
    let payload = NetlinkPayload::from(RouteNetlinkMessage::GetRoute(message));
    let mut request = NetlinkMessage::new(header, payload);
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    bytes
}

fn address(ip: IpAddr) -> RouteAddress {
    match ip {
        IpAddr::V4(v4) => RouteAddress::Inet(v4),
        IpAddr::V6(v6) => RouteAddress::Inet6(v6),
    }
}

fn read(message: &RouteMessage, names: &messages::Names) -> Way {
    let route = messages::route(message, names);
    let refused = |why: &str| Way::Refused { code: 0, why: why.to_owned() };
    match (message.header.kind, route.kind) {
        (RouteType::Local, _) => Way::Local { source: route.source },
        (_, RouteKind::Blackhole) => refused("a blackhole route"),
        (_, RouteKind::Unreachable) => refused("an unreachable route"),
        (_, RouteKind::Prohibit) => refused("a prohibit route"),
        _ => match route.next_hops.into_iter().next() {
            Some(next) => Way::On { next, source: route.source },
            None => refused("a route that leads nowhere"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_can_be_asked_by_hand() {
        let packet = Packet {
            to: "10.0.4.2".parse().unwrap(),
            from: Some("10.0.2.2".parse().unwrap()),
            arrives: Some("net0".to_owned()),
        };
        assert_eq!(packet.by_hand(), "ip route get 10.0.4.2 from 10.0.2.2 iif net0");
        assert_eq!(Packet::to("fd00::1".parse().unwrap()).by_hand(), "ip -6 route get fd00::1");
    }

    #[test]
    fn a_request_is_one_message_for_one_packet() {
        let bytes = request(&Packet::to("10.0.4.2".parse().unwrap()), Some(7));
        let messages = messages::split(&bytes).unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].header.flags, NLM_F_REQUEST);
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::GetRoute(route)) = &messages[0].payload else {
            panic!("{:?}", messages[0]);
        };
        assert!(route.attributes.contains(&RouteAttribute::Iif(7)));
        assert_eq!(messages::prefix(route).unwrap().to_string(), "10.0.4.2/32");
    }
}
