//! What was heard on the links, told to the recorder by the names of boxes.
//!
//! What lives here: on which ports sessions are to be expected, whose an address is, and which packet has arrived. What does not:
//! hearing (`fabric_harness::capture`).

use std::collections::{BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use fabric_harness::capture::{Captures, Heard, MessageKind, What};
use fabric_harness::fabric::Fabric;
use fabric_harness::lab::{Endpoint, NetworkMode, Topology};
use fabric_reports::Recorder;
use fabric_reports::record::{Happening, Message};
use serde_json::Value as Json;

use super::atlas::Atlas;
use super::prepare::Prepared;
use crate::plan::Action;

/// The port of BGP (RFC 4271, section 8.2.1).
const BGP: u16 = 179;

/// Begins to listen to a fabric's links.
pub(super) fn listen(fabric: &Arc<Fabric>, prepared: &Prepared) -> Captures {
    let ports: Vec<u16> = ports(prepared).into_iter().collect();
    Captures::start(fabric, &ports)
}

/// The ports on which the lab's sessions are: BGP's own, and those that its policies and routers name.
fn ports(prepared: &Prepared) -> BTreeSet<u16> {
    let mut ports = BTreeSet::from([BGP]);
    for action in prepared.plan.iter().flat_map(|phase| &phase.actions) {
        match action {
            Action::Apply(all) => all.iter().for_each(|manifest| of_object(&manifest.object, &mut ports)),
            Action::Run(run) => of_line(&run.command.text, &mut ports),
            _ => {}
        }
    }
    let nodes = prepared.lab.topology.nodes.iter();
    nodes.flat_map(|node| node.lines()).for_each(|line| of_line(&line.text, &mut ports));
    ports
}

/// `peerPort` and `localPort`, wherever they stand.
fn of_object(object: &Json, ports: &mut BTreeSet<u16>) {
    match object {
        Json::Object(fields) => {
            for (name, value) in fields {
                if matches!(name.as_str(), "peerPort" | "localPort") {
                    ports.extend(value.as_u64().and_then(|port| u16::try_from(port).ok()));
                }
                of_object(value, ports);
            }
        }
        Json::Array(all) => all.iter().for_each(|one| of_object(one, ports)),
        _ => {}
    }
}

/// FRR's `neighbor PEER port NUMBER`.
fn of_line(line: &str, ports: &mut BTreeSet<u16>) {
    let words: Vec<&str> = line.split(|one: char| one.is_whitespace() || one == '\'' || one == '"').collect();
    for four in words.windows(4) {
        if let ["neighbor", _, "port", port] = four {
            ports.extend(port.parse::<u16>().ok());
        }
    }
}

/// Tells the recorder what was heard, each at its own time.
pub(super) fn tell(captures: &Captures, atlas: &Atlas, recorder: &Recorder) {
    let (heard, more) = captures.heard();
    let names = Names { atlas };
    let mut arrived = HashSet::new();
    for one in heard {
        let Some((source, what, of)) = names.told(&one, &mut arrived) else { continue };
        let ago = SystemTime::now().duration_since(UNIX_EPOCH + one.at).unwrap_or_default();
        if let Some(moment) = Instant::now().checked_sub(ago) {
            recorder.happened(moment, source, what, of);
        }
    }
    if more > 0 {
        recorder.event("links", format!("{more} more messages were heard than are told of"));
    }
}

struct Names<'a> {
    atlas: &'a Atlas,
}

