//! What comes over the wire: TCP, the OPEN messages, keepalives, families.
//!
//! What lives here: the proofs. What does not: the ground it goes over (`ground`) and who is told to speak (`speech`).

use fabric_harness::router::{Family, RemoteAs, Session, SessionType};
use fabric_reports::record::RungName;

use super::super::{Blame, Proof};
use super::facts::{Came, Dialed, End, Passwords, SessionFacts, Speaker};
use super::policies;
use super::speech::{session_proof, shut_down_far};
use super::words::{Step, blame, json, listed, proof};

/// A TCP connection to port 179 comes about.
pub(super) fn tcp(facts: &SessionFacts) -> Step {
    if let Some(blame) = passwords(facts) {
        return Step::Broken(blame);
    }
    let dialed = || facts.pairs().filter_map(|(end, other)| Some((end, other, end.dialed.as_ref()?)));
    // A call of ours says nothing where the end itself never calls.
    if let Some((end, other, _)) =
        dialed().find(|(end, _, dialed)| dialed.came == Came::Connected && !end.passive())
    {
        let seen = format!("{} takes {}'s connections to port 179", other.name, end.name);
        return Step::Holds(RungName::Tcp, seen);
    }
    if facts.ends.len() == 2 && facts.ends.iter().all(End::passive) {
        return Step::Broken(nobody_calls(facts));
    }
    // Silence where somebody listens, or may: it is swallowed on the way, or at one of the ends.
    let at = |dialed: &Dialed| Some(dialed.to.ip());
    let silent = dialed().filter(|(_, _, dialed)| dialed.came == Came::Silence);
    let silent = silent.filter(|(_, other, dialed)| other.listens(at(dialed)) != Some(false));
    if let Some((end, other, dialed)) = silent.max_by_key(|(_, other, dialed)| other.listens(at(dialed))) {
        let title = format!("TCP port 179 of {} is filtered: {}'s calls get no answer", other.name, end.name);
        return Step::Broken(filtered("tcp-filtered", title, end, other, dialed));
    }
    let refused = || dialed().filter(|(_, _, dialed)| dialed.came == Came::Refused);
    if let Some((end, other, dialed)) =
        refused().find(|(_, other, dialed)| other.listens(at(dialed)) == Some(true))
    {
        let title = format!(
            "TCP port 179 of {} is filtered: somebody listens there, and {}'s calls are refused on the way",
            other.name, end.name
        );
        return Step::Broken(filtered("tcp-refused", title, end, other, dialed));
    }
    // Nobody listens at either end: whoever dials is refused.
    let deaf = |end: &&End| end.listens(None) == Some(false);
    if facts.ends.len() == 2 && facts.ends.iter().all(|end| deaf(&end)) {
        // Cilium's speaker listens only if it is told to: the router is the one that should.
        let first = facts.ends.iter().find(|end| !matches!(end.speaker, Speaker::Cilium(_)));
        if let Some(end) = first {
            return Step::Broken(not_listening(facts, end));
        }
    }
    if let Some((end, other, dialed)) = refused().find(|(_, other, dialed)| {
        other.listens(at(dialed)) == Some(false) && other.listens(None) == Some(true)
    }) {
        let title = format!(
            "{} listens on port 179, and not at {}, which {} dials",
            other.name,
            dialed.to.ip(),
            end.name
        );
        let blame = blame("peer-not-listening", RungName::Tcp, title).at(&other.name).about("tcp/179");
        return Step::Broken(blame.shown(sockets(other)).shown(call(end, dialed)).next("ss -tln"));
    }
    if let Some((end, _, dialed, why)) = dialed().find_map(|(end, other, dialed)| match &dialed.came {
        Came::Unreachable(why) => Some((end, other, dialed, why)),
        _ => None,
    }) {
        let title = format!("{} cannot send to {}: {why}", end.name, dialed.to.ip());
        let line = format!("ip route get {}", dialed.to.ip());
        let blame = blame("no-route-to-peer", RungName::Tcp, title).at(&end.name);
        return Step::Broken(blame.about(&dialed.to.ip().to_string()).shown(call(end, dialed)).next(line));
    }
    if let Some((end, other, dialed)) = refused().find(|(_, other, _)| other.sockets.is_none()) {
        let title = format!("{} refuses {}'s calls to port 179", dialed.to.ip(), end.name);
        let blame = blame("tcp-refused", RungName::Tcp, title).at(&other.name).about("tcp/179");
        return Step::Broken(blame.shown(call(end, dialed)).next("ss -tln"));
    }
    Step::Unknown(RungName::Tcp, "nobody could be called".into())
}

