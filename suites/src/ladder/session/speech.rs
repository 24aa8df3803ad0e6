//! Who is told to speak with whom: daemons, their configuration, and Cilium's policies.
//!
//! What lives here: the rung `policy`. What does not: which policy chooses which node (`policies`), and what comes over
//! the wire (`wire`).

use std::net::IpAddr;
use std::time::Duration;

use fabric_harness::router::Session;
use fabric_reports::record::RungName;

use super::super::Blame;
use super::facts::{CiliumSeen, End, RouterSeen, SessionFacts, Speaker};
use super::policies;
use super::words::{Step, blame, json, listed, proof, text};

/// How long things must have been as they are before what a configuration lacks will not come: a daemon that was started
/// again is given what is on file within moments.
const CONFIGURED: Duration = Duration::from_secs(1);

/// Both ends have somebody who is told to speak with the other.
pub(super) fn policy(facts: &SessionFacts) -> Step {
    let ends = || facts.ends.iter();
    if let Some(blame) = ends().find_map(silent_daemon) {
        return Step::Broken(blame);
    }
    if let Some(blame) = ends().find_map(shut_down) {
        return Step::Broken(blame);
    }
    if let Some(blame) = stranger(facts) {
        return Step::Broken(blame);
    }
    if facts.still >= CONFIGURED
        && let Some(blame) = facts.pairs().find_map(|(end, other)| unconfigured(end, Some(other)))
    {
        return Step::Broken(blame);
    }
    if let Some(blame) = addresses_differ(facts) {
        return Step::Broken(blame);
    }
    for (end, other) in facts.pairs() {
        let Some(seen) = end.cilium() else { continue };
        if let Some(step) = cilium(end, seen, other) {
            return step;
        }
    }
    let told: Vec<String> = facts.pairs().filter_map(|(end, other)| speaks_with(end, other)).collect();
    match told.as_slice() {
        [] => Step::Unknown(RungName::Policy, "what either end is told cannot be looked at".into()),
        some => Step::Holds(RungName::Policy, some.join("; ")),
    }
}

fn speaks_with(end: &End, other: &End) -> Option<String> {
    match &end.speaker {
        Speaker::Router(RouterSeen { session: Some(session), .. }) => {
            Some(format!("{} has the neighbor {}", end.name, session.neighbor))
        }
        Speaker::Cilium(_) => {
            let neighbor = end.cilium_neighbor(other)?;
            Some(format!("Cilium on {} peers with {}", end.name, neighbor.address))
        }
        _ => None,
    }
}

fn silent_daemon(end: &End) -> Option<Blame> {
    let (kind, title, said) = match &end.speaker {
        Speaker::Missing(said) => {
            ("daemon-not-running", format!("no routing daemon runs on {}", end.name), said)
        }
        Speaker::Hung(said) => {
            ("daemon-hung", format!("the routing daemon on {} runs and does not answer", end.name), said)
        }
        _ => return None,
    };
    let line = "ps -eo pid,stat,etime,args";
    let proof = text(&end.name, format!("{}'s routing daemon", end.name), Some(line.into()), said);
    Some(blame(kind, RungName::Policy, title).at(&end.name).shown(proof).next(line))
}

pub(super) fn session_proof(end: &End, session: &Session) -> super::super::Proof {
    let line = end.router().map(|router| router.line.clone()).unwrap_or_default();
    proof(end, format!("{}'s session with {}", end.name, session.neighbor), line, json(session))
}

/// FRR says of a session that its other end was shut down by an administrator (RFC 4486): code 6, subcode 2.
const SHUT_DOWN: (u8, u8) = (6, 2);

fn shut_down(end: &End) -> Option<Blame> {
    let session = end.session().filter(|session| session.shutdown)?;
    let key = &session.neighbor;
    let title = format!("{} has shut the session with {key} down by configuration", end.name);
    let blame = blame("session-shut-down", RungName::Policy, title).at(&end.name).about(key);
    let line = format!("vtysh -c 'show running-config' | grep {key}");
    Some(blame.shown(session_proof(end, session)).next(format!("sh -c {}", shell_words::quote(&line))))
}

