//! Helm values of the Cilium chart: those that change what the fabric does, and the whole file for everything else.

use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::cilium::CiliumVersion;
use crate::lab::yaml::{self, Diagnostics, FromTree, Location, Node, nearest};

mod shape;
pub(super) mod version;

/// The values that matter. A value that the file does not give is `None`: which default the chart has depends on its
/// version, and is not known here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// `tunnel` (until chart 1.14): `disabled`, `vxlan`, `geneve`.
    pub tunnel: Option<String>,
    /// `routingMode` (since 1.14): `native`, `tunnel`.
    pub routing_mode: Option<String>,
    /// `ipam.mode`: `kubernetes`, `cluster-pool`, ...
    pub ipam_mode: Option<String>,
    /// `ipam.operator.clusterPoolIPv4PodCIDRList` (a single text until 1.13, then a list).
    pub cluster_pool_ipv4: Vec<IpNet>,
    /// `ipam.operator.clusterPoolIPv4MaskSize`.
    pub cluster_pool_ipv4_mask: Option<u8>,
    /// `ipam.operator.clusterPoolIPv6PodCIDRList`.
    pub cluster_pool_ipv6: Vec<IpNet>,
    /// `ipam.operator.clusterPoolIPv6MaskSize`.
    pub cluster_pool_ipv6_mask: Option<u8>,
    /// `ipv4NativeRoutingCIDR`.
    pub ipv4_native_routing_cidr: Option<IpNet>,
    /// `ipv6NativeRoutingCIDR`.
    pub ipv6_native_routing_cidr: Option<IpNet>,
    /// `bgpControlPlane.enabled`.
    pub bgp_control_plane: Option<bool>,
    /// `bgpControlPlane.secretsNamespace.name`.
    pub bgp_secrets_namespace: Option<String>,
    /// `bgpControlPlane.secretsNamespace.create`.
    pub bgp_creates_secrets_namespace: Option<bool>,
    /// `enableNoServiceEndpointsRoutable` (since 1.19).
    pub no_endpoints_routable: Option<bool>,
    /// `bgpControlPlane.statusReport.enabled`.
    pub bgp_status_report: Option<bool>,
    /// `bgp.enabled`: the older speaker, MetalLB's.
    pub bgp: Option<bool>,
    /// `k8s.requireIPv4PodCIDR`.
    pub require_ipv4_pod_cidr: Option<bool>,
    /// `k8s.requireIPv6PodCIDR`.
    pub require_ipv6_pod_cidr: Option<bool>,
    /// `ipv4.enabled`.
    pub ipv4: Option<bool>,
    /// `ipv6.enabled`.
    pub ipv6: Option<bool>,
    /// `autoDirectNodeRoutes`.
    pub auto_direct_node_routes: Option<bool>,
    /// Where the file begins; none without a values file.
    pub file: Option<Location>,
    /// Where the values above are written, by their dotted key.
    pub places: std::collections::BTreeMap<String, Location>,
    /// The whole file.
    pub raw: Json,
}

impl Values {
    /// Where a value (by its dotted key, `ipam.mode`) is written; none when the file does not give it.
    pub fn at(&self, key: &str) -> Option<&Location> {
        self.places.get(key)
    }
}