/// Both wait for the other's call.
fn nobody_calls(facts: &SessionFacts) -> Blame {
    let names: Vec<&str> = facts.ends.iter().map(|end| end.name.as_str()).collect();
    let title = format!("{} both wait for the other's call: each is told to be passive", listed(&names));
    let first = names.first().copied().unwrap_or_default();
    blame("nobody-calls", RungName::Tcp, title)
        .at(first)
        .about("passive")
        .why("One of the two must call: take `passive` from one of them.")
        .all_shown(facts.ends.iter().map(sockets))
        .next("vtysh -c 'show running-config'")
}

fn call(end: &End, dialed: &Dialed) -> Proof {
    let (to, waited) = (dialed.to, dialed.waited);
    let line = format!("bash -c '</dev/tcp/{}/{}'", to.ip(), to.port());
    let came = match &dialed.came {
        Came::Connected => "connected".to_owned(),
        Came::Refused => "connection refused".to_owned(),
        Came::Silence => format!("no answer within {waited:?}"),
        Came::Unreachable(why) => why.clone(),
    };
    let said = fabric_reports::record::Content::Text(came);
    proof(end, format!("{} calls {to}", end.name), line, said)
}

fn sockets(end: &End) -> Proof {
    let line = "ss -tan '( sport = :179 or dport = :179 )'";
    proof(end, format!("{}'s sockets on port 179", end.name), line, json(&end.sockets))
}

fn filtered(kind: &'static str, title: String, end: &End, other: &End, dialed: &Dialed) -> Blame {
    // Where the rule was found it is, else at the end that is called.
    let ruled = [other, end].into_iter().find(|one| !one.filters.is_empty());
    let at = ruled.unwrap_or(other);
    let blame = blame(kind, RungName::Tcp, title).at(&at.name).about("tcp/179");
    let blame = blame.shown(call(end, dialed)).shown(sockets(other));
    match ruled {
        Some(ruled) => {
            let rules = fabric_reports::record::Content::Text(ruled.filters.join("\n"));
            let why = format!("{} has a packet filter that speaks of it: {}", ruled.name, ruled.filters[0]);
            let shown = proof(ruled, format!("{}'s packet filter", ruled.name), "iptables-save", rules);
            blame.why(why).shown(shown).next("iptables-save")
        }
        None => blame
            .why("No packet filter was seen in either box that speaks of the port: something between them may drop it.")
            .next("iptables-save"),
    }
}

fn not_listening(facts: &SessionFacts, end: &End) -> Blame {
    let title = match facts.other(end) {
        Some(other) => {
            format!("nobody listens on TCP port 179, neither on {} nor on {}", end.name, other.name)
        }
        None => format!("nobody listens on TCP port 179 on {}", end.name),
    };
    let calls = facts.ends.iter().filter_map(|end| Some(call(end, end.dialed.as_ref()?)));
    blame("peer-not-listening", RungName::Tcp, title)
        .at(&end.name)
        .about("tcp/179")
        .why("Was the daemon started not to listen (`bgpd -n`, `-p 0`, another port)?")
        .all_shown(facts.ends.iter().map(sockets))
        .all_shown(calls)
        .next("ss -tlnp")
}

/// The kernel's counts that tell of signatures that are missing, unexpected or wrong.
const SIGNATURES: [&str; 3] = ["TCPMD5NotFound", "TCPMD5Unexpected", "TCPMD5Failure"];

