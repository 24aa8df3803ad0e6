//! Addresses handed out in a network, the way a container engine does: gateway first, then in order of asking.
//!
//! What lives here: the pool. What does not: putting an address on an interface (`links`).

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::rtnl::WireError;

/// A network's addresses, IPv4 or IPv6.
#[derive(Debug, Clone)]
pub struct Pool {
    network: IpNet,
    gateway: IpAddr,
    taken: HashSet<IpAddr>,
}

impl Pool {
    /// A pool over a network. The gateway is the first host address unless said.
    pub fn new(network: impl Into<IpNet>, gateway: Option<IpAddr>) -> Self {
        let network = network.into();
        let gateway = gateway.unwrap_or_else(|| hosts(network).next().unwrap_or(network.addr()));
        Self { network, gateway, taken: HashSet::from([gateway]) }
    }

    /// The gateway's address.
    pub fn gateway(&self) -> IpAddr {
        self.gateway
    }

    /// An address with the network's prefix length, as an interface wants it.
    pub fn on_link(&self, address: IpAddr) -> IpNet {
        IpNet::new(address, self.network.prefix_len()).unwrap_or_else(|_| IpNet::from(address))
    }

    /// Sets an address aside for a node that asked for it by name.
    pub fn reserve(&mut self, address: IpAddr) {
        self.taken.insert(address);
    }

    /// The next free address.
    pub fn next(&mut self, node: &str) -> Result<IpAddr, WireError> {
        let free = hosts(self.network).find(|address| !self.taken.contains(address));
        let address = free.ok_or_else(|| WireError::NoAddress {
            network: self.network.to_string(),
            node: node.to_owned(),
        })?;
        self.taken.insert(address);
        Ok(address)
    }
}

/// The addresses a host may have. The first of an IPv6 network is every router's there (RFC 4291, section 2.6.1).
pub(crate) fn hosts(network: IpNet) -> impl Iterator<Item = IpAddr> {
    let anycast = match network {
        IpNet::V6(net) if net.prefix_len() < 127 => Some(IpAddr::V6(net.network())),
        _ => None,
    };
    network.hosts().filter(move |address| Some(*address) != anycast)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("172.20.20.0/24", ["172.20.20.1", "172.20.20.2", "172.20.20.3", "172.20.20.4"])]
    #[case("3fff:172:20:20::/64", ["3fff:172:20:20::1", "3fff:172:20:20::2", "3fff:172:20:20::3", "3fff:172:20:20::4"])]
    fn addresses_follow_the_gateway_and_skip_what_is_reserved(
        #[case] network: IpNet,
        #[case] expected: [&str; 4],
    ) {
        let [gateway, first, reserved, second] = expected.map(|text| text.parse::<IpAddr>().unwrap());
        let mut pool = Pool::new(network, None);
        pool.reserve(reserved);
        assert_eq!(pool.gateway(), gateway);
        assert_eq!(pool.next("a").unwrap(), first);
        assert_eq!(pool.next("b").unwrap(), second);
        assert_eq!(pool.on_link(second).to_string(), format!("{second}/{}", network.prefix_len()));
    }

    #[test]
    fn a_full_network_says_so() {
        let mut pool = Pool::new("192.0.2.0/30".parse::<IpNet>().unwrap(), None);
        pool.next("a").unwrap();
        let error = pool.next("b").unwrap_err().to_string();
        assert!(error.contains("192.0.2.0/30") && error.contains('b'), "{error}");
    }
}
