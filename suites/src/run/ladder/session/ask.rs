//! Asking who speaks BGP in a box, and telling both ends of a session what they are to each other.
//!
//! What lives here: routing daemons and Cilium, and their passwords as far as whether they fit. What does not: the kernels
//! under them (`look`).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::lab::Routing;
use fabric_harness::router::{Configuration, Observer, RouterError, Session, Sessions, Show};

use super::look::Looked;
use super::pair::Place;
use super::policies;
use crate::ladder::session::{End, Passwords, RouterSeen, Speaker};
use crate::run::atlas::Atlas;
use crate::run::observe::Context;
use crate::run::prospects::others_speak;

/// A daemon that lives answers in a millisecond; one that took this long hangs.
const DAEMON: Duration = Duration::from_secs(2);

/// What was answered, with what must not be written down.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) speaker: Speaker,
    pub(super) config: Option<Configuration>,
    sessions: Option<Arc<Sessions>>,
    observer: Option<Arc<Observer>>,
    /// The addresses that Cilium dials with a password.
    signed: Option<BTreeSet<IpAddr>>,
}

impl Asked {
    fn only(speaker: Speaker) -> Self {
        Self { speaker, ..Self::default() }
    }
}

/// Who speaks in a box. `asked`: a check asks of its routing daemon, so there should be one.
pub(super) async fn speaker(context: &Context, atlas: &Arc<Atlas>, place: &Place, asked: bool) -> Asked {
    let in_cluster =
        atlas.cluster.iter().any(|cluster| cluster.nodes.iter().any(|node| node.name == place.name));
    if !in_cluster {
        return router(context, atlas, place, asked).await;
    }
    if others_speak(atlas, &place.name) {
        return Asked::default();
    }
    let policies::Known { seen, signed } = policies::look(context, atlas, &place.name).await;
    let signed = seen.policies.is_some().then_some(signed);
    Asked { signed, ..Asked::only(Speaker::Cilium(seen)) }
}

/// The routing daemon of a box of the topology. One that nobody asks of and that is not to be there is nobody.
async fn router(context: &Context, atlas: &Atlas, place: &Place, asked: bool) -> Asked {
    let node = atlas.topology.node(&place.name);
    let wanted = asked || node.is_some_and(|node| node.runs(Routing::Frr) || node.runs(Routing::Bird));
    let Ok(observer) = context.fabric.observer(&place.name).await else { return Asked::default() };
    let hung = || Asked::only(Speaker::Hung(format!("no answer within {} s", DAEMON.as_secs())));
    match tokio::time::timeout(DAEMON, observer.router().pulse()).await {
        Ok(Ok(_)) => {}
        Err(_) | Ok(Err(RouterError::Silent { .. })) => return hung(),
        Ok(Err(
            error @ (RouterError::NotRunning { .. }
            | RouterError::BirdNotRunning { .. }
            | RouterError::NoDaemon { .. }
            | RouterError::Lost { .. }),
        )) if wanted => return Asked::only(Speaker::Missing(error.to_string())),
        Ok(Err(_)) => return Asked::default(),
    }
    let read = async { tokio::join!(observer.now(), observer.router().configured()) };
    let Ok((snapshot, configured)) = tokio::time::timeout(DAEMON, read).await else { return hung() };
    let Ok(sessions) = &snapshot.sessions else { return Asked::default() };
    let table = snapshot.rib.as_ref().ok().map(|rib| rib.local_as).filter(|number| *number != 0);
    let seen = RouterSeen {
        key: place.key.clone(),
        neighbors: sessions.iter().map(|(key, session)| (key.clone(), session.address)).collect(),
        local_as: table.or_else(|| sessions.values().next().map(|session| session.local_as)),
        line: observer.router().by_hand(&Show::Sessions),
        ..RouterSeen::default()
    };
    Asked {
        config: configured.ok().flatten(),
        sessions: Some(Arc::clone(sessions)),
        observer: Some(observer),
        ..Asked::only(Speaker::Router(seen))
    }
}