fn passwords(facts: &SessionFacts) -> Option<Blame> {
    let counted: Vec<&End> = facts
        .ends
        .iter()
        .filter(|end| SIGNATURES.iter().any(|name| end.md5.get(*name).is_some_and(|count| *count > 0)))
        .collect();
    let names: Vec<&str> = facts.ends.iter().map(|end| end.name.as_str()).collect();
    let both = listed(&names);
    let title = match &facts.passwords {
        Some(Passwords::Differ) => format!("the MD5 passwords of {both} differ"),
        Some(Passwords::Only(who)) => {
            let other = names.iter().find(|name| **name != who.as_str())?;
            format!("{who} has an MD5 password for {other}, and {other} has none for it")
        }
        Some(Passwords::Both) if !counted.is_empty() && !facts.connects() => {
            format!("the MD5 passwords of {both} differ")
        }
        // What neither end's configuration shows only its kernel knows.
        None if !counted.is_empty() && !facts.connects() && silence(facts) => {
            format!("{both} do not sign their TCP segments alike (MD5)")
        }
        _ => return None,
    };
    let node = match &facts.passwords {
        Some(Passwords::Only(who)) => names.iter().find(|name| **name != who.as_str()).copied(),
        _ => None,
    };
    let first = facts.ends.first()?;
    let at = facts.ends.iter().find(|end| Some(end.name.as_str()) == node).unwrap_or(first);
    let counts = facts.ends.iter().filter(|end| !end.md5.is_empty()).map(|end| {
        let line = "grep TcpExt /proc/net/netstat";
        proof(end, format!("what {}'s kernel counts of MD5 signatures", end.name), line, json(&end.md5))
    });
    let about = at.calls_peer().unwrap_or_default();
    let calls = facts.ends.iter().filter_map(|end| Some(call(end, end.dialed.as_ref()?)));
    Some(
        blame("md5-mismatch", RungName::Open, title)
            .at(&at.name)
            .about(&about)
            .why("Segments whose signature is missing, unexpected or wrong are dropped without a word (RFC 2385): it looks like silence.")
            .all_shown(counts)
            .all_shown(calls)
            .next("grep TcpExt /proc/net/netstat"),
    )
}

fn silence(facts: &SessionFacts) -> bool {
    facts.ends.iter().any(|end| end.dialed.as_ref().is_some_and(|dialed| dialed.came == Came::Silence))
}

/// The OPEN messages agree.
pub(super) fn open(facts: &SessionFacts) -> Step {
    if let Some(blame) = facts.pairs().find_map(|(end, other)| wrong_as(end, other)) {
        return Step::Broken(blame);
    }
    if let Some(blame) = refused(facts) {
        return Step::Broken(blame);
    }
    let numbers = facts.pairs().filter_map(|(end, other)| {
        Some(format!("{} is AS {}, as {} expects", end.name, end.local_as(other)?, other.name))
    });
    let numbers: Vec<String> = numbers.collect();
    match numbers.as_slice() {
        [] => Step::Unknown(RungName::Open, "what either end says in its OPEN cannot be looked at".into()),
        some => Step::Holds(RungName::Open, some.join("; ")),
    }
}

