//! `show bgp neighbors json`: the sessions, whole.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::lenient::{self, Object};
use super::reasons;
use crate::router::session::{Family, FamilyState, Reset, Session, SessionState, SessionType, Sessions};

/// Reads the answer. Keys that are not neighbors (`vrfId`, `vrfName`) are passed over.
pub(in crate::router) fn sessions(answer: &Value) -> Sessions {
    let Some(all) = answer.as_object() else { return Sessions::new() };
    all.iter()
        .filter_map(|(key, value)| {
            let fields = value.as_object().filter(|fields| fields.contains_key("bgpState"))?;
            Some((key.clone(), session(key, fields)))
        })
        .collect()
}

fn session(key: &str, fields: &Object) -> Session {
    let own: Option<IpAddr> = key.parse().ok();
    let state = SessionState::from_word(lenient::text(fields, "bgpState").unwrap_or_default());
    let up = state == SessionState::Established;
    let milliseconds = |name: &str| lenient::milliseconds(fields.get(name));
    Session {
        neighbor: key.to_owned(),
        interface: own.is_none().then(|| key.to_owned()),
        handle: None,
        address: own
            .or_else(|| lenient::address(fields.get("bgpNeighborAddr")))
            .or_else(|| lenient::address(fields.get("hostForeign"))),
        local_address: lenient::address(fields.get("hostLocal")),
        hostname: lenient::string(fields, "hostname"),
        remote_as: lenient::asn(fields.get("remoteAs")),
        local_as: lenient::asn(fields.get("localAs")).unwrap_or_default(),
        state,
        kind: kind(fields),
        remote_id: match lenient::address(fields.get("remoteRouterId")) {
            Some(IpAddr::V4(id)) => Some(id),
            _ => None,
        },
        // FRR shows the configured timers here too while nothing is negotiated.
        hold: milliseconds("bgpTimerHoldTimeMsecs").filter(|_| up),
        keepalive: milliseconds("bgpTimerKeepAliveIntervalMsecs").filter(|_| up),
        configured_hold: milliseconds("bgpTimerConfiguredHoldTimeMsecs"),
        configured_keepalive: milliseconds("bgpTimerConfiguredKeepAliveIntervalMsecs"),
        connect_retry: lenient::number(fields.get("connectRetryTimer")).map(std::time::Duration::from_secs),
        next_connect: milliseconds("nextConnectTimerDueInMsecs"),
        next_start: milliseconds("nextStartTimerDueInMsecs"),
        uptime: milliseconds("bgpTimerUpMsec").filter(|_| up),
        established_count: lenient::number(fields.get("connectionsEstablished")).unwrap_or_default(),
        dropped_count: lenient::number(fields.get("connectionsDropped")).unwrap_or_default(),
        last_reset: last_reset(fields),
        peer_group: lenient::string(fields, "peerGroup"),
        shutdown: lenient::flag(fields, "adminShutDown"),
        defers: lenient::object(fields, "gracefulRestartInfo")
            .and_then(|restart| lenient::string(restart, "localGrMode"))
            .is_some_and(|mode| mode.starts_with("Restart")),
        families: families(fields),
    }
}

/// Configured as internal or external; where neither flag is there, equal AS numbers decide.
fn kind(fields: &Object) -> SessionType {
    let same = lenient::asn(fields.get("remoteAs")) == lenient::asn(fields.get("localAs"));
    let internal = lenient::flag(fields, "nbrInternalLink")
        || lenient::flag(fields, "nbrConfedInternalLink")
        || (same && !lenient::flag(fields, "nbrExternalLink"));
    if internal { SessionType::Internal } else { SessionType::External }
}

fn last_reset(fields: &Object) -> Option<Reset> {
    let reason = lenient::string(fields, "lastResetDueTo");
    let notification = lenient::string(fields, "lastNotificationReason")
        .or_else(|| lenient::string(fields, "lastShutdownDescription"));
    if reason.is_none() && notification.is_none() {
        return None;
    }
    let code = lenient::text(fields, "lastErrorCodeSubcode").and_then(code);
    Some(Reset {
        reason: reason.unwrap_or_default(),
        notification: notification.map(|said| reasons::notification(said, code)),
        code,
        ago: lenient::milliseconds(fields.get("lastResetTimerMsecs")),
    })
}

/// `0603`: two bytes in hexadecimal.
fn code(text: &str) -> Option<(u8, u8)> {
    let both = u16::from_str_radix(text, 16).ok()?;
    let [code, subcode] = both.to_be_bytes();
    Some((code, subcode))
}

fn families(fields: &Object) -> BTreeMap<Family, FamilyState> {
    let Some(configured) = lenient::object(fields, "addressFamilyInfo") else { return BTreeMap::new() };
    let negotiated = lenient::object(fields, "neighborCapabilities")
        .and_then(|capabilities| lenient::object(capabilities, "multiprotocolExtensions"));
    let received = lenient::object(fields, "gracefulRestartInfo")
        .and_then(|restart| lenient::object(restart, "endOfRibRecv"));
    configured
        .iter()
        .filter_map(|(name, value)| {
            let counters = value.as_object()?;
            let state = FamilyState {
                negotiated: negotiated
                    .and_then(|all| lenient::object(all, name))
                    .is_some_and(|ends| lenient::flag(ends, "advertisedAndReceived")),
                accepted: lenient::number(counters.get("acceptedPrefixCounter")).unwrap_or_default(),
                sent: lenient::number(counters.get("sentPrefixCounter")),
                end_of_rib_received: received.is_some_and(|all| lenient::flag(all, name)),
            };
            Some((Family::from_word(name), state))
        })
        .collect()
}
