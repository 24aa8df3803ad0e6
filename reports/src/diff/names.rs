//! What addresses and prefixes are called: a run gives pod CIDRs, pods and links other addresses than the one before, and
//! they must be known again.
//!
//! What lives here: reading the names a record holds, and the name under which something is compared. Where a record holds
//! no names, things are compared by their addresses, link-local ones excepted.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

/// The state's kind under which a record holds names.
const KIND: &str = "names";

/// The names of one record at the end of one phase.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    addresses: BTreeMap<String, String>,
    prefixes: BTreeMap<String, String>,
    /// By pod: the node it is on, and that node's gateway.
    pods: BTreeMap<String, (String, Vec<String>)>,
}

impl Names {
    /// Reads them from a state, if it holds some.
    pub(super) fn read(kind: &str, json: &Value) -> Option<Self> {
        if kind != KIND {
            return None;
        }
        let map = |key: &str| -> BTreeMap<String, String> {
            let all = json.get(key).and_then(Value::as_object).into_iter().flatten();
            all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        let pods = json.get("pods").and_then(Value::as_object).into_iter().flatten();
        let pods = pods.filter_map(|(pod, at)| {
            let node = at.get("node")?.as_str()?.to_owned();
            let gateways = at.get("gateways").and_then(Value::as_array).into_iter().flatten();
            let gateways = gateways.filter_map(|gateway| Some(gateway.as_str()?.to_owned())).collect();
            Some((pod.clone(), (node, gateways)))
        });
        Some(Self { addresses: map("addresses"), prefixes: map("prefixes"), pods: pods.collect() })
    }

    /// What a prefix is compared as: its role where a run decides its digits, else itself.
    pub(super) fn prefix(&self, prefix: &str) -> String {
        match self.prefixes.get(prefix) {
            Some(name) if is_given(name) && self.is_only(name, prefix) => name.clone(),
            _ => prefix.to_owned(),
        }
    }

    /// A role that two prefixes of one family have (a service with two addresses) tells neither.
    fn is_only(&self, name: &str, prefix: &str) -> bool {
        let six = prefix.contains(':');
        let mut others = self
            .prefixes
            .iter()
            .filter(|(other, called)| *called == name && other.contains(':') == six && *other != prefix);
        others.next().is_none()
    }

    /// What an address is compared as: its role where a run decides its digits, `link-local` where nothing more is known of
    /// one, else itself.
    pub(super) fn address(&self, address: &str) -> String {
        match self.addresses.get(address) {
            Some(name) if is_given(name) || is_link_local(address) => name.clone(),
            None if is_link_local(address) => "link-local".to_owned(),
            _ => address.to_owned(),
        }
    }

    /// What a hop on the way from one pod to another is compared as: pods move among the nodes of their rack.
    pub(super) fn hop(&self, address: &str, from: &str, to: &str) -> String {
        for end in [from, to] {
            let Some((node, gateways)) = self.pods.get(end) else { continue };
            if gateways.iter().any(|gateway| gateway == address) {
                return format!("gateway({end})");
            }
            let name = self.addresses.get(address).map(String::as_str).unwrap_or_default();
            if let Some(interface) = name.strip_prefix(&format!("node({node}):")) {
                return format!("node({end}):{interface}");
            }
        }
        // Boxes answer with whichever address the kernel likes; which box it is does not change.
        self.addresses.get(address).cloned().unwrap_or_else(|| self.address(address))
    }

    /// The box that has an address.
    pub(super) fn place(&self, address: &str) -> Option<&str> {
        let name = self.addresses.get(address)?;
        match name.strip_prefix("node(") {
            Some(node) => node.split(')').next(),
            None => name.split_once(':').map(|(place, _)| place),
        }
    }

    /// The name of the prefix that a pod's address is in.
    pub(super) fn holder_of_pod(&self, pod: &str) -> Option<String> {
        let called = format!("pod/{pod}");
        let (address, _) = self.addresses.iter().find(|(_, name)| **name == called)?;
        self.holder(address)
    }

    /// The name of the longest named prefix that holds an address.
    pub(super) fn holder(&self, address: &str) -> Option<String> {
        let address: IpAddr = address.parse().ok()?;
        let holding = self.prefixes.keys().filter_map(|prefix| {
            let length = holds(prefix, address)?;
            Some((length, self.prefix(prefix)))
        });
        holding.max().map(|(_, name)| name)
    }
}

/// The length of a prefix that holds an address.
pub(super) fn holds(prefix: &str, address: IpAddr) -> Option<u32> {
    let (net, length) = prefix.split_once('/')?;
    let (net, length): (IpAddr, u32) = (net.parse().ok()?, length.parse().ok()?);
    let bits = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let ((net, width), (ip, other)) = (bits(net), bits(address));
    let same = width == other && length <= width && (net ^ ip).checked_shr(128 - length).unwrap_or(0) == 0;
    same.then_some(length)
}

/// Whether a run gives what has this name its digits: pods and their prefixes, services, the management network.
fn is_given(name: &str) -> bool {
    let words = ["podCIDR(", "pod/", "service/", "clusterIP(", "externalIP("];
    name == "mgmt"
        || words.iter().any(|word| name.starts_with(word))
        || [":cilium_host", ":cilium_net", ":eth0"].iter().any(|end| name.ends_with(end))
}

/// Whether an address means something on its link alone.
pub(super) fn is_link_local(address: &str) -> bool {
    match address.parse() {
        Ok(IpAddr::V6(v6)) => v6.is_unicast_link_local(),
        Ok(IpAddr::V4(v4)) => v4.is_link_local(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn names() -> Names {
        let json = json!({
            "addresses": {"10.1.1.9": "pod/a", "10.0.2.1": "tor0:net2", "10.0.2.2": "node(worker):net0", "fe80::1": "tor0:net0",
                          "10.1.1.77": "node(worker):cilium_host"},
            "prefixes": {"10.1.1.0/24": "podCIDR(worker)", "10.0.2.0/24": "tor0:net2", "172.20.20.0/24": "mgmt",
                         "10.9.0.1/32": "service/web", "10.9.0.2/32": "service/web"},
            "pods": {"a": {"node": "worker", "gateways": ["10.0.2.1"]}},
        });
        Names::read("names", &json).unwrap()
    }

    #[rstest]
    #[case("10.1.1.0/24", "podCIDR(worker)")]
    #[case("172.20.20.0/24", "mgmt")]
    #[case::the_lab_decides("10.0.2.0/24", "10.0.2.0/24")]
    #[case::two_of_one_name("10.9.0.1/32", "10.9.0.1/32")]
    #[case::unknown("192.0.2.0/24", "192.0.2.0/24")]
    fn prefixes_are_known_again(#[case] prefix: &str, #[case] expected: &str) {
        assert_eq!(names().prefix(prefix), expected);
    }

    #[rstest]
    #[case("fe80::1", "tor0:net0")]
    #[case("fe80::2", "link-local")]
    #[case("10.1.1.9", "pod/a")]
    #[case("10.0.2.1", "10.0.2.1")]
    fn addresses_are_known_again(#[case] address: &str, #[case] expected: &str) {
        assert_eq!(names().address(address), expected);
    }

    #[rstest]
    #[case("10.0.2.1", "gateway(a)")]
    #[case("10.0.2.2", "node(a):net0")]
    #[case("10.1.1.77", "node(a):cilium_host")]
    #[case("10.1.1.9", "pod/a")]
    #[case("192.0.2.1", "192.0.2.1")]
    fn hops_are_known_by_their_part(#[case] address: &str, #[case] expected: &str) {
        assert_eq!(names().hop(address, "a", "b"), expected);
    }

    #[test]
    fn an_address_is_in_the_longest_prefix() {
        assert_eq!(names().holder("10.1.1.9").as_deref(), Some("podCIDR(worker)"));
        assert_eq!(names().holder("10.9.0.1").as_deref(), Some("10.9.0.1/32"));
        assert_eq!(names().holder("192.0.2.1"), None);
        assert_eq!(names().place("10.0.2.2"), Some("worker"));
        assert_eq!(names().place("fe80::1"), Some("tor0"));
    }
}
