//! Looking at both ends of a session: kernel, daemon, sockets, and one call to port 179 in each direction.
//!
//! What lives here: gathering, within a few seconds whatever hangs. What does not: finding the ends (`pair`), and what it
//! all means (`crate::ladder::session`).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use fabric_harness::node::{Command, NodeError, NodeRef};
use fabric_harness::probe::{Connect, ProbeError, connect, connect_by_program};
use fabric_harness::router::{Kernel, Session, TcpSocket, TcpState};

use super::ask::{Asked, introduce, passwords, speaker};
use super::pair::{self, Place};
use crate::ladder::session::{Came, Dialed, End, Given, Passwords, SessionFacts, climb};
use crate::run::atlas::Atlas;
use crate::run::observe::Context;
use crate::run::prospects::stillness;

/// A daemon that lives answers in a millisecond; one that took this long hangs.
const DAEMON: Duration = Duration::from_secs(2);
/// On these fabrics an answer takes less than a millisecond; the kernel asks again after a second.
const CALL: Duration = Duration::from_millis(900);
/// A program that shows the packet filter.
const PROGRAM: Duration = Duration::from_secs(1);
const BGP: u16 = 179;

/// An end and what does not leave this module.
pub(super) struct Looked {
    pub(super) end: End,
    /// Where it stands among the others of the lab.
    order: (bool, usize),
    pub(super) asked: Asked,
}

/// All that can be seen of a router's session with a neighbor.
pub(super) async fn look(context: &Context, router: &str, key: &str) -> SessionFacts {
    let atlas = context.view.now();
    let (near, far) = pair::ends(&atlas, router, key);
    let mut looked = match &far {
        Some(far) => {
            let (near, far) =
                tokio::join!(end(context, &atlas, &near, true), end(context, &atlas, far, false));
            vec![near, far]
        }
        None => vec![end(context, &atlas, &near, true).await],
    };
    introduce(&mut looked);
    let passwords = passwords(&looked);
    // An unsigned call is dropped where calls are signed, and counted: it would tell of nothing but itself.
    let signs = !matches!(passwords, None | Some(Passwords::None));
    let mut ends: Vec<(_, End)> = looked.into_iter().map(|looked| (looked.order, looked.end)).collect();
    ends.sort_by_key(|(order, _)| *order);
    let mut ends: Vec<End> = ends.into_iter().map(|(_, end)| end).collect();
    call_each_other(context, &mut ends, signs).await;
    let mut facts = SessionFacts { ends, passwords, still: stillness(context).since.elapsed() };
    find_filters(context, &mut facts).await;
    facts
}

/// The links and addresses of the two ends of a link, and nothing of what speaks over it.
pub(in crate::run::ladder) async fn link(context: &Context, name: &str, interface: &str) -> SessionFacts {
    let atlas = context.view.now();
    let near = Place { name: name.to_owned(), interface: Some(interface.to_owned()), key: None };
    let far = pair::across(&atlas, name, interface);
    let far = far.map(|(name, interface)| Place { name, interface: Some(interface), key: None });
    let mut ends = Vec::new();
    for place in [Some(near), far].into_iter().flatten() {
        let mut end = blank(&atlas, &place);
        if let Ok(node) = context.fabric.node(&place.name).await {
            end.gone = node.gone().await;
            if let Ok(kernel) = context.fabric.kernel(&place.name).await {
                interfaces(&kernel, &mut end).await;
            }
        }
        ends.push((order(&atlas, &place.name), end));
    }
    ends.sort_by_key(|(order, _)| *order);
    let ends = ends.into_iter().map(|(_, end)| end).collect();
    SessionFacts { ends, passwords: None, still: stillness(context).since.elapsed() }
}

fn order(atlas: &Atlas, name: &str) -> (bool, usize) {
    let at = atlas.topology.nodes.iter().position(|node| node.name == name);
    let in_cluster = || {
        let nodes = atlas.cluster.iter().flat_map(|cluster| &cluster.nodes);
        nodes.into_iter().position(|node| node.name == name).unwrap_or(usize::MAX)
    };
    at.map_or_else(|| (true, in_cluster()), |at| (false, at))
}

