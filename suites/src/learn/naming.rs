//! What prefixes and addresses are called by role: of several names the one that says most, and none that means more than
//! the one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::expect::{Place, Select, Symbol};

/// The names of a fabric's prefixes and addresses.
#[derive(Debug, Clone, Default)]
pub struct Naming {
    prefixes: BTreeMap<IpNet, Vec<Symbol>>,
    addresses: BTreeMap<IpAddr, Vec<Symbol>>,
    routers: BTreeSet<String>,
}

impl Naming {
    /// Names to come, with the routers of the fabric: an interface of a router says more than one of a server.
    pub fn new(routers: impl IntoIterator<Item = String>) -> Self {
        Self { routers: routers.into_iter().collect(), ..Self::default() }
    }

    /// Names a prefix.
    pub fn prefix(&mut self, prefix: IpNet, symbol: Symbol) {
        let names = self.prefixes.entry(prefix.trunc()).or_default();
        if !names.contains(&symbol) {
            names.push(symbol);
        }
    }

    /// Names an address.
    pub fn address(&mut self, address: IpAddr, symbol: Symbol) {
        let names = self.addresses.entry(address).or_default();
        if !names.contains(&symbol) {
            names.push(symbol);
        }
    }

    /// The symbol for a prefix; itself where no role fits it alone.
    pub fn of_prefix(&self, prefix: IpNet) -> Symbol {
        if prefix.prefix_len() == 0 {
            return Symbol::Default;
        }
        let mut names: Vec<&Symbol> = self.prefixes.get(&prefix).into_iter().flatten().collect();
        names.sort_by_key(|symbol| self.rank(symbol));
        let only = names.into_iter().find(|symbol| self.is_only(symbol, prefix));
        only.cloned().unwrap_or(Symbol::Prefix(prefix))
    }

    /// Whether a symbol stands for this prefix and for no other of its family.
    fn is_only(&self, symbol: &Symbol, prefix: IpNet) -> bool {
        let six = prefix.addr().is_ipv6();
        let mut all = self.prefixes.iter().filter(|(other, names)| {
            other.addr().is_ipv6() == six && names.contains(symbol) && **other != prefix
        });
        all.next().is_none()
    }

    /// The symbol for an address, if it has a role.
    pub fn of_address(&self, address: IpAddr) -> Option<Symbol> {
        let names = self.addresses.get(&address)?;
        names.iter().min_by_key(|symbol| self.rank(symbol)).cloned()
    }

    /// Every symbol for an address.
    pub fn all_of(&self, address: IpAddr) -> &[Symbol] {
        self.addresses.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    /// The lower, the more a name says.
    fn rank(&self, symbol: &Symbol) -> (u8, String) {
        let rank = match symbol {
            Symbol::PodCidr(Select::Of(_)) | Symbol::Pod(_) => 0,
            Symbol::Management | Symbol::Default => 1,
            Symbol::Service(..) => 2,
            Symbol::Node(_) => 3,
            Symbol::Interface { place: Place::Device(device), .. } if self.routers.contains(device) => 4,
            Symbol::Interface { place: Place::NodeOf(_), .. } => 5,
            _ => 6,
        };
        (rank, symbol.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(text: &str) -> Symbol {
        Symbol::parse(text).unwrap()
    }

    #[test]
    fn a_name_means_one_thing() {
        let mut naming = Naming::new(["tor0".to_owned()]);
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        naming.prefix(net("10.0.1.0/24"), symbol("node(worker):net0"));
        naming.prefix(net("10.0.1.0/24"), symbol("tor0:net1"));
        naming.prefix(net("10.9.0.0/24"), symbol("tor0:net9"));
        naming.prefix(net("10.9.1.0/24"), symbol("tor0:net9"));
        naming.prefix(net("fd00::/64"), symbol("tor0:net1"));
        assert_eq!(naming.of_prefix(net("10.0.1.0/24")), symbol("tor0:net1"));
        assert_eq!(naming.of_prefix(net("10.9.0.0/24")), symbol("10.9.0.0/24"), "the interface has two");
        assert_eq!(naming.of_prefix(net("fd00::/64")), symbol("tor0:net1"), "one of each family");
        assert_eq!(naming.of_prefix(net("0.0.0.0/0")), Symbol::Default);
        assert_eq!(naming.of_prefix(net("192.0.2.0/24")), symbol("192.0.2.0/24"));
    }
}
