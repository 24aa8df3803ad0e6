//! Which Service gets which address, and why another gets none.
//!
//! What lives here: the decision, pure: pools and Services in, addresses and reasons out. It remembers nothing: what a Service
//! has stands in its status, and is kept as long as it may be. What does not: reading and writing objects (`view`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::pool::Pool;
use crate::twin::agent::selector::selects;
use crate::twin::range::Range;

/// A Service that wants addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Namespace and name.
    pub(super) key: (String, String),
    /// Its labels, and those Cilium adds for its name and namespace.
    pub(super) labels: BTreeMap<String, String>,
    /// Addresses it asks for by name.
    pub(super) requested: Vec<IpAddr>,
    /// Whether it wants an IPv4 and an IPv6 address.
    pub(super) families: (bool, bool),
    /// Who may have the same address.
    pub(super) sharing: Option<String>,
    /// Namespaces with whose Services it shares.
    pub(super) across: Vec<String>,
    /// Protocol and number of its ports.
    pub(super) ports: BTreeSet<(String, i32)>,
    /// `externalTrafficPolicy`.
    pub(super) policy: String,
    /// Which pods are behind it.
    pub(super) selector: BTreeMap<String, String>,
    /// Addresses in its status.
    pub(super) had: Vec<IpAddr>,
}

/// What becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Its addresses now.
    pub(super) ips: Vec<IpAddr>,
    /// Reason and message, when it does not have all it asked for.
    pub(super) missing: Option<(&'static str, String)>,
}

const NO_POOL: &str = "There are no enabled CiliumLoadBalancerIPPools that match this service";
const FULL: &str = "All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs";

struct Giver<'a> {
    pools: &'a [Pool],
    asked: &'a [Asked],
    /// Who has each address, by place in `asked`.
    given: BTreeMap<IpAddr, Vec<usize>>,
    answers: Vec<Answer>,
}

/// Decides for all Services at once. Who has an address that it may keep is served before those that have none.
pub(super) fn give(pools: &[Pool], asked: &[Asked]) -> Vec<Answer> {
    let answers = vec![Answer::default(); asked.len()];
    let mut giver = Giver { pools, asked, given: BTreeMap::new(), answers };
    for at in 0..asked.len() {
        giver.keep(at);
    }
    for (at, wants) in asked.iter().enumerate() {
        if wants.requested.is_empty() {
            giver.any(at);
        } else {
            giver.named(at);
        }
    }
    giver.answers
}

fn selected(pool: &Pool, asked: &Asked) -> bool {
    // A selector that can never be right selects nothing.
    pool.selector.as_ref().is_none_or(|selector| selects(Some(selector), &asked.labels).unwrap_or(false))
}

