//! Judging what a router says of its BGP neighbors.
//!
//! One fact per check: a session that is up with the wrong hold time fails the check of its timers and no other.

use std::time::Duration;

use fabric_harness::router::{Family, Session, SessionState, SessionType, Sessions};

use super::verdict::{Verdict, counted, listed};
use crate::expect::{Neighbor, Resolver, WantedFamily, WantedKind, WantedState};

/// What one check wants of a router's sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionSpec {
    /// A fact of one session.
    Of {
        /// The router.
        router: String,
        /// The neighbor.
        neighbor: Neighbor,
        /// The fact.
        fact: SessionFact,
    },
    /// There are no neighbors but these.
    Only {
        /// The router.
        router: String,
        /// Its neighbors.
        neighbors: Vec<Neighbor>,
    },
}

/// One fact of a session.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionFact {
    /// Its state, and the neighbor's AS.
    State {
        /// The state; any when not said.
        state: Option<WantedState>,
        /// The neighbor's AS.
        remote_as: Option<u32>,
    },
    /// Internal or external.
    Kind(WantedKind),
    /// The negotiated timers.
    Timers {
        /// The hold time.
        hold: Option<Duration>,
        /// The keepalive interval.
        keepalive: Option<Duration>,
    },
    /// The number of prefixes accepted from the neighbor.
    Received {
        /// Of which family.
        family: WantedFamily,
        /// How many.
        count: u64,
    },
    /// The number of prefixes sent to the neighbor.
    Sent {
        /// Of which family.
        family: WantedFamily,
        /// How many.
        count: u64,
    },
    /// The unicast families that both ends announced.
    Families(Vec<WantedFamily>),
    /// The name the neighbor gave: the whole one, or what kind puts behind the cluster's name.
    Hostname(String),
    /// A part of the reason for the last loss.
    LastReset(String),
    /// How often the session was lost since the router came up.
    Drops(u64),
}

impl SessionSpec {
    /// The router to be asked.
    pub fn router(&self) -> &str {
        match self {
            Self::Of { router, .. } | Self::Only { router, .. } => router,
        }
    }
}

impl SessionSpec {
    /// Whether it can be so only of a session that is not up.
    pub fn wants_it_down(&self) -> bool {
        let Self::Of { fact: SessionFact::State { state: Some(state), .. }, .. } = self else { return false };
        *state != WantedState::Established
    }
}

/// Judges one fact against all the sessions of the router.
pub fn judge_session(spec: &SessionSpec, seen: &Sessions, resolver: &dyn Resolver) -> Verdict {
    match spec {
        SessionSpec::Of { router, neighbor, fact } => {
            let subject = format!("{router}, neighbor {neighbor}");
            let expected = fact.phrase();
            match find(neighbor, seen, resolver) {
                Err(why) => Verdict::unresolved(&subject, expected, &why),
                Ok(None) => {
                    let line = if seen.is_empty() {
                        format!(
                            "{router} has no BGP neighbors at all: its daemon has no configuration, or was started again and has lost it"
                        )
                    } else {
                        format!("{router} has no neighbor {neighbor}; it has {}", listed(seen.keys()))
                    };
                    Verdict::of(&subject, expected, "no such neighbor", vec![line])
                }
                Ok(Some(session)) => judge_fact(&subject, fact, session).detail(session),
            }
        }
        SessionSpec::Only { router, neighbors } => judge_only(router, neighbors, seen, resolver),
    }
}

fn find<'s>(
    neighbor: &Neighbor,
    seen: &'s Sessions,
    resolver: &dyn Resolver,
) -> Result<Option<&'s Session>, crate::expect::Unresolved> {
    match neighbor {
        Neighbor::Interface(name) => Ok(seen.get(name)),
        Neighbor::Address(symbol) => {
            let addresses = resolver.addresses(symbol)?;
            Ok(addresses.iter().find_map(|address| seen.get(&address.value.to_string())))
        }
    }
}

fn judge_only(router: &str, neighbors: &[Neighbor], seen: &Sessions, resolver: &dyn Resolver) -> Verdict {
    let expected = format!("no neighbor but {}", listed(neighbors.iter().map(Neighbor::to_string)));
    let mut wanted = Vec::new();
    for neighbor in neighbors {
        match find(neighbor, seen, resolver) {
            Ok(found) => wanted.extend(found.map(|session| session.neighbor.as_str())),
            Err(why) => return Verdict::unresolved(router, expected, &why),
        }
    }
    let difference = seen
        .values()
        .filter(|session| !wanted.contains(&session.neighbor.as_str()))
        .map(|session| format!("unexpected: {} ({})", session.neighbor, session.state))
        .collect();
    let keys: Vec<_> = seen.keys().collect();
    Verdict::of(router, expected, counted(seen.len(), "neighbor", "neighbors"), difference).detail(&keys)
}

