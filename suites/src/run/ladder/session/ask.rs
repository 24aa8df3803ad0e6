//! Asking who speaks BGP in a box, and telling both ends of a session what they are to each other.
//!
//! What lives here: routing daemons and Cilium, and their passwords as far as whether they fit. What does not: the kernels
//! under them (`look`).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::lab::Routing;
use fabric_harness::node::NodeRef;
use fabric_harness::router::{Configuration, Observer, RouterError, Session, Sessions, Show};

use super::look::Looked;
use super::pair::Place;
use super::policies;
use crate::ladder::session::{End, Passwords, RouterSeen, Speaker};
use crate::run::atlas::Atlas;
use crate::run::observe::Context;
use crate::run::prospects::others_speak;

/// Longer than a question to a daemon takes before it counts as unanswered.
const DAEMON: Duration = Duration::from_secs(6);

/// What was answered, with what must not be written down.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) speaker: Speaker,
    pub(super) daemon: Arc<Daemon>,
    /// The addresses that Cilium dials with a password.
    signed: Option<BTreeSet<IpAddr>>,
}

/// What the routing daemon of a box says: asked once, whoever asks.
#[derive(Debug, Default)]
pub(in crate::run) struct Daemon {
    speaker: Speaker,
    pub(super) config: Option<Configuration>,
    sessions: Option<Arc<Sessions>>,
    observer: Option<Arc<Observer>>,
}

/// Who speaks in a box. `asked`: a check asks of its routing daemon, so there should be one.
pub(super) async fn speaker(context: &Context, atlas: &Arc<Atlas>, place: &Place, asked: bool) -> Asked {
    let in_cluster =
        atlas.cluster.iter().any(|cluster| cluster.nodes.iter().any(|node| node.name == place.name));
    if !in_cluster {
        let look = || async { Arc::new(router(context, atlas, &place.name, asked).await) };
        let daemon = context.daemons.or_look((place.name.clone(), asked), look).await;
        let mut speaker = daemon.speaker.clone();
        if let Speaker::Router(seen) = &mut speaker {
            seen.key.clone_from(&place.key);
        }
        return Asked { speaker, daemon, signed: None };
    }
    if others_speak(atlas, &place.name) {
        return Asked::default();
    }
    let policies::Known { seen, signed } = policies::look(context, atlas, &place.name).await;
    let signed = seen.policies.is_some().then_some(signed);
    Asked { speaker: Speaker::Cilium(seen), signed, ..Asked::default() }
}

/// The routing daemon of a box of the topology. One that nobody asks of and that is not to be there is nobody.
async fn router(context: &Context, atlas: &Atlas, name: &str, asked: bool) -> Daemon {
    let only = |speaker| Daemon { speaker, ..Daemon::default() };
    let node = atlas.topology.node(name);
    let wanted = asked || node.is_some_and(|node| node.runs(Routing::Frr) || node.runs(Routing::Bird));
    let Ok(observer) = context.fabric.observer(name).await else { return Daemon::default() };
    let process = process(observer.router().node()).await;
    let lives = || process.iter().map(|(said, _)| said.as_str()).collect::<String>();
    if process.as_ref().is_some_and(|(_, stopped)| *stopped) {
        return only(Speaker::Hung(format!("it is stopped{}", lives())));
    }
    match tokio::time::timeout(DAEMON, observer.router().pulse()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error @ RouterError::Silent { .. })) => {
            return only(Speaker::Hung(format!("{error}{}", lives())));
        }
        Ok(Err(
            error @ (RouterError::NotRunning { .. }
            | RouterError::BirdNotRunning { .. }
            | RouterError::NoDaemon { .. }
            | RouterError::Lost { .. }),
        )) if wanted && process.is_none() => return only(Speaker::Missing(error.to_string())),
        Err(_) | Ok(Err(_)) => return Daemon::default(),
    }
    let configured = async { tokio::time::timeout(DAEMON, observer.router().configured()).await };
    let read = async { tokio::time::timeout(DAEMON, observer.now()).await };
    let (snapshot, configured) = tokio::join!(read, configured);
    let Ok(snapshot) = snapshot else { return Daemon::default() };
    let Ok(sessions) = &snapshot.sessions else { return Daemon::default() };
    let table = snapshot.rib.as_ref().ok().map(|rib| rib.local_as).filter(|number| *number != 0);
    let seen = RouterSeen {
        neighbors: sessions.iter().map(|(key, session)| (key.clone(), session.address)).collect(),
        local_as: table.or_else(|| sessions.values().next().map(|session| session.local_as)),
        line: observer.router().by_hand(&Show::Sessions),
        ..RouterSeen::default()
    };
    Daemon {
        speaker: Speaker::Router(seen),
        config: configured.ok().and_then(Result::ok).flatten(),
        sessions: Some(Arc::clone(sessions)),
        observer: Some(observer),
    }
}

/// The process of FRR's bgpd in words, and whether it is stopped (`proc(5)`); none where it has none, or that is not known.
async fn process(node: &NodeRef) -> Option<(String, bool)> {
    let read = |path: String| async move {
        let bytes = node.read_file(Path::new(&path)).await.ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let pid = read("/run/frr/bgpd.pid".to_owned()).await?;
    let stat = read(format!("/proc/{}/stat", pid.trim())).await?;
    let (before, after) = stat.rsplit_once(')')?;
    let state = after.split_whitespace().next().filter(|state| *state != "Z")?;
    let said = format!("; its process {} is there, in state {state}", pid.trim());
    before.contains("(bgpd").then_some((said, matches!(state, "T" | "t")))
}

/// Tells each end what it calls the other, and whom it dials.
pub(super) fn introduce(ends: &mut [Looked]) {
    let all: Vec<End> = ends.iter().map(|looked| looked.end.clone()).collect();
    for (at, looked) in ends.iter_mut().enumerate() {
        let other = all.iter().enumerate().find(|(there, _)| *there != at).map(|(_, end)| end);
        let Looked { end, asked, .. } = looked;
        match &mut end.speaker {
            Speaker::Router(seen) => {
                let daemon = Arc::clone(&asked.daemon);
                if let Some(sessions) = &daemon.sessions {
                    let interface = end.interface.clone();
                    name_session(seen, sessions, &daemon, interface.as_deref(), other);
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
    daemon: &Daemon,
    interface: Option<&str>,
    other: Option<&End>,
) {
    if seen.key.is_none() {
        seen.key = other.and_then(|other| key_of(sessions, interface, other));
    }
    let Some(key) = seen.key.clone() else { return };
    seen.session = sessions.get(&key).cloned();
    if let (Some(session), Some(observer)) = (&seen.session, &daemon.observer) {
        let handle = session.handle.clone().unwrap_or_else(|| key.clone());
        seen.line = observer.router().by_hand(&Show::Session { key: key.clone(), handle });
    }
    let told = daemon.config.as_ref().and_then(|config| config.neighbors.get(&key));
    if let Some(told) = told {
        (seen.expects, seen.update_source) = (told.remote_as, told.update_source.clone());
        seen.passive = told.passive;
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
            let told = asked.daemon.config.as_ref()?.neighbors.get(seen.key.as_ref()?)?;
            Some(told.password.as_ref().map_or(Signs::No, Signs::With))
        }
        Speaker::Cilium(_) => {
            let (signed, peer) = (asked.signed.as_ref()?, end.peer?);
            Some(if signed.contains(&peer) { Signs::Somehow } else { Signs::No })
        }
        _ => None,
    }
}