/// Tells each end what it calls the other, and whom it dials.
pub(super) fn introduce(ends: &mut [Looked]) {
    let all: Vec<End> = ends.iter().map(|looked| looked.end.clone()).collect();
    for (at, looked) in ends.iter_mut().enumerate() {
        let other = all.iter().enumerate().find(|(there, _)| *there != at).map(|(_, end)| end);
        let Looked { end, asked, .. } = looked;
        match &mut end.speaker {
            Speaker::Router(seen) => {
                if let Some(sessions) = &asked.sessions {
                    let interface = end.interface.clone();
                    name_session(seen, sessions, asked, interface.as_deref(), other);
                    let session = seen.session.as_ref();
                    end.peer = session.and_then(|session| session.address).or(end.peer);
                }
            }
            Speaker::Cilium(seen) => {
                let Some(other) = other else { continue };
                let own: Vec<IpAddr> = other.own().collect();
                let told = seen.agent.iter().flat_map(|agent| &agent.neighbors).map(|one| one.address);
                let written = seen.policies.iter().flatten().flat_map(|policy| &policy.peers).copied();
                end.peer = told.chain(written).find(|address| own.contains(address));
            }
            _ => {}
        }
    }
}

fn name_session(
    seen: &mut RouterSeen,
    sessions: &Sessions,
    asked: &Asked,
    interface: Option<&str>,
    other: Option<&End>,
) {
    if seen.key.is_none() {
        seen.key = other.and_then(|other| key_of(sessions, interface, other));
    }
    let Some(key) = seen.key.clone() else { return };
    seen.session = sessions.get(&key).cloned();
    if let (Some(session), Some(observer)) = (&seen.session, &asked.observer) {
        let handle = session.handle.clone().unwrap_or_else(|| key.clone());
        seen.line = observer.router().by_hand(&Show::Session { key: key.clone(), handle });
    }
    let told = asked.config.as_ref().and_then(|config| config.neighbors.get(&key));
    if let Some(told) = told {
        (seen.expects, seen.update_source) = (told.remote_as, told.update_source.clone());
    }
}

/// What a router calls the other end, or should: by the interface between them if the other one does so, else by one of
/// its addresses.
fn key_of(sessions: &Sessions, interface: Option<&str>, other: &End) -> Option<String> {
    let by_interface =
        |session: &&Session| session.interface.is_some() && session.interface.as_deref() == interface;
    if let Some(session) = sessions.values().find(by_interface) {
        return Some(session.neighbor.clone());
    }
    let theirs: Vec<IpAddr> =
        other.own().chain(other.given.iter().map(|given| given.address.addr())).collect();
    let by_address = |session: &&Session| session.address.is_some_and(|address| theirs.contains(&address));
    if let Some(session) = sessions.values().find(by_address) {
        return Some(session.neighbor.clone());
    }
    let unnumbered = match &other.speaker {
        Speaker::Router(seen) => seen.key.as_ref().is_some_and(|key| key.parse::<IpAddr>().is_err()),
        _ => false,
    };
    if unnumbered {
        return interface.map(str::to_owned);
    }
    let across = other.addresses.iter().flatten().filter(|own| Some(&own.dev) == other.interface.as_ref());
    let mut across = across.map(|own| own.address.addr()).filter(|own| !is_link_local(*own));
    across.next().map(|own| own.to_string())
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(six) if six.is_unicast_link_local())
}

/// How the passwords of the ends stand to each other, where both are known.
pub(super) fn passwords(ends: &[Looked]) -> Option<Passwords> {
    let [one, other] = ends else { return None };
    let (mine, theirs) = (signs(one)?, signs(other)?);
    Some(match (mine, theirs) {
        (Signs::No, Signs::No) => Passwords::None,
        (Signs::No, _) => Passwords::Only(other.end.name.clone()),
        (_, Signs::No) => Passwords::Only(one.end.name.clone()),
        (Signs::With(one), Signs::With(other)) if one == other => Passwords::Same,
        (Signs::With(_), Signs::With(_)) => Passwords::Differ,
        _ => Passwords::Both,
    })
}

enum Signs<'a> {
    No,
    With(&'a fabric_harness::router::Secret),
    Somehow,
}

/// How an end signs what it says to the other; none where that is not known.
fn signs(looked: &Looked) -> Option<Signs<'_>> {
    let Looked { end, asked, .. } = looked;
    match &end.speaker {
        Speaker::Router(seen) => {
            let told = asked.config.as_ref()?.neighbors.get(seen.key.as_ref()?)?;
            Some(told.password.as_ref().map_or(Signs::No, Signs::With))
        }
        Speaker::Cilium(_) => {
            let (signed, peer) = (asked.signed.as_ref()?, end.peer?);
            Some(if signed.contains(&peer) { Signs::Somehow } else { Signs::No })
        }
        _ => None,
    }
}
