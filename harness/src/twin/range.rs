//! Ranges of addresses, and finding a free one.
//!
//! What lives here: arithmetic, the same for both families. What does not: who has which address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Addresses of one family from a first to a last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::twin) struct Range {
    v6: bool,
    first: u128,
    last: u128,
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl Range {
    /// All addresses of a network, the first and the last included.
    pub(in crate::twin) fn of(net: IpNet) -> Self {
        Self { v6: net.addr().is_ipv6(), first: number(net.network()), last: number(net.broadcast()) }
    }

    /// From one address to another. `None` when they are of two families or in the wrong order.
    pub(in crate::twin) fn between(first: IpAddr, last: IpAddr) -> Option<Self> {
        let range = Self { v6: first.is_ipv6(), first: number(first), last: number(last) };
        (first.is_ipv6() == last.is_ipv6() && range.first <= range.last).then_some(range)
    }

    fn address(self, number: u128) -> IpAddr {
        match (self.v6, u32::try_from(number)) {
            (false, Ok(bits)) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            _ => IpAddr::V6(Ipv6Addr::from_bits(number)),
        }
    }

    /// The first address.
    pub(in crate::twin) fn first(self) -> IpAddr {
        self.address(self.first)
    }

    /// The last address.
    pub(in crate::twin) fn last(self) -> IpAddr {
        self.address(self.last)
    }

    /// Whether these are IPv6 addresses.
    pub(in crate::twin) fn is_ipv6(self) -> bool {
        self.v6
    }

    /// How many addresses there are; one less for all of IPv6, which has more than fit.
    pub(in crate::twin) fn size(self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// Whether an address is in the range.
    pub(in crate::twin) fn contains(self, ip: IpAddr) -> bool {
        ip.is_ipv6() == self.v6 && (self.first..=self.last).contains(&number(ip))
    }

    /// Whether two ranges share an address.
    pub(in crate::twin) fn overlaps(self, other: Self) -> bool {
        self.v6 == other.v6 && self.first <= other.last && other.first <= self.last
    }

    /// The range without its first `front` and last `back` addresses; `None` when nothing is left.
    pub(in crate::twin) fn without(self, front: u128, back: u128) -> Option<Self> {
        let first = self.first.checked_add(front)?;
        let last = self.last.checked_sub(back)?;
        (first <= last).then_some(Self { first, last, ..self })
    }

    /// The first address that is not taken, looked for from the `start`th on and around the end. It takes as many steps as
    /// there are taken addresses in a row, however large the range is.
    pub(in crate::twin) fn free(self, start: u128, taken: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let begin = self.first + start % self.size();
        let walk = (begin..=self.last).chain(self.first..begin);
        walk.map(|number| self.address(number)).find(|ip| !taken(*ip))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> Range {
        Range::of(text.parse().unwrap())
    }

    #[test]
    fn knows_its_ends_and_its_size() {
        let four = range("10.96.0.0/16");
        assert_eq!(
            (four.first(), four.last()),
            ("10.96.0.0".parse().unwrap(), "10.96.255.255".parse().unwrap())
        );
        assert_eq!((four.size(), four.is_ipv6()), (65_536, false));
        assert_eq!(range("fd00:10:96::/112").size(), 65_536);
        assert_eq!(range("::/0").size(), u128::MAX);
        assert_eq!(range("10.0.0.0/31").without(1, 1), None);
        assert!(Range::between("10.0.0.2".parse().unwrap(), "10.0.0.1".parse().unwrap()).is_none());
        assert!(Range::between("10.0.0.2".parse().unwrap(), "::1".parse().unwrap()).is_none());
        assert!(!range("0.0.0.0/0").overlaps(range("::/0")));
    }

    #[test]
    fn a_full_range_has_nothing_free() {
        assert_eq!(range("10.0.0.0/30").free(2, |_| true), None);
        let only = |ip: IpAddr| ip != "10.0.0.1".parse::<IpAddr>().unwrap();
        assert_eq!(range("10.0.0.0/30").free(3, only), "10.0.0.1".parse().ok());
    }

    proptest! {
        #[test]
        fn hands_out_each_address_once_and_then_none(length in 24u8..=32, start in 0u128..1000) {
            let range = range(&format!("10.9.8.0/{length}"));
            let mut taken = BTreeSet::new();
            while let Some(ip) = range.free(start, |ip| taken.contains(&ip)) {
                prop_assert!(range.contains(ip));
                prop_assert!(taken.insert(ip));
            }
            prop_assert_eq!(taken.len() as u128, range.size());
        }

        #[test]
        fn overlap_is_mutual_and_means_a_shared_end(a in 0u32..64, b in 0u32..64, x in 0u32..64, y in 0u32..64) {
            let make = |one: u32, two: u32| {
                let at = |n: u32| IpAddr::V4(Ipv4Addr::from_bits(n));
                Range::between(at(one.min(two)), at(one.max(two))).unwrap()
            };
            let (p, q) = (make(a, b), make(x, y));
            prop_assert_eq!(p.overlaps(q), q.overlaps(p));
            let shared = [p.first(), p.last()].iter().any(|ip| q.contains(*ip)) || p.contains(q.first());
            prop_assert_eq!(p.overlaps(q), shared);
        }
    }
}