/// The AS that `end` takes of `other` against the one `other` has.
fn wrong_as(end: &End, other: &End) -> Option<Blame> {
    let actual = other.local_as(end)?;
    let own = end.local_as(other)?;
    let expects = match &end.speaker {
        Speaker::Router(seen) => seen.expects.or_else(|| told(seen.session.as_ref()?))?,
        Speaker::Cilium(_) => match end.cilium_neighbor(other)?.asn {
            0 => return None,
            number => RemoteAs::Number(number),
        },
        _ => return None,
    };
    let fits = match expects {
        RemoteAs::Number(number) => number == actual,
        RemoteAs::Internal => own == actual,
        RemoteAs::External => own != actual,
    };
    if fits {
        return None;
    }
    let title = format!("{} expects {expects} of {}, which is AS {actual}", end.name, other.name);
    let proofs = [end, other].into_iter().filter_map(|one| Some(session_proof(one, one.session()?)));
    let proofs: Vec<Proof> = proofs.collect();
    // What Cilium expects and what it is, a policy says: one policy, one cause.
    let cilium = [(end, other), (other, end)].into_iter().find_map(|(one, far)| {
        let neighbor = one.cilium_neighbor(far)?;
        Some((one, policies::behind(one.cilium()?, neighbor.address)?, neighbor))
    });
    let why = "Each OPEN is refused (RFC 4271, section 6.2: Bad Peer AS).";
    Some(match cilium {
        Some((one, policy, neighbor)) => {
            let named = policies::named(policy);
            let title = if one.name == end.name {
                format!("{named} expects {expects} of {}, which is AS {actual}", other.name)
            } else {
                format!("{named} makes Cilium AS {actual}, and {} expects {expects}", end.name)
            };
            let shown = proof(one, format!("Cilium's neighbor on {}", one.name), "", json(neighbor));
            blame("wrong-as", RungName::Open, title)
                .about(&policies::about(policy))
                .why(why)
                .shown(policies::policy_proof(policy))
                .shown(Proof { line: None, ..shown })
                .all_shown(proofs)
                .next(policies::get(policy))
        }
        None => blame("wrong-as", RungName::Open, title)
            .at(&end.name)
            .about(&end.calls_peer().unwrap_or_default())
            .why(why)
            .all_shown(proofs)
            .next("vtysh -c 'show running-config'"),
    })
}

/// What a daemon whose configuration cannot be read is known to expect.
fn told(session: &Session) -> Option<RemoteAs> {
    match (session.remote_as, session.kind) {
        // Nobody was heard yet, so this is the configuration's own number.
        (Some(number), _) if session.established_count == 0 && session.remote_id.is_none() => {
            Some(RemoteAs::Number(number))
        }
        (_, SessionType::Internal) => Some(RemoteAs::Internal),
        (_, SessionType::External) => Some(RemoteAs::External),
    }
}

const OPEN_MESSAGE_ERROR: u8 = 2;
const BAD_PEER_AS: (u8, u8) = (2, 2);
const HOLD_TIMER_EXPIRED: u8 = 4;

/// The last NOTIFICATION was about an OPEN (RFC 4271, section 6.2).
fn refused(facts: &SessionFacts) -> Option<Blame> {
    let (end, session) = facts.ends.iter().find_map(|end| {
        let session = end.session()?;
        let code = session.last_reset.as_ref()?.code?;
        (code.0 == OPEN_MESSAGE_ERROR && !session.is_up()).then_some((end, session))
    })?;
    let reset = session.last_reset.as_ref()?;
    let whom = facts.other(end).map_or(session.neighbor.as_str(), |other| other.name.as_str());
    let known = facts.ends.len() == 2 && facts.pairs().all(|(end, other)| end.local_as(other).is_some());
    let kind = match reset.code {
        // Both numbers are known, and fit by now: that word was of another time.
        Some(BAD_PEER_AS) if known => return None,
        Some(BAD_PEER_AS) => "wrong-as",
        _ => "open-refused",
    };
    let title = format!("the OPEN between {} and {whom} is refused: {reset}", end.name);
    let line = end.router().map(|router| router.line.clone()).unwrap_or_default();
    let blame = blame(kind, RungName::Open, title).at(&end.name).about(&session.neighbor);
    Some(blame.shown(session_proof(end, session)).next(line))
}

/// The session stays.
pub(super) fn session(facts: &SessionFacts) -> Step {
    if let Some(blame) = shut_down_far(facts) {
        return Step::Broken(blame);
    }
    if let Some(blame) = expired(facts).or_else(|| prefix_limit(facts)) {
        return Step::Broken(blame);
    }
    Step::Skip
}