fn judge_fact(subject: &str, fact: &SessionFact, session: &Session) -> Verdict {
    let mut difference = Vec::new();
    let seen = match fact {
        SessionFact::State { state, remote_as } => {
            if let Some(line) = state.and_then(|state| state_difference(state, session)) {
                difference.push(line);
            }
            match (remote_as, session.remote_as) {
                (Some(wanted), Some(seen)) if *wanted != seen => {
                    difference.push(format!("the neighbor's AS is {seen}, not {wanted}"));
                }
                (Some(wanted), None) => {
                    difference
                        .push(format!("the neighbor was never heard, so its AS is not known to be {wanted}"));
                }
                _ => {}
            }
            let number =
                session.remote_as.map_or_else(|| "an AS not heard yet".to_owned(), |n| format!("AS {n}"));
            format!("{} with {number}", session.state)
        }
        SessionFact::Kind(wanted) => {
            let seen = match session.kind {
                SessionType::Internal => WantedKind::Internal,
                SessionType::External => WantedKind::External,
            };
            if seen != *wanted {
                let ours = session.local_as;
                difference.push(format!("the session is {seen}; the router's own AS on it is {ours}"));
            }
            seen.to_string()
        }
        SessionFact::Timers { hold, keepalive } => {
            let mut phrases = Vec::new();
            for (what, wanted, seen) in
                [("hold", *hold, session.hold), ("keepalive", *keepalive, session.keepalive)]
            {
                let Some(wanted) = wanted else { continue };
                match seen {
                    Some(seen) => {
                        phrases.push(format!("{what} {}", seconds(seen)));
                        if seen != wanted {
                            let (seen, wanted) = (seconds(seen), seconds(wanted));
                            difference.push(format!("{what}: {seen} is in force, not {wanted}"));
                        }
                    }
                    None => {
                        let state = session.state;
                        phrases.push(format!("{what} not negotiated"));
                        difference.push(format!("{what}: nothing is negotiated, the session is {state}"));
                    }
                }
            }
            listed(phrases)
        }
        SessionFact::Received { family, count } => {
            let there = session.families.get(&family.family());
            let seen = there.map(|there| there.accepted);
            count_difference("accepted from", *family, *count, seen, session, &mut difference)
        }
        SessionFact::Sent { family, count } => {
            let there = session.families.get(&family.family());
            let seen = there.and_then(|there| there.sent);
            count_difference("sent to", *family, *count, seen, session, &mut difference)
        }
        SessionFact::Families(wanted) => families_difference(wanted, session, &mut difference),
        SessionFact::Hostname(wanted) => match &session.hostname {
            Some(seen) => {
                if !super::same_node(seen, wanted) {
                    difference.push(format!("the neighbor calls itself {seen}, not {wanted}"));
                }
                seen.clone()
            }
            None => {
                difference
                    .push(format!("the neighbor gave no name in its OPEN; the session is {}", session.state));
                "no name".to_owned()
            }
        },
        SessionFact::LastReset(wanted) => match &session.last_reset {
            Some(reset) => {
                if !mentions(&reset.to_string(), wanted) {
                    difference.push(format!("the router gives another reason: {reset}"));
                }
                reset.to_string()
            }
            None => {
                difference.push("the router gives no reason: the session was never lost".to_owned());
                "never lost".to_owned()
            }
        },
        SessionFact::Drops(wanted) => {
            let seen = session.dropped_count;
            if seen != *wanted {
                difference.push(match &session.last_reset {
                    Some(reset) if seen > 0 => format!("it was lost {}; the last time: {reset}", times(seen)),
                    _ => "it was not lost".to_owned(),
                });
            }
            if seen == 0 { "not lost".to_owned() } else { format!("lost {}", times(seen)) }
        }
    };
    let verdict = Verdict::of(subject, fact.phrase(), seen, difference);
    match fact {
        // A count of losses never falls again.
        SessionFact::Drops(wanted) if session.dropped_count > *wanted => verdict.for_good(),
        _ => verdict,
    }
}