/// The other end, of which nothing can be seen, has said that it is shut down.
pub(super) fn shut_down_far(facts: &SessionFacts) -> Option<Blame> {
    let (end, session) = facts.ends.iter().find_map(|end| Some((end, end.session()?)))?;
    let reset = session.last_reset.as_ref().filter(|reset| reset.code == Some(SHUT_DOWN))?;
    if session.is_up() || !reset.reason.to_ascii_lowercase().contains("received") {
        return None;
    }
    let whom = facts.other(end).map_or_else(|| session.neighbor.clone(), |other| other.name.clone());
    let title = format!("{whom} has shut the session with {} down by configuration", end.name);
    let node = facts.other(end).unwrap_or(end);
    Some(
        blame("session-shut-down", RungName::Policy, title)
            .at(&node.name)
            .about(&session.neighbor)
            .shown(session_proof(end, session)),
    )
}

/// A neighbor whose address nobody of this lab has.
fn stranger(facts: &SessionFacts) -> Option<Blame> {
    let [end] = facts.ends.as_slice() else { return None };
    if let Some(blame) = unconfigured(end, None) {
        return Some(blame);
    }
    let (session, peer) = (end.session()?, end.peer?);
    session.interface.is_none().then(|| {
        let title = format!("{} is to peer with {peer}, and nobody of this lab has that address", end.name);
        blame("wrong-peer-address", RungName::Policy, title)
            .at(&end.name)
            .about(&peer.to_string())
            .shown(session_proof(end, session))
            .next(end.router().map(|router| router.line.clone()).unwrap_or_default())
    })
}

/// A routing daemon that is not told of the other end.
fn unconfigured(end: &End, other: Option<&End>) -> Option<Blame> {
    let Speaker::Router(seen) = &end.speaker else { return None };
    if seen.session.is_some() {
        return None;
    }
    let line = "vtysh -c 'show running-config'";
    let keys: Vec<&String> = seen.neighbors.keys().collect();
    let shown =
        proof(end, format!("{}'s BGP neighbors", end.name), "vtysh -c 'show bgp summary'", json(&keys));
    if seen.local_as.is_none() && keys.is_empty() {
        let title =
            format!("{} has no BGP configured, or has lost it when its daemon was started again", end.name);
        return Some(
            blame("no-bgp-configured", RungName::Policy, title).at(&end.name).shown(shown).next(line),
        );
    }
    let whom = seen.key.clone().or_else(|| other.map(|other| other.name.clone()))?;
    let title = match other {
        // It may know the other end by an address that is not the other's.
        Some(other) => {
            if let Some(blame) = by_another_address(end, seen, other) {
                return Some(blame.shown(shown).next(line));
            }
            format!("{} is not configured with {} as a neighbor", end.name, other.name)
        }
        None => format!("{} is not configured with a neighbor {whom}", end.name),
    };
    let about = seen.key.clone().or_else(|| other.and_then(|other| other.calls_peer())).unwrap_or(whom);
    Some(
        blame("peer-not-configured", RungName::Policy, title)
            .at(&end.name)
            .about(&about)
            .shown(shown)
            .next(line),
    )
}

/// A neighbor in the subnet that joins the ends, and that address is nobody's.
fn by_another_address(end: &End, seen: &RouterSeen, other: &End) -> Option<Blame> {
    let interface = end.interface.as_deref()?;
    let nets: Vec<_> = end
        .addresses
        .iter()
        .flatten()
        .filter(|own| own.dev == interface)
        .map(|own| own.address.trunc())
        .collect();
    let wrong =
        seen.neighbors.values().flatten().find(|address| nets.iter().any(|net| net.contains(*address)))?;
    let theirs: Vec<IpAddr> = other.own().filter(|own| nets.iter().any(|net| net.contains(own))).collect();
    let title = format!(
        "{} is to peer with {wrong}, and {} at the other end of {interface} is {}",
        end.name,
        other.name,
        listed(&theirs)
    );
    Some(blame("wrong-peer-address", RungName::Policy, title).at(&end.name).about(&wrong.to_string()))
}

