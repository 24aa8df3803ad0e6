//! Helm values of the Cilium chart: those that change what the fabric does, and the whole file for everything else.

use std::path::Path;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::lab::yaml::{self, Diagnostics, FromTree, Location, Node};

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
    /// `ipv4NativeRoutingCIDR`.
    pub ipv4_native_routing_cidr: Option<IpNet>,
    /// `ipv6NativeRoutingCIDR`.
    pub ipv6_native_routing_cidr: Option<IpNet>,
    /// `bgpControlPlane.enabled`.
    pub bgp_control_plane: Option<bool>,
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

/// Reads a values file. `shown` is its name in messages.
pub fn read(shown: &Path, text: &str, ctx: &mut Diagnostics) -> Option<Values> {
    let tree = yaml::parse(shown, text, ctx)?;
    if tree.as_mapping().is_none() && !tree.is_null() {
        ctx.error(&tree.at, format!("expected helm values by name, found {}", tree.describe()))
            .help("write `key: value` lines");
        return None;
    }
    let before = ctx.len();
    let mut values = Values { raw: tree.to_json(), ..Values::default() };
    let mut reader = Reader { tree: &tree, ctx, values: &mut values };
    let tunnel = reader.take("tunnel");
    let routing_mode = reader.take("routingMode");
    let ipam_mode = reader.take("ipam.mode");
    let pools = reader.pools();
    let mask = reader.take("ipam.operator.clusterPoolIPv4MaskSize");
    let native4 = reader.take("ipv4NativeRoutingCIDR");
    let native6 = reader.take("ipv6NativeRoutingCIDR");
    let bgp_control_plane = reader.take("bgpControlPlane.enabled");
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
        ipv4_native_routing_cidr: native4,
        ipv6_native_routing_cidr: native6,
        bgp_control_plane,
        bgp,
        require_ipv4_pod_cidr: require4,
        require_ipv6_pod_cidr: require6,
        ipv4,
        ipv6,
        auto_direct_node_routes,
        ..values
    })
}

struct Reader<'a> {
    tree: &'a Node,
    ctx: &'a mut Diagnostics,
    values: &'a mut Values,
}

impl Reader<'_> {
    /// The node of a dotted key. Helm takes any key in silence, so one that differs in case alone is worth a warning.
    fn find(&mut self, key: &str) -> Option<Node> {
        let mut node = self.tree;
        for part in key.split('.') {
            let mapping = node.as_mapping()?;
            if mapping.get(part).is_none() {
                let near = mapping.entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(part));
                if let Some(near) = near {
                    let message =
                        format!("helm ignores `{}`: the chart's value is called `{part}`", near.key);
                    self.ctx.warning(&near.key_at, message).help(format!("write `{part}`"));
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

    fn pools(&mut self) -> Vec<IpNet> {
        match self.find("ipam.operator.clusterPoolIPv4PodCIDRList") {
            Some(list) if list.as_sequence().is_some() => Vec::from_tree(&list, self.ctx).unwrap_or_default(),
            Some(one) => IpNet::from_tree(&one, self.ctx).into_iter().collect(),
            None => self.take("ipam.operator.clusterPoolIPv4PodCIDR").into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> (Option<Values>, Vec<String>) {
        let mut ctx = Diagnostics::new();
        let values = read(Path::new("values.yaml"), text, &mut ctx);
        (values, ctx.iter().map(|noted| format!("{noted:#}")).collect())
    }

    #[test]
    fn reads_what_matters_and_keeps_the_rest() {
        let (read, noted) = values(
            "tunnel: disabled\nipam: {mode: kubernetes}\nipv4NativeRoutingCIDR: 10.0.0.0/8\nbgpControlPlane:\n  enabled: true\nk8s:\n  requireIPv4PodCIDR: true\nhubble: {relay: {enabled: false}}\n",
        );
        let read = read.expect("values");
        assert_eq!(noted, Vec::<String>::new());
        assert_eq!(read.tunnel.as_deref(), Some("disabled"));
        assert_eq!(read.ipam_mode.as_deref(), Some("kubernetes"));
        assert_eq!(read.ipv4_native_routing_cidr, "10.0.0.0/8".parse().ok());
        assert_eq!((read.bgp_control_plane, read.require_ipv4_pod_cidr), (Some(true), Some(true)));
        assert_eq!((read.routing_mode, read.ipv6), (None, None));
        assert_eq!(read.raw["hubble"]["relay"]["enabled"], Json::Bool(false));
        assert_eq!(read.places["tunnel"].to_string(), "values.yaml:1:9");
    }

    #[test]
    fn wrong_types_and_wrong_case_are_noted() {
        let (read, noted) = values("bgpControlplane: {enabled: true}\nk8s: {requireIPv4PodCIDR: maybe}\n");
        assert!(read.is_none());
        assert_eq!(
            noted,
            [
                "values.yaml:1:1: warning: helm ignores `bgpControlplane`: the chart's value is called `bgpControlPlane`",
                "values.yaml:2:27: error: expected `true` or `false`, found \"maybe\"",
            ]
        );
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(values("").0, Some(Values { raw: Json::Null, ..Values::default() }));
        assert!(values("- a\n").0.is_none());
        let pools =
            values("ipam: {operator: {clusterPoolIPv4PodCIDRList: [10.1.0.0/16]}}").0.expect("values");
        assert_eq!(pools.cluster_pool_ipv4, ["10.1.0.0/16".parse().expect("a prefix")]);
    }
}