impl Giver<'_> {
    fn take(&mut self, at: usize, ip: IpAddr) {
        self.given.entry(ip).or_default().push(at);
        self.answers[at].ips.push(ip);
    }

    /// Keeps what the Service has, as far as it is still its due. A pool that was switched off takes nothing back.
    fn keep(&mut self, at: usize) {
        let asked = &self.asked[at];
        for ip in &asked.had {
            let due = if asked.requested.is_empty() {
                (if ip.is_ipv4() { asked.families.0 } else { asked.families.1 })
                    && !self.answers[at].ips.iter().any(|had| had.is_ipv4() == ip.is_ipv4())
            } else {
                asked.requested.contains(ip) && !self.answers[at].ips.contains(ip)
            };
            let holds = |pool: &Pool| pool.ranges.iter().any(|range| range.contains(*ip));
            let pooled = self.pools.iter().any(|pool| holds(pool) && selected(pool, asked));
            if due && pooled && self.refusal(at, *ip).is_none() {
                self.take(at, *ip);
            }
        }
    }

    /// Why an address cannot also be this Service's, if others have it.
    fn refusal(&self, at: usize, ip: IpAddr) -> Option<&'static str> {
        let others = self.given.get(&ip)?;
        others.iter().find_map(|other| incompatible(&self.asked[*other], &self.asked[at]))
    }

    /// Ranges out of which this Service may be served, with the pools that are theirs.
    fn ranges(&self, at: usize) -> impl Iterator<Item = (&Pool, Range)> {
        let asked = &self.asked[at];
        let working = self.pools.iter().filter(|pool| !pool.disabled && pool.conflict.is_none());
        working
            .filter(move |pool| selected(pool, asked))
            .flat_map(|pool| pool.ranges.iter().map(move |range| (pool, *range)))
    }

    fn named(&mut self, at: usize) {
        for ip in self.asked[at].requested.clone() {
            if self.answers[at].ips.contains(&ip) {
                continue;
            }
            let found = self.ranges(at).find(|(_, range)| range.contains(ip));
            let why = match found {
                None => {
                    let working = self.pools.iter().filter(|pool| !pool.disabled && pool.conflict.is_none());
                    let elsewhere = working.flat_map(|pool| &pool.ranges).any(|range| range.contains(ip));
                    if elsewhere {
                        let message =
                            format!("The pool with the CIDR containing '{ip}', doesn't select this service");
                        Some(("pool_selector_mismatch", message))
                    } else {
                        Some(("no_pool", format!("No pool exists with a CIDR containing '{ip}'")))
                    }
                }
                Some((pool, _)) => {
                    let taken = pool.reserved.contains(&ip) || self.given.contains_key(&ip);
                    let alone = self.asked[at].sharing.is_none() || pool.reserved.contains(&ip);
                    match self.refusal(at, ip) {
                        _ if taken && alone => {
                            let message = format!("The IP '{ip}' is already allocated to another service");
                            Some(("already_allocated", message))
                        }
                        Some(why) => {
                            let message = format!(
                                "The IP '{ip}' is already allocated to an incompatible service. Reason: {why}"
                            );
                            Some(("already_allocated_incompatible_service", message))
                        }
                        None => None,
                    }
                }
            };
            match why {
                None => self.take(at, ip),
                some => self.answers[at].missing = some,
            }
        }
    }

    fn any(&mut self, at: usize) {
        let (v4, v6) = self.asked[at].families;
        for (wanted, six) in [(v4, false), (v6, true)] {
            if !wanted || self.answers[at].ips.iter().any(|ip| ip.is_ipv6() == six) {
                continue;
            }
            if let Some(ip) = self.shared(at, six) {
                self.take(at, ip);
                continue;
            }
            let ranges = self.ranges(at).filter(|(_, range)| range.is_ipv6() == six);
            let mut full = false;
            let free = ranges.into_iter().find_map(|(pool, range)| {
                full = true;
                range.free(0, |ip| pool.reserved.contains(&ip) || self.given.contains_key(&ip))
            });
            match free {
                Some(ip) => self.take(at, ip),
                None if full => self.answers[at].missing = Some(("out_of_ips", FULL.into())),
                None => self.answers[at].missing = Some(("no_pool", NO_POOL.into())),
            }
        }
    }

    /// An address of Services with the same sharing key, all of which will have this one too.
    fn shared(&self, at: usize, six: bool) -> Option<IpAddr> {
        self.asked[at].sharing.as_ref()?;
        let family = self.given.iter().filter(|(ip, _)| ip.is_ipv6() == six);
        let fits = family.filter(|(ip, _)| self.refusal(at, **ip).is_none());
        fits.map(|(ip, _)| *ip).next()
    }
}

/// Why two Services cannot have one address.
fn incompatible(has: &Asked, wants: &Asked) -> Option<&'static str> {
    if has.sharing.is_none() || has.sharing != wants.sharing {
        return Some("different sharing key");
    }
    let lets = |one: &Asked, other: &Asked| one.across.iter().any(|ns| ns == "*" || *ns == other.key.0);
    if has.key.0 != wants.key.0 && !(lets(has, wants) && lets(wants, has)) {
        return Some("different and not permitted namespace");
    }
    if has.ports.intersection(&wants.ports).next().is_some() {
        return Some("same port and protocol");
    }
    if has.policy != wants.policy {
        return Some("different ExternalTrafficPolicy");
    }
    let local = has.policy == "Local";
    if local && (has.selector.is_empty() || has.selector != wants.selector) {
        return Some("different selectors");
    }
    None
}
