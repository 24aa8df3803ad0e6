//! What the second API lets one write and nobody acts on: named by field, so that nothing is dropped without a word.
//!
//! What lives here: fields without effect, and fields that contradict each other. What does not: values that cannot be
//! (`instances` says those where it reads them).

use crate::cilium::bgp::{Advertisement, AdvertisementType, CiliumBGPPeerConfigSpec, NodePeer, PeerTimers};
use crate::cilium::{CiliumVersion, Promises};

/// The fields of a peer, and of its configuration, that change nothing.
pub(super) fn ignored(
    version: &CiliumVersion,
    peer: &NodePeer,
    config: &CiliumBGPPeerConfigSpec,
) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(port) = config.transport.as_ref().and_then(|transport| transport.local_port) {
        // From 1.18 on Cilium does not read it; before, it hands it to GoBGP, which does not.
        let why = if version.line() >= (1, 18) {
            "Cilium ignores it from 1.18 on"
        } else {
            "GoBGP dials from the port that the kernel gives"
        };
        found.push(format!(
            "transport.localPort {port} is not honoured: {why}; leave it out (to listen, set localPort of the instance)"
        ));
    }
    if let Some(reference) = &peer.peer_config_ref {
        let wrong = |field: &str, given: &Option<String>, only: &str| {
            let given = given.as_deref().filter(|given| !given.is_empty() && *given != only)?;
            Some(format!("peerConfigRef.{field} `{given}` is not honoured: it is always {only}"))
        };
        found.extend(wrong("group", &reference.group, "cilium.io"));
        found.extend(wrong("kind", &reference.kind, "CiliumBGPPeerConfig"));
    }
    if peer.peer_address.is_some() && peer.auto_discovery.is_some() {
        found.push("autoDiscovery is not acted on: peerAddress says already whom to dial".to_owned());
    }
    found
}

/// The fields of a peer's configuration that something else takes the place of, as Cilium documents it: worth an event, and
/// no error.
pub(super) fn overruled(peer: &NodePeer, config: &CiliumBGPPeerConfigSpec, local_asn: i64) -> Vec<String> {
    let mut found = Vec::new();
    let local = peer.local_address.as_deref().is_some_and(|text| !text.is_empty());
    let interface = config.transport.as_ref().and_then(|transport| transport.source_interface.as_deref());
    if local && interface.is_some_and(|name| !name.is_empty()) {
        found.push("transport.sourceInterface is not acted on: localAddress of the node's override says already where connections come from".to_owned());
    }
    if let Some(ttl) = config.ebgp_multihop.filter(|ttl| *ttl > 1 && peer.peer_asn == Some(local_asn)) {
        found.push(format!("ebgpMultihop {ttl} is not acted on: the peer is of the same AS"));
    }
    found
}

/// Timers that a real API server refuses, since they contradict each other.
pub(super) fn timers(timers: &PeerTimers) -> Result<(), String> {
    let seconds = |set: Option<i32>, default: std::time::Duration| {
        set.map_or(i64::try_from(default.as_secs()).unwrap_or(i64::MAX), i64::from)
    };
    let hold = seconds(timers.hold_time_seconds, Promises::HOLD);
    let keepalive = seconds(timers.keep_alive_time_seconds, Promises::KEEPALIVE);
    if keepalive > hold {
        return Err(format!(
            "timers.keepAliveTimeSeconds {keepalive} is above timers.holdTimeSeconds {hold}"
        ));
    }
    Ok(())
}

/// An advertisement whose fields do not go together. From 1.18 on most such are refused by the rules of its definition
/// (`cilium::crd`); what comes through goes out to nobody.
pub(super) fn advertisement(advertisement: &Advertisement) -> Result<(), String> {
    use AdvertisementType::{Interface, PodCIDR, Service};
    let kind = advertisement.advertisement_type;
    let field = |name: &str, there: bool, of: AdvertisementType| match (there, kind == of) {
        (true, false) => Err(format!("{name} is not allowed with advertisementType {kind:?}")),
        (false, true) => Err(format!("{name} is needed with advertisementType {kind:?}")),
        _ => Ok(()),
    };
    field("service", advertisement.service.is_some(), Service)?;
    field("interface", advertisement.interface.is_some(), Interface)?;
    if kind == PodCIDR && advertisement.selector.is_some() {
        return Err("selector is not allowed with advertisementType PodCIDR: the node's pod CIDRs are meant, all of them".to_owned());
    }
    Ok(())
}

/// What of an advertisement changes nothing, though it goes out.
pub(super) fn unread(advertisement: &Advertisement) -> Option<String> {
    let dropped =
        advertisement.selector.is_some() && advertisement.advertisement_type == AdvertisementType::Interface;
    dropped.then(|| "selector is not honoured with advertisementType Interface".to_owned())
}
