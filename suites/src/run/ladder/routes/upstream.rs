//! Where a route stops on its way to a router: at the last speaker that has it, or at the first router that lacks it.
//!
//! The sessions of the routers that lack it are followed away from the router in question until somebody is found who has
//! it. Of the step between the two the session is asked first, then what is announced over it, then what is let in.

use std::collections::{BTreeSet, VecDeque};

use fabric_harness::router::{Family, PathSource, Session, SessionType, Sessions};
use fabric_harness::speakers::{RouteFamily, Speaker, Which, ask};
use fabric_reports::record::RungName;
use ipnet::IpNet;

use super::{show_prefix, snapshot, unreachable};
use crate::ladder::filters::{self, Direction};
use crate::ladder::packets::text_proof;
use crate::ladder::routes::{self, Step, daemon_silent};
use crate::ladder::{Blame, Finding, Proof};
use crate::run::ladder::facts::{about, said, shown};
use crate::run::ladder::{map, session};
use crate::run::observe::Context;

/// One session over which a route should come.
#[derive(Debug, Clone)]
struct Edge {
    /// Who has it.
    from: String,
    /// Who lacks it.
    to: String,
    /// What `to` calls the session.
    key: String,
}

/// Why a router has no best path to a prefix.
pub(in crate::run::ladder) async fn lacks(context: &Context, router: &str, prefix: IpNet) -> Finding {
    let key = (router.to_owned(), prefix);
    // Boxed: what it leads to may ask for other routers' routes.
    context.facts.lacks.or_look(key, || Box::pin(look(context, router, prefix))).await
}

/// Why a router has no path to a prefix from one of its neighbors, by the name of that.
pub(super) async fn lacks_from(context: &Context, router: &str, prefix: IpNet, source: &str) -> Finding {
    let atlas = context.view.now();
    let Some(sessions) = sessions(context, router).await else { return Finding::default() };
    let from = sessions.iter().find_map(|(key, session)| {
        let far = map::speaker(&atlas, router, session)?;
        crate::checks::same_node(&far, source).then(|| Edge {
            from: far,
            to: router.to_owned(),
            key: key.clone(),
        })
    });
    let Some(edge) = from else { return Finding::default() };
    if map::is_router(&atlas, &edge.from) && !has(context, &edge.from, prefix).await {
        return lacks(context, &edge.from, prefix).await;
    }
    cross(context, &edge, prefix).await
}

async fn sessions(context: &Context, router: &str) -> Option<std::sync::Arc<Sessions>> {
    snapshot(context, router).await?.sessions.as_ref().ok().cloned()
}

async fn has(context: &Context, router: &str, prefix: IpNet) -> bool {
    let snapshot = snapshot(context, router).await;
    snapshot.is_some_and(|snapshot| snapshot.rib.as_ref().is_ok_and(|rib| rib.best(&prefix).is_some()))
}

async fn look(context: &Context, router: &str, prefix: IpNet) -> Finding {
    if has(context, router, prefix).await {
        return Finding::default();
    }
    follow(context, router, prefix).await
}

/// A router that cannot be asked, or whose paths lead nowhere.
async fn itself(context: &Context, router: &str, prefix: IpNet) -> Option<Finding> {
    let own = snapshot(context, router).await?;
    let rib = match &own.rib {
        Ok(rib) => rib,
        Err(why) => return Some(Finding::default().broken(daemon_silent(router, "bgpd", why))),
    };
    let paths = rib.routes.get(&prefix).map(Vec::as_slice).unwrap_or_default();
    let dead = |path: &&fabric_harness::router::Path| {
        !path.valid && path.next_hop().is_some_and(|hop| hop.accessible == Some(false))
    };
    let path = paths.iter().find(dead)?;
    let finding = Finding::default()
        .holds(RungName::Update, format!("{} announces {prefix}", path.peer))
        .holds(RungName::Filter, format!("{router} takes it"));
    Some(unreachable(context, router, prefix, path, finding).await)
}