fn state_difference(wanted: WantedState, session: &Session) -> Option<String> {
    let fits = match wanted {
        WantedState::Established => session.state == SessionState::Established,
        WantedState::Down => session.state != SessionState::Established,
        WantedState::Idle => session.state == SessionState::Idle,
        WantedState::Connect => session.state == SessionState::Connect,
        WantedState::Active => session.state == SessionState::Active,
        WantedState::OpenSent => session.state == SessionState::OpenSent,
        WantedState::OpenConfirm => session.state == SessionState::OpenConfirm,
    };
    if fits {
        return None;
    }
    let mut line = format!("the session is {}, not {wanted}", session.state);
    if !session.is_up() {
        if let Some(reset) = &session.last_reset {
            line.push_str(&format!("; the router says: {reset}"));
        }
        if let Some(next) = session.next_connect {
            line.push_str(&format!("; next attempt in {}", seconds(next)));
        }
        if session.shutdown {
            line.push_str("; it is shut down by configuration");
        }
    }
    Some(line)
}

fn families_difference(wanted: &[WantedFamily], session: &Session, difference: &mut Vec<String>) -> String {
    let both = [WantedFamily::Ipv4, WantedFamily::Ipv6];
    let carried =
        |family: &WantedFamily| session.families.get(&family.family()).is_some_and(|state| state.negotiated);
    for family in both {
        match (wanted.contains(&family), carried(&family), session.families.contains_key(&family.family())) {
            (true, false, _) if !session.is_up() => {
                difference.push(format!("{family} is not negotiated: the session is {}", session.state));
            }
            (true, false, true) => {
                difference.push(format!(
                    "the router has {family} unicast activated, and the neighbor did not announce it"
                ));
            }
            (true, false, false) => {
                difference.push(format!("{family} unicast is not activated for this neighbor on the router"));
            }
            (false, true, _) => difference.push(format!("it carries {family} too")),
            _ => {}
        }
    }
    listed(both.iter().filter(|family| carried(family)).map(WantedFamily::to_string))
}

fn count_difference(
    verb: &str,
    family: WantedFamily,
    wanted: u64,
    seen: Option<u64>,
    session: &Session,
    difference: &mut Vec<String>,
) -> String {
    match seen {
        Some(seen) => {
            if seen != wanted {
                difference.push(format!("{seen} {family} prefixes are {verb} the neighbor, not {wanted}"));
            }
            format!("{seen} of {wanted} {family} prefixes")
        }
        None => {
            difference.push(if session.families.contains_key(&family.family()) {
                format!("no {family} prefix is {verb} the neighbor: the session is {}", session.state)
            } else {
                format!("the session does not carry {family} unicast")
            });
            format!("no {family} prefixes, session {}", session.state)
        }
    }
}

/// Whether a text holds another, whatever the case and the marks between the words.
fn mentions(text: &str, part: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    plain(text).contains(&plain(part))
}

fn times(number: u64) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        more => format!("{more} times"),
    }
}

/// `9 s`, `2.5 s`.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_millis() as f64 / 1000.0)
}

impl WantedFamily {
    pub(crate) fn family(self) -> Family {
        match self {
            Self::Ipv4 => Family::Ipv4Unicast,
            Self::Ipv6 => Family::Ipv6Unicast,
        }
    }
}

impl SessionFact {
    /// The fact as a phrase: what was wanted. Names of checks are made of it too.
    pub fn phrase(&self) -> String {
        match self {
            Self::State { state, remote_as } => {
                let state = state.map_or_else(|| "configured".to_owned(), |state| state.to_string());
                let number = remote_as.map(|number| format!(" with AS {number}")).unwrap_or_default();
                format!("{state}{number}")
            }
            Self::Kind(kind) => kind.to_string(),
            Self::Timers { hold, keepalive } => {
                let both = [("hold", hold), ("keepalive", keepalive)];
                listed(both.iter().filter_map(|(what, time)| Some(format!("{what} {}", seconds((**time)?)))))
            }
            Self::Received { family, count } => {
                format!("{} received", counted(usize_of(*count), &one(*family), &more(*family)))
            }
            Self::Sent { family, count } => {
                format!("{} sent", counted(usize_of(*count), &one(*family), &more(*family)))
            }
            Self::Families(families) => listed(families.iter().map(WantedFamily::to_string)),
            Self::Hostname(name) => format!("the name {name}"),
            Self::LastReset(reason) => format!("last lost by {reason}"),
            Self::Drops(0) => "not lost".to_owned(),
            Self::Drops(number) => format!("lost {}", times(*number)),
        }
    }
}

fn usize_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn one(family: WantedFamily) -> String {
    format!("{family} prefix")
}

fn more(family: WantedFamily) -> String {
    format!("{family} prefixes")
}