/// That the last loss was for want of keepalives.
pub(super) fn expired(facts: &SessionFacts) -> Option<Blame> {
    let (end, session) = facts.ends.iter().find_map(|end| {
        let session = end.session()?;
        let reset = session.last_reset.as_ref()?;
        let told = reset.code.is_some_and(|(code, _)| code == HOLD_TIMER_EXPIRED)
            || reset.to_string().to_ascii_lowercase().contains("hold timer expired");
        told.then_some((end, session))
    })?;
    let whom = facts.other(end).map_or(session.neighbor.as_str(), |other| other.name.as_str());
    let title = format!(
        "the hold time of the session between {} and {whom} ran out: keepalives did not arrive",
        end.name
    );
    let why = "They connect, so the way is there: what is sent over the connection is lost, or a daemon was too busy to send.";
    let both = facts.ends.iter().filter_map(|end| Some(session_proof(end, end.session()?)));
    // The first end in the lab's order stands for both.
    let first = facts.ends.iter().find(|end| end.session().is_some()).unwrap_or(end);
    let line = first.router().map(|router| router.line.clone()).unwrap_or_default();
    Some(
        blame("hold-timer-expired", RungName::Session, title)
            .at(&first.name)
            .about(&first.calls_peer().unwrap_or_default())
            .why(if facts.connects() { why } else { "" })
            .all_shown(both)
            .next(line),
    )
}

fn prefix_limit(facts: &SessionFacts) -> Option<Blame> {
    let (end, session) = facts.ends.iter().find_map(|end| {
        let session = end.session()?;
        let reset = session.last_reset.as_ref()?;
        let told = reset.code == Some((6, 1)) || reset.reason.to_ascii_lowercase().contains("prefix count");
        (told && !session.is_up()).then_some((end, session))
    })?;
    let title =
        format!("the session of {} with {} has hit its limit of prefixes", end.name, session.neighbor);
    let line = end.router().map(|router| router.line.clone()).unwrap_or_default();
    let blame = blame("prefix-limit", RungName::Session, title).at(&end.name).about(&session.neighbor);
    Some(blame.shown(session_proof(end, session)).next(line))
}

/// The families are negotiated that somebody wants of a session that is up.
pub(super) fn family(facts: &SessionFacts, wanted: &[Family]) -> Step {
    let Some((end, session)) = facts.up() else { return Step::Skip };
    let carried = |family: &Family| session.families.get(family).is_some_and(|state| state.negotiated);
    let Some(lost) = wanted.iter().find(|family| !carried(family)) else {
        let all: Vec<String> =
            session.families.keys().filter(|family| carried(family)).map(ToString::to_string).collect();
        return Step::Holds(RungName::Family, format!("{} is carried", listed(&all)));
    };
    let other = facts.other(end);
    let lacks = |one: &&End| {
        let far = facts.other(one);
        one.families(far).is_some_and(|families| !families.contains(lost))
    };
    let guilty = facts.ends.iter().find(lacks);
    let (at, title) = match (guilty, other) {
        (Some(guilty), _) => {
            let whom = facts.other(guilty).map_or("its neighbor", |other| other.name.as_str());
            (guilty, format!("{} does not offer {lost} to {whom}", guilty.name))
        }
        (None, Some(other)) => (other, format!("{} does not offer {lost} to {}", other.name, end.name)),
        (None, None) => {
            (end, format!("the neighbor {} of {} does not offer {lost}", session.neighbor, end.name))
        }
    };
    let shown = facts.ends.iter().filter_map(|one| match one.cilium_neighbor(facts.other(one)?) {
        Some(neighbor) => {
            let shown = proof(one, format!("Cilium's neighbor on {}", one.name), "", json(neighbor));
            Some(Proof { line: None, ..shown })
        }
        None => Some(session_proof(one, one.session()?)),
    });
    let policy =
        facts.other(at).and_then(|other| policies::behind(at.cilium()?, at.cilium_neighbor(other)?.address));
    let blame = blame("family-not-negotiated", RungName::Family, title)
        .why("A family is carried only if both ends offer it in their OPEN (RFC 4760, section 8).")
        .all_shown(shown);
    Step::Broken(match policy {
        Some(policy) => blame
            .about(&format!("{} {lost}", policies::about(policy)))
            .shown(policies::policy_proof(policy))
            .next(policies::get(policy)),
        None => blame
            .at(&at.name)
            .about(&format!("{} {lost}", at.calls_peer().unwrap_or_default()))
            .next("vtysh -c 'show running-config'"),
    })
}
