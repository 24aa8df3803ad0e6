//! Pools of addresses, read, and which of them overlap.
//!
//! What lives here: what a pool has, and which of two that overlap is switched off. What does not: giving addresses (`plan`).

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::cilium::{CiliumLoadBalancerIPPoolSpec, LabelSelector, LbIpam, PoolBlock};
use crate::twin::range::Range;

/// A pool, as far as giving addresses goes.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    /// Its name.
    pub(super) name: String,
    /// Which Services it is for; all of them without one.
    pub(super) selector: Option<LabelSelector>,
    /// Whether nothing more may be given.
    pub(super) disabled: bool,
    /// Its addresses.
    pub(super) ranges: Vec<Range>,
    /// Addresses of these that are nobody's.
    pub(super) reserved: BTreeSet<IpAddr>,
    /// What overlaps what, when the pool is switched off for that.
    pub(super) conflict: Option<String>,
}

impl Pool {
    /// Reads a pool. A block that is none is left out with those after it, as cilium-operator stops at it.
    pub(super) fn read(name: &str, spec: &CiliumLoadBalancerIPPoolSpec, names: &LbIpam) -> Self {
        let mut pool = Self {
            name: name.to_owned(),
            selector: spec.service_selector.clone(),
            disabled: spec.disabled,
            ranges: Vec::new(),
            reserved: BTreeSet::new(),
            conflict: None,
        };
        let keeps = match spec.allow_first_last_ips.as_deref() {
            Some(said) => said == "No",
            None => names.keeps_ends,
        };
        let cidrs =
            spec.cidrs.iter().map(|old| PoolBlock { cidr: Some(old.cidr.clone()), ..PoolBlock::default() });
        for block in cidrs.chain(spec.blocks.iter().cloned()) {
            let Some((range, whole)) = read(&block) else {
                tracing::warn!(pool = name, ?block, "a block of a pool is no range of addresses");
                break;
            };
            // One or two addresses are all ends.
            if whole && keeps && range.size() > 2 {
                pool.reserved.extend([range.first(), range.last()]);
            }
            pool.ranges.push(range);
        }
        pool
    }

    /// How many addresses there are, and how many of them may still be given when `given` says which are.
    pub(super) fn count(&self, given: impl Iterator<Item = IpAddr>) -> (u128, u128) {
        let total = self.ranges.iter().fold(0_u128, |sum, range| sum.saturating_add(range.size()));
        let within = |ip: &IpAddr| self.ranges.iter().any(|range| range.contains(*ip));
        let used: BTreeSet<IpAddr> = given.filter(within).chain(self.reserved.iter().copied()).collect();
        (total, used.len() as u128)
    }
}

fn read(block: &PoolBlock) -> Option<(Range, bool)> {
    if let Some(cidr) = block.cidr.as_deref().filter(|cidr| !cidr.is_empty()) {
        return cidr.parse::<IpNet>().ok().map(|net| (Range::of(net), true));
    }
    let start: IpAddr = block.start.as_deref()?.parse().ok()?;
    let stop = match block.stop.as_deref().filter(|stop| !stop.is_empty()) {
        Some(stop) => stop.parse().ok()?,
        None => start,
    };
    Range::between(start, stop).map(|range| (range, false))
}

/// Finds pools that overlap. They stand in the order in which they were made: the newer one of two is switched off.
pub(super) fn settle_conflicts(pools: &mut [Pool]) {
    for at in 0..pools.len() {
        let (earlier, rest) = pools.split_at_mut(at);
        let Some(pool) = rest.first_mut() else { return };
        let own = pool.ranges.iter().enumerate().find_map(|(n, range)| {
            let twice = pool.ranges[..n].iter().find(|other| other.overlaps(*range))?;
            Some((*twice, *range, pool.name.clone()))
        });
        let working = earlier.iter().filter(|other| other.conflict.is_none());
        let foreign = || {
            working.flat_map(|other| other.ranges.iter().map(move |range| (other, *range))).find_map(
                |(other, theirs)| {
                    let mine = pool.ranges.iter().find(|mine| mine.overlaps(theirs))?;
                    Some((*mine, theirs, other.name.clone()))
                },
            )
        };
        pool.conflict = own.or_else(foreign).map(|(mine, theirs, name)| {
            let text = |range: Range| format!("{} - {}", range.first(), range.last());
            format!(
                "Pool conflicts since range '{}' overlaps range '{}' from IP Pool '{name}'",
                text(mine),
                text(theirs)
            )
        });
    }
}