/// Follows the sessions away from a router, step by step, to those who have the route.
async fn follow(context: &Context, router: &str, prefix: IpNet) -> Finding {
    let atlas = context.view.now();
    let origins = map::origins(&atlas, prefix);
    let mut lacking = BTreeSet::from([router.to_owned()]);
    let mut next = VecDeque::from([router.to_owned()]);
    while let Some(at) = next.pop_front() {
        if let Some(finding) = itself(context, &at, prefix).await {
            return finding;
        }
        let Some(sessions) = sessions(context, &at).await else { continue };
        let mut edges = Vec::new();
        for (key, session) in sessions.iter() {
            let Some(far) = map::speaker(&atlas, &at, session) else { continue };
            let edge = Edge { from: far.clone(), to: at.clone(), key: key.clone() };
            if map::is_router(&atlas, &far) {
                if has(context, &far, prefix).await {
                    edges.push(edge);
                } else if lacking.insert(far.clone()) {
                    next.push_back(far);
                }
            } else if origins.contains(&far) {
                edges.push(edge);
            }
        }
        for edge in edges {
            let finding = cross(context, &edge, prefix).await;
            if finding.blame.is_some() {
                return finding;
            }
        }
    }
    match origins.iter().find(|origin| lacking.contains(*origin)) {
        Some(origin) => not_originated(context, origin, prefix).await,
        None => {
            Finding::default().unknown(RungName::Update, format!("nobody was found who announces {prefix}"))
        }
    }
}

/// Looks at one step: the session, what is announced over it, what is let in.
async fn cross(context: &Context, edge: &Edge, prefix: IpNet) -> Finding {
    let Edge { from, to, key } = edge;
    let Some(sessions) = sessions(context, to).await else { return Finding::default() };
    let Some(session) = sessions.get(key) else { return Finding::default() };
    let family = if matches!(prefix, IpNet::V6(_)) { Family::Ipv6Unicast } else { Family::Ipv4Unicast };
    let negotiated = session.families.get(&family).is_some_and(|state| state.negotiated);
    if !session.is_up() || !negotiated {
        return session::of(context, to, key).await;
    }
    let finding = Finding::default()
        .holds(RungName::Session, format!("{to}'s session with {from} ({key}) is established"))
        .holds(RungName::Family, format!("it carries {family}"));
    if map::is_router(&context.view.now(), from) {
        from_router(context, edge, session, prefix, &family, finding).await
    } else {
        from_node(context, edge, session, prefix, finding).await
    }
}

async fn from_router(
    context: &Context,
    edge: &Edge,
    session: &Session,
    prefix: IpNet,
    family: &Family,
    finding: Finding,
) -> Finding {
    let Edge { from, to, key } = edge;
    let atlas = context.view.now();
    let Some(theirs) = snapshot(context, from).await else { return finding };
    let (Ok(sessions), Ok(rib)) = (&theirs.sessions, &theirs.rib) else { return finding };
    let same_link = |key: &str| map::far_end(&atlas, from, key).is_some_and(|far| far.1 == *edge.key);
    let back: Vec<(&String, &Session)> =
        sessions.iter().filter(|(_, back)| map::speaker(&atlas, from, back).as_deref() == Some(to)).collect();
    // Between two boxes there may be several links: the one of this session, if the names tell.
    let back = back.iter().find(|(key, _)| same_link(key)).or(back.first()).copied();
    let Some((their_key, their_session)) = back else { return finding };
    let Some(best) = rib.best(&prefix) else { return finding };
    // A route is not sent back to whom it came from.
    if best.peer.neighbor.as_ref() == Some(their_key) {
        return finding;
    }
    let Ok(observer) = context.fabric.observer(from).await else { return finding };
    let name = map::called(&atlas, prefix);
    let ipv6 = matches!(prefix, IpNet::V6(_));
    let announced = match observer.router().advertised(their_key, family).await {
        Ok(announced) => announced.contains(&prefix),
        Err(why) => return finding.unknown(RungName::Update, why.to_string()),
    };
    let word = if ipv6 { "ipv6" } else { "ipv4" };
    let line = format!("vtysh -c 'show bgp {word} unicast neighbors {their_key} advertised-routes'");
    let sent = about(&said(context, from, &line).await.unwrap_or_default(), &prefix.to_string());
    let sent = text_proof(&format!("what {from} announces to {to}"), from, line, sent);
    if !announced {
        let filters = of_neighbor(context, from, their_key, ipv6, Direction::Out).await;
        let internal = best.source == PathSource::Internal && their_session.kind == SessionType::Internal;
        let step = Step { from, key: their_key, to, back_key: key, prefix: &name, filters: &filters };
        let mut proofs = vec![has_it(context, from, prefix).await, sent];
        let next = filter_proofs(context, from, &filters, ipv6, &mut proofs).await;
        let next = next.unwrap_or_else(|| format!("vtysh -c 'show bgp neighbors {their_key}'"));
        return finding.broken(routes::kept_back(&step, internal, proofs, Some(next)));
    }
    let finding = finding.holds(RungName::Update, format!("{from} announces {prefix} to {to}"));
    finding.broken(not_let_in(context, edge, session, prefix, Some((their_key, best)), sent).await)
}