impl Names<'_> {
    fn told(
        &self,
        heard: &Heard,
        arrived: &mut HashSet<(IpAddr, IpAddr)>,
    ) -> Option<(String, String, Happening)> {
        let (from, to) = (self.name(heard, true), self.name(heard, false));
        let message = |message: Message, what: String| {
            Some((from.clone(), what, Happening::Message { message, to: to.clone() }))
        };
        match &heard.what {
            What::Connected => message(Message::Tcp, format!("TCP connection to {to} ({})", heard.to)),
            What::Message(MessageKind::Open, _) => message(Message::Open, format!("OPEN to {to}")),
            What::Message(MessageKind::Update, _) => {
                message(Message::Update, format!("first UPDATE to {to}"))
            }
            What::Message(MessageKind::Keepalive, _) => {
                message(Message::Keepalive, format!("first KEEPALIVE to {to}"))
            }
            What::Message(MessageKind::Notification, said) => {
                let words = said.as_ref().map(ToString::to_string).unwrap_or_default();
                message(Message::Notification, format!("NOTIFICATION to {to}: {words}"))
            }
            What::Message(..) => None,
            What::Echo => {
                let (sender, receiver) = (heard.from.ip(), heard.to.ip());
                if !self.arrives(heard) || !arrived.insert((sender, receiver)) {
                    return None;
                }
                let what = format!("the first echo request of {from} ({sender}) arrived at {receiver}");
                Some((to.clone(), what, Happening::FirstPacket { from, to }))
            }
        }
    }

    /// The box that sent it, or to which it goes: by its address, else by the end of the link.
    fn name(&self, heard: &Heard, sender: bool) -> String {
        let address = if sender { heard.from } else { heard.to }.ip();
        let by_link = || self.end(heard, sender).unwrap_or_else(|| address.to_string());
        self.owner(address).unwrap_or_else(by_link)
    }

    /// The box at that end of the link from which it came, or to which it went.
    fn end(&self, heard: &Heard, sender: bool) -> Option<String> {
        let link = self.atlas.topology.links.get(heard.link)?;
        let end = if heard.forward == sender { &link.a } else { &link.b };
        let Endpoint::Node { node, .. } = end else { return None };
        Some(self.own_name(node))
    }

    /// A server of a topology is the node of the cluster whose network it has.
    fn own_name(&self, node: &str) -> String {
        own_name(&self.atlas.topology, node, |other| {
            self.atlas.topology.resolve_container(self.atlas.cluster.as_deref(), other)
        })
    }

    /// Whose address it is, if it is one box's alone.
    fn owner(&self, address: IpAddr) -> Option<String> {
        if matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()) {
            return None;
        }
        self.pod(address).map(|(name, _)| name).or_else(|| {
            let has = |(_, seen): &(&String, &super::atlas::Interfaces)| {
                seen.addresses.iter().any(|own| own.address.addr() == address)
            };
            self.atlas.interfaces.iter().find(has).map(|(node, _)| self.own_name(node))
        })
    }

    /// The pod of an address, and the node it is on. Pods in their node's network have its address.
    fn pod(&self, address: IpAddr) -> Option<(String, String)> {
        let text = address.to_string();
        self.atlas.pods.iter().flatten().find_map(|pod| {
            let (spec, status) = (pod.spec.as_ref()?, pod.status.as_ref()?);
            let own = !spec.host_network.unwrap_or(false);
            let has = status.pod_ip.as_deref() == Some(&text)
                || status.pod_ips.iter().flatten().any(|ip| ip.ip == text);
            let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
            let name = format!("{namespace}/{}", pod.metadata.name.as_deref()?);
            (own && has).then(|| (name, spec.node_name.clone().unwrap_or_default()))
        })
    }

    /// Whether the box at the far end of the link is the one it is for, or has the pod.
    fn arrives(&self, heard: &Heard) -> bool {
        let Some(end) = self.end(heard, false) else { return false };
        let to = heard.to.ip();
        match self.pod(to) {
            Some((_, node)) => node == end,
            None => self.owner(to).is_some_and(|owner| owner == end),
        }
    }
}

fn own_name(topology: &Topology, node: &str, resolve: impl Fn(&str) -> Option<String>) -> String {
    let shared = topology.node(node).and_then(|node| match &node.network_mode {
        NetworkMode::Container(other) => resolve(other),
        _ => None,
    });
    shared.unwrap_or_else(|| node.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_found_in_policies_and_in_lines_of_routers() {
        let mut ports = BTreeSet::new();
        of_object(
            &serde_json::json!({"spec": {"a": [{"peerPort": 1790}], "localPort": 2000, "port": 7}}),
            &mut ports,
        );
        of_line(
            "vtysh -c 'conf t' -c ' neighbor 10.0.0.1 port 1791' -c 'neighbor x remote-as 1'",
            &mut ports,
        );
        assert_eq!(ports, BTreeSet::from([1790, 1791, 2000]));
    }
}