fn blank(atlas: &Atlas, place: &Place) -> End {
    End {
        name: place.name.clone(),
        interface: place.interface.clone(),
        given: pair::given(atlas, &place.name),
        peer: place.key.as_ref().and_then(|key| key.parse().ok()),
        ..End::default()
    }
}

async fn interfaces(kernel: &Kernel, end: &mut End) {
    if let Ok((links, addresses)) = kernel.interfaces().await {
        (end.links, end.addresses) = (Some(links), Some(addresses));
    }
}

async fn end(context: &Context, atlas: &Arc<Atlas>, place: &Place, asked: bool) -> Looked {
    let order = order(atlas, &place.name);
    let mut looked = Looked { end: blank(atlas, place), order, asked: Asked::default() };
    let Ok(node) = context.fabric.node(&place.name).await else { return looked };
    if node.gone().await {
        looked.end.gone = true;
        return looked;
    }
    let Looked { end, asked: answers, .. } = &mut looked;
    let kernel = async {
        if let Ok(kernel) = context.fabric.kernel(&place.name).await {
            interfaces(&kernel, end).await;
            end.neighbours = kernel.neighbours().await.unwrap_or_default();
            end.fib = kernel.fib().await.ok();
            end.sockets = kernel.tcp_sockets().await.ok().map(of_bgp);
            let counted = kernel.tcp_counters().await.unwrap_or_default();
            end.md5 = counted.into_iter().filter(|(name, _)| name.starts_with("TCPMD5")).collect();
        }
    };
    let ((), said) = tokio::join!(kernel, speaker(context, atlas, place, asked));
    let given = said.daemon.config.iter().flat_map(|config| &config.addresses);
    end.given.extend(given.map(|(dev, address)| Given {
        dev: dev.clone(),
        address: *address,
        by: "the router's own configuration (`show running-config`)".into(),
    }));
    *answers = said;
    end.speaker = std::mem::take(&mut answers.speaker);
    looked
}

fn of_bgp(sockets: Vec<TcpSocket>) -> Vec<TcpSocket> {
    let about = |socket: &TcpSocket| socket.local.port() == BGP || socket.remote.port() == BGP;
    sockets.into_iter().filter(about).collect()
}

/// Calls from each end to the other, side by side; where the kernel already knows how that goes nobody is called.
async fn call_each_other(context: &Context, ends: &mut [End], signs: bool) {
    if ends.iter().any(|end| end.session().is_some_and(Session::is_up)) {
        return;
    }
    let calls = ends.iter().map(|end| async move {
        let to = to_dial(end)?;
        match by_sockets(end, to) {
            Some(known) => Some(known),
            None if signs => None,
            None => call(context, &end.name, to).await,
        }
    });
    let dialed = futures::future::join_all(calls).await;
    for (end, dialed) in ends.iter_mut().zip(dialed) {
        end.dialed = dialed;
    }
}

/// Which packet filter it is, where one seems to be in the way.
async fn find_filters(context: &Context, facts: &mut SessionFacts) {
    let blame = climb(facts, &[]).blame;
    if !blame.is_some_and(|blame| matches!(blame.kind, "tcp-filtered" | "tcp-refused")) {
        return;
    }
    let ends = &mut facts.ends;
    let all = ends.iter().flat_map(|end| end.own().chain(end.peer));
    let about: Vec<String> = all.filter(|one| !one.is_loopback()).map(|one| one.to_string()).collect();
    let rules = ends.iter().map(|end| filters(context, &end.name, &about));
    let rules = futures::future::join_all(rules).await;
    for (end, rules) in ends.iter_mut().zip(rules) {
        end.filters = rules;
    }
}

/// The peer's port; a link-local address only means something on its link.
fn to_dial(end: &End) -> Option<SocketAddr> {
    let peer = end.peer?;
    match peer {
        IpAddr::V6(six) if six.is_unicast_link_local() => {
            let link = end.links.as_ref()?.iter().find(|link| Some(&link.name) == end.interface.as_ref())?;
            Some(SocketAddrV6::new(six, BGP, 0, link.index).into())
        }
        other => Some(SocketAddr::new(other, BGP)),
    }
}