/// The neighbor announces it, and the router has it not.
async fn not_let_in(
    context: &Context,
    edge: &Edge,
    session: &Session,
    prefix: IpNet,
    theirs: Option<(&String, &fabric_harness::router::Path)>,
    sent: Proof,
) -> Blame {
    let Edge { from, to, key } = edge;
    let ipv6 = matches!(prefix, IpNet::V6(_));
    let filters = of_neighbor(context, to, key, ipv6, Direction::In).await;
    let looped = theirs.filter(|(_, best)| routes::loops(best, session.local_as)).map(|_| session.local_as);
    let name = map::called(&context.view.now(), prefix);
    let their_key = theirs.map_or("", |(key, _)| key.as_str());
    let step = Step { from, key: their_key, to, back_key: key, prefix: &name, filters: &filters };
    let line = show_prefix(prefix);
    let lacks = shown(context, to, &line).await;
    let mut proofs = vec![sent, text_proof(&format!("{to}'s paths to {prefix}"), to, line, lacks)];
    let next = filter_proofs(context, to, &filters, ipv6, &mut proofs).await;
    let next = next.unwrap_or_else(|| format!("vtysh -c 'show bgp neighbors {key}'"));
    routes::kept_out(&step, looped, proofs, Some(next))
}

async fn has_it(context: &Context, from: &str, prefix: IpNet) -> Proof {
    let line = show_prefix(prefix);
    let said = shown(context, from, &line).await;
    text_proof(&format!("{from}'s paths to {prefix}"), from, line, said)
}

/// The filters that FRR has for a neighbor; none where another daemon runs, or none is configured.
async fn of_neighbor(
    context: &Context,
    router: &str,
    key: &str,
    ipv6: bool,
    direction: Direction,
) -> Vec<String> {
    let answer = said(context, router, &format!("vtysh -c 'show bgp neighbors {key} json'")).await;
    let read = answer.ok().and_then(|text| serde_json::from_str(&text).ok());
    read.map_or_else(Vec::new, |answer| filters::of_neighbor(&answer, ipv6, direction))
}

/// Shows the filters; the line that shows the first of them.
async fn filter_proofs(
    context: &Context,
    router: &str,
    all: &[String],
    ipv6: bool,
    proofs: &mut Vec<Proof>,
) -> Option<String> {
    let mut first = None;
    for filter in all {
        let Some(shows) = filters::shown_by(filter, ipv6) else { continue };
        let line = format!("vtysh -c '{shows}'");
        let said = shown(context, router, &line).await;
        proofs.push(text_proof(&format!("{router}'s {filter}"), router, line.clone(), said));
        first.get_or_insert(line);
    }
    first
}