/// Reads a values file for a version of Cilium; without one, nothing that depends on it is said. `shown` is its name in
/// messages.
pub fn read(
    shown: &Path,
    text: &str,
    version: Option<&CiliumVersion>,
    ctx: &mut Diagnostics,
) -> Option<Values> {
    let tree = yaml::parse(shown, text, ctx)?;
    if tree.as_mapping().is_none() && !tree.is_null() {
        ctx.error(&tree.at, format!("expected helm values by name, found {}", tree.describe()))
            .help("write `key: value` lines");
        return None;
    }
    let before = ctx.len();
    if let Some(version) = version {
        version::check(&tree, version, ctx);
    }
    let mut values = Values { raw: tree.to_json(), file: Some(tree.at.clone()), ..Values::default() };
    let mut reader = Reader { tree: &tree, ctx, values: &mut values };
    let tunnel = reader.take("tunnel");
    let routing_mode = reader.take("routingMode");
    let ipam_mode = reader.take("ipam.mode");
    let (pools, pools6) = (reader.pools("4"), reader.pools("6"));
    let mask = reader.take("ipam.operator.clusterPoolIPv4MaskSize");
    let mask6 = reader.take("ipam.operator.clusterPoolIPv6MaskSize");
    let native4 = reader.take("ipv4NativeRoutingCIDR");
    let native6 = reader.take("ipv6NativeRoutingCIDR");
    let bgp_control_plane = reader.take("bgpControlPlane.enabled");
    let bgp_secrets_namespace = reader.take("bgpControlPlane.secretsNamespace.name");
    let bgp_creates_secrets_namespace = reader.take("bgpControlPlane.secretsNamespace.create");
    let no_endpoints_routable = reader.take("enableNoServiceEndpointsRoutable");
    let bgp_status_report = reader.take("bgpControlPlane.statusReport.enabled");
    let bgp = reader.take("bgp.enabled");
    let require4 = reader.take("k8s.requireIPv4PodCIDR");
    let require6 = reader.take("k8s.requireIPv6PodCIDR");
    let (ipv4, ipv6) = (reader.take("ipv4.enabled"), reader.take("ipv6.enabled"));
    let auto_direct_node_routes = reader.take("autoDirectNodeRoutes");
    let sound = ctx.iter().skip(before).all(|noted| noted.severity != yaml::Severity::Error);
    sound.then_some(Values {
        tunnel,
        routing_mode,
        ipam_mode,
        cluster_pool_ipv4: pools,
        cluster_pool_ipv4_mask: mask,
        cluster_pool_ipv6: pools6,
        cluster_pool_ipv6_mask: mask6,
        ipv4_native_routing_cidr: native4,
        ipv6_native_routing_cidr: native6,
        bgp_control_plane,
        bgp_secrets_namespace,
        bgp_creates_secrets_namespace,
        no_endpoints_routable,
        bgp_status_report,
        bgp,
        require_ipv4_pod_cidr: require4,
        require_ipv6_pod_cidr: require6,
        ipv4,
        ipv6,
        auto_direct_node_routes,
        ..values
    })
}

/// Keys that look like another one that is read here, and are none the less what they are.
const LOOK_ALIKE: [&str; 10] = [
    "ipv4NativeRoutingCIDR",
    "ipv6NativeRoutingCIDR",
    "requireIPv4PodCIDR",
    "requireIPv6PodCIDR",
    "clusterPoolIPv4PodCIDR",
    "clusterPoolIPv6PodCIDR",
    "clusterPoolIPv4PodCIDRList",
    "clusterPoolIPv6PodCIDRList",
    "clusterPoolIPv4MaskSize",
    "clusterPoolIPv6MaskSize",
];

/// Whether `key` was meant to be `part`. Short names are held to the letter but for their case: the chart has many that
/// look alike (`bgp`, `bpf`).
fn is_misspelt(key: &str, part: &str) -> bool {
    const LONG: usize = 6;
    let long = key.len() >= LONG && part.len() >= LONG && !LOOK_ALIKE.contains(&key);
    key.eq_ignore_ascii_case(part) || (long && nearest(key, [part]).is_some())
}

struct Reader<'a> {
    tree: &'a Node,
    ctx: &'a mut Diagnostics,
    values: &'a mut Values,
}

impl Reader<'_> {
    /// The node of a dotted key. Helm takes any key in silence, so one that is misspelt is worth a warning.
    fn find(&mut self, key: &str) -> Option<Node> {
        let mut node = self.tree;
        for part in key.split('.') {
            let mapping = node.as_mapping()?;
            if mapping.get(part).is_none() {
                let near = mapping.entries.iter().find(|entry| is_misspelt(&entry.key, part));
                if let Some(near) = near {
                    let message =
                        format!("helm ignores `{}`: the chart's value is called `{part}`", near.key);
                    // Several values may be under the same key.
                    let noted = self.ctx.iter().any(|one| one.at == near.key_at && one.message == message);
                    if !noted {
                        self.ctx.warning(&near.key_at, message).help(format!("write `{part}`"));
                    }
                }
            }
            node = mapping.get(part)?;
        }
        if node.is_null() {
            return None;
        }
        self.values.places.insert(key.to_owned(), node.at.clone());
        Some(node.clone())
    }

    fn take<T: FromTree>(&mut self, key: &str) -> Option<T> {
        let node = self.find(key)?;
        T::from_tree(&node, self.ctx)
    }

    /// The pools of a family (`4` or `6`); of both spellings the list counts.
    fn pools(&mut self, family: &str) -> Vec<IpNet> {
        let one = format!("ipam.operator.clusterPoolIPv{family}PodCIDR");
        match self.find(&format!("{one}List")) {
            Some(list) if list.as_sequence().is_some() => Vec::from_tree(&list, self.ctx).unwrap_or_default(),
            Some(one) => IpNet::from_tree(&one, self.ctx).into_iter().collect(),
            None => self.take(&one).into_iter().collect(),
        }
    }
}

#[cfg(test)]
#[path = "values/tests.rs"]
mod tests;
