//! Addresses handed out in a network, the way a container engine does: gateway first, then in order of asking.
//!
//! What lives here: the pool. What does not: putting an address on an interface (`links`).

use std::collections::HashSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rtnl::WireError;

/// A network's addresses.
#[derive(Debug, Clone)]
pub struct Pool {
    network: Ipv4Net,
    gateway: Ipv4Addr,
    taken: HashSet<Ipv4Addr>,
}

impl Pool {
    /// A pool over a network. The gateway is the first host address unless said.
    pub fn new(network: Ipv4Net, gateway: Option<Ipv4Addr>) -> Self {
        let gateway = gateway.unwrap_or_else(|| network.hosts().next().unwrap_or(network.addr()));
        Self { network, gateway, taken: HashSet::from([gateway]) }
    }

    /// The gateway's address.
    pub fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }

    /// An address with the network's prefix length, as an interface wants it.
    pub fn on_link(&self, address: Ipv4Addr) -> Ipv4Net {
        Ipv4Net::new(address, self.network.prefix_len()).unwrap_or_else(|_| Ipv4Net::from(address))
    }

    /// Sets an address aside for a node that asked for it by name.
    pub fn reserve(&mut self, address: Ipv4Addr) {
        self.taken.insert(address);
    }

    /// The next free address.
    pub fn next(&mut self, node: &str) -> Result<Ipv4Addr, WireError> {
        let free = self.network.hosts().find(|address| !self.taken.contains(address));
        let address = free.ok_or_else(|| WireError::NoAddress {
            network: self.network.to_string(),
            node: node.to_owned(),
        })?;
        self.taken.insert(address);
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_gateway_and_skip_what_is_reserved() {
        let mut pool = Pool::new("172.20.20.0/24".parse().unwrap(), None);
        pool.reserve("172.20.20.3".parse().unwrap());
        assert_eq!(pool.gateway(), Ipv4Addr::new(172, 20, 20, 1));
        assert_eq!(pool.next("a").unwrap(), Ipv4Addr::new(172, 20, 20, 2));
        assert_eq!(pool.next("b").unwrap(), Ipv4Addr::new(172, 20, 20, 4));
        assert_eq!(pool.on_link(Ipv4Addr::new(172, 20, 20, 4)).to_string(), "172.20.20.4/24");
    }

    #[test]
    fn a_full_network_says_so() {
        let mut pool = Pool::new("192.0.2.0/30".parse().unwrap(), None);
        pool.next("a").unwrap();
        let error = pool.next("b").unwrap_err().to_string();
        assert!(error.contains("192.0.2.0/30") && error.contains('b'), "{error}");
    }
}