/// The far end is Cilium on a node.
async fn from_node(
    context: &Context,
    edge: &Edge,
    session: &Session,
    prefix: IpNet,
    finding: Finding,
) -> Finding {
    let Edge { from, to, .. } = edge;
    let Ok(node) = context.fabric.node(from).await else { return finding };
    let Ok(speakers) = ask(&node).await else { return finding };
    if speakers.is_empty() {
        return finding.unknown(RungName::Update, format!("the speaker of {from} cannot be looked into"));
    }
    let afi = if matches!(prefix, IpNet::V6(_)) { "ipv6" } else { "ipv4" };
    let family = RouteFamily { afi: afi.to_owned(), safi: "unicast".to_owned() };
    let has = async |which: Which| {
        for speaker in &speakers {
            if lists(speaker, which, &family, prefix).await? {
                return Some(true);
            }
        }
        Some(false)
    };
    let Some(near) = session.local_address else { return finding };
    let announced = has(Which::Advertised(Some(near))).await;
    if announced == Some(true) {
        let finding = finding.holds(RungName::Update, format!("{from} announces {prefix} to {to}"));
        let line = format!("gobgp neighbor {near} adj-out");
        let sent = text_proof(&format!("what {from} announces to {to}"), from, line, prefix.to_string());
        return finding.broken(not_let_in(context, edge, session, prefix, None, sent).await);
    }
    let (Some(false), Some(available)) = (announced, has(Which::Available).await) else { return finding };
    let atlas = context.view.now();
    let agent = atlas.agents.iter().flatten().find(|agent| agent.info.node == *from);
    let words = agent.map(|agent| [agent.info.problems.clone(), agent.silences()].concat());
    let mut why = words.unwrap_or_default();
    let line = format!("gobgp global rib -a {afi}");
    let said = if available {
        format!("{prefix} is in its table, and goes not out to {near}")
    } else {
        format!("{prefix} is not in its table")
    };
    if why.is_empty() && !available {
        why.push(
            "Cilium announces a pod CIDR when `exportPodCIDR` of the virtual router says so, or an advertisement of \
             type PodCIDR selects it."
                .to_owned(),
        );
    }
    let proof = text_proof(&format!("the table of {from}'s speaker"), from, line.clone(), said);
    let name = map::called(&atlas, prefix);
    finding.broken(routes::not_announced(from, &name, &why, vec![proof], line))
}

async fn lists(speaker: &Speaker, which: Which, family: &RouteFamily, prefix: IpNet) -> Option<bool> {
    let routes = speaker.routes(which, family).await.ok()?;
    Some(routes.iter().any(|route| route.prefix == prefix))
}

/// The prefix is a router's own, and its BGP has it not.
async fn not_originated(context: &Context, origin: &str, prefix: IpNet) -> Finding {
    let atlas = context.view.now();
    let name = map::called(&atlas, prefix);
    let line = show_prefix(prefix);
    let said = shown(context, origin, &line).await;
    let seen = atlas.interfaces.get(origin);
    let dev = seen
        .and_then(|seen| seen.addresses.iter().find(|own| own.address.trunc() == prefix))
        .map(|own| own.dev.clone());
    let down = dev.as_deref().filter(|dev| {
        let link = seen.and_then(|seen| seen.links.iter().find(|link| link.name == *dev));
        link.is_some_and(|link| !link.up || !link.carrier)
    });
    let proof = text_proof(&format!("{origin}'s paths to {prefix}"), origin, line.clone(), said);
    if let Some(dev) = down {
        let show = format!("ip link show dev {dev}");
        let link = text_proof(
            &format!("{origin}'s {dev}"),
            origin,
            show.clone(),
            shown(context, origin, &show).await,
        );
        return Finding::default().broken(Blame {
            kind: "link-down",
            rung: RungName::Link,
            title: format!("{origin}'s {dev} is down"),
            text: format!("A network whose interface is down is not announced: {name} is on it."),
            node: Some(origin.to_owned()),
            about: Some(dev.to_owned()),
            proofs: vec![link, proof],
            next: Some(show),
        });
    }
    let why = dev.map_or_else(Vec::new, |dev| {
        vec![format!("It is the network of {origin}'s {dev}; `redistribute connected` or `network {prefix}` would announce it.")]
    });
    let finding = Finding::default();
    finding.broken(routes::not_announced(
        origin,
        &name,
        &why,
        vec![proof],
        "vtysh -c 'show running-config'".to_owned(),
    ))
}