/// Two routing daemons of which neither takes calls from the address the other speaks from.
fn addresses_differ(facts: &SessionFacts) -> Option<Blame> {
    let mut wrong = None;
    for (end, other) in facts.pairs() {
        let (seen, theirs) = (end.router()?, other.router()?);
        let key = seen.session.as_ref().filter(|session| session.interface.is_none())?;
        let taken = other.peer?;
        let from = speaks_from(end, seen)?;
        if from == taken {
            return None;
        }
        wrong.get_or_insert((end, other, seen, theirs, key, from, taken));
    }
    let (end, other, seen, theirs, key, from, taken) = wrong?;
    let title = format!(
        "{} speaks to {} from {from}, and {} has {taken} as its neighbor",
        end.name, other.name, other.name
    );
    let why = match &seen.update_source {
        None => format!(
            "Nothing says from where {} is to speak (`neighbor {} update-source`), so it does from the address of the link.",
            end.name, key.neighbor
        ),
        Some(source) => format!("{} is told to speak from {source}.", end.name),
    };
    let line = "vtysh -c 'show running-config'";
    let proofs = [(end, seen), (other, theirs)];
    let proofs =
        proofs.into_iter().filter_map(|(end, seen)| Some(session_proof(end, seen.session.as_ref()?)));
    Some(
        blame("wrong-peer-address", RungName::Policy, title)
            .at(&end.name)
            .about(&key.neighbor)
            .why(why)
            .all_shown(proofs)
            .next(line),
    )
}

/// The address that a routing daemon's connections come from; none where that is not certain.
fn speaks_from(end: &End, seen: &RouterSeen) -> Option<IpAddr> {
    let on = |dev: &str, six: bool| {
        let own = end.addresses.iter().flatten().find(|own| {
            own.dev == dev && own.address.addr().is_ipv6() == six && !own.address.addr().is_loopback()
        });
        own.map(|own| own.address.addr())
    };
    let peer = end.peer?;
    match &seen.update_source {
        Some(source) => source.parse().ok().or_else(|| on(source, peer.is_ipv6())),
        None => {
            let (_, route) = end.fib.as_ref()?.lookup(peer)?;
            let [hop] = route.next_hops.as_slice() else { return None };
            route.source.or_else(|| on(hop.dev.as_deref()?, peer.is_ipv6()))
        }
    }
}

/// What Cilium is told; none where it is to speak with the other end.
fn cilium(end: &End, seen: &CiliumSeen, other: &End) -> Option<Step> {
    if !seen.control_plane {
        let title = "the BGP control plane of Cilium is not switched on".to_owned();
        let why = "The chart's values do not have `bgpControlPlane.enabled: true`: no policy is acted on.";
        let blame = blame("bgp-control-plane-off", RungName::Policy, title).about("bgpControlPlane.enabled");
        return Some(Step::Broken(
            blame.why(why).next("kubectl -n kube-system get configmap cilium-config -o yaml"),
        ));
    }
    let own: Vec<IpAddr> = other.own().collect();
    let agent = seen.agent.as_ref();
    if let Some(agent) = agent {
        if agent.neighbors.iter().any(|neighbor| own.contains(&neighbor.address)) {
            return None;
        }
        if !agent.settled {
            return Some(Step::Unknown(
                RungName::Policy,
                format!("Cilium on {} has not yet acted on the newest policies", end.name),
            ));
        }
    }
    policies::why_not(end, seen, other).map(Step::Broken)
}

/// A session with Cilium that is up and brings nothing: Cilium says why, once it has acted on the newest of everything.
pub fn unannounced(facts: &SessionFacts, end: &End) -> Option<Blame> {
    let seen = end.cilium()?;
    let agent = seen.agent.as_ref().filter(|agent| agent.settled)?;
    let why = agent.problems.iter().chain(&agent.silences).next()?;
    let whom = facts.other(end).map_or("anybody", |other| other.name.as_str());
    let title = format!("Cilium on {} does not announce all to {whom}: {why}", end.name);
    let mut proof = proof(end, format!("{}: what Cilium says there", end.name), "", json(agent));
    proof.line = None;
    Some(blame("not-announced", RungName::Update, title).at(&end.name).shown(proof))
}