/// What the kernel knows already: a connection, or one that was asked for again and again.
fn by_sockets(end: &End, to: SocketAddr) -> Option<Dialed> {
    let mut mine = end
        .sockets
        .iter()
        .flatten()
        .filter(|socket| socket.remote.ip() == to.ip() && socket.remote.port() == BGP);
    mine.find_map(|socket| match socket.state {
        TcpState::Established => Some(Dialed { to, came: Came::Connected, waited: Duration::ZERO }),
        // The kernel sends the same again after one second, then after two more.
        TcpState::SynSent if socket.retransmits >= 2 => {
            Some(Dialed { to, came: Came::Silence, waited: Duration::from_secs(3) })
        }
        _ => None,
    })
}

async fn call(context: &Context, from: &str, to: SocketAddr) -> Option<Dialed> {
    let node: NodeRef = context.fabric.node(from).await.ok()?;
    let wanted = Connect { to, count: 1, timeout: CALL };
    let report = match connect(node.as_ref(), &wanted).await {
        Err(ProbeError::Node(NodeError::Unsupported { .. })) if to.ip().is_ipv4() => {
            tokio::time::timeout(DAEMON * 2, connect_by_program(node.as_ref(), to, 1, CALL)).await.ok()?
        }
        other => other,
    };
    let report = report.ok()?;
    let came = match report.errors.first() {
        None => Came::Connected,
        Some(why) if why.starts_with("refused") => Came::Refused,
        Some(why) if why.starts_with("no answer") => Came::Silence,
        Some(why) => Came::Unreachable(why.clone()),
    };
    Some(Dialed { to, came, waited: CALL })
}

/// The rules of a box's packet filter that drop or refuse something and speak of BGP's port or of either end.
async fn filters(context: &Context, name: &str, about: &[String]) -> Vec<String> {
    let Ok(node) = context.fabric.node(name).await else { return Vec::new() };
    let shown = [&["iptables-save"][..], &["ip6tables-save"], &["nft", "list", "ruleset"]];
    let runs = shown.iter().map(|argv| {
        let (node, command) = (&node, Command::new(argv.iter().copied()).timeout(PROGRAM));
        async move { node.exec(&command).await.map(|output| output.text()).unwrap_or_default() }
    });
    let said = futures::future::join_all(runs).await.concat();
    let mut rules: Vec<String> =
        said.lines().filter(|line| speaks_of(line, about)).map(|line| line.trim().to_owned()).collect();
    rules.dedup();
    rules.truncate(8);
    rules
}

fn speaks_of(line: &str, about: &[String]) -> bool {
    let line = line.to_ascii_lowercase();
    let words = || line.split(|c: char| !c.is_alphanumeric() && c != '.' && c != ':');
    let verdict = words().any(|word| matches!(word, "drop" | "reject"));
    let whom = words().any(|word| word == "179" || word == "bgp" || about.iter().any(|one| one == word));
    // A chain's policy drops all that no rule takes.
    let policy =
        line.starts_with(":input drop") || line.starts_with(":output drop") || line.contains("policy drop");
    (verdict && whom) || policy
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("-A INPUT -p tcp -m tcp --dport 179 -j DROP", true)]
    #[case("-A INPUT -s 10.0.1.2/32 -j REJECT --reject-with icmp-port-unreachable", true)]
    #[case("\t\ttcp dport bgp drop", true)]
    #[case(":INPUT DROP [0:0]", true)]
    #[case("\ttype filter hook input priority filter; policy drop;", true)]
    #[case("-A INPUT -p tcp -m tcp --dport 179 -j ACCEPT", false)]
    #[case("-A INPUT -p tcp -m tcp --dport 1790 -j DROP", false)]
    #[case("-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP", false)]
    fn rules_that_matter(#[case] line: &str, #[case] wanted: bool) {
        assert_eq!(speaks_of(line, &["10.0.1.2".to_owned()]), wanted);
    }
}
