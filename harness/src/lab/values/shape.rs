//! What the values make of a fabric: whether Cilium speaks BGP, and where the addresses of pods come from.
//!
//! What lives here: the parts of a lab that follow from values, as the twin builds them. Without a values file the twin is
//! a Cilium that speaks BGP and takes Kubernetes' pod CIDRs of every family; with one, the chart's defaults count.

use ipnet::IpNet;

use super::Values;
use crate::cilium::BgpSettings;
use crate::lab::cluster::KindCluster;
use crate::lab::yaml::{Diagnostics, Location};

/// The chart's default of `ipam.mode` since 1.10.
const DEFAULT_IPAM: &str = "cluster-pool";

impl Values {
    /// Whether the agents speak BGP: `bgpControlPlane.enabled`, which is false unless set.
    pub fn speaks_bgp(&self) -> bool {
        self.file.is_none() || self.bgp_control_plane == Some(true)
    }

    /// What the agents and the operator are told about BGP: the chart's defaults where nothing is set.
    pub fn bgp_settings(&self) -> BgpSettings {
        let default = BgpSettings::default();
        BgpSettings {
            secrets_namespace: self.bgp_secrets_namespace.clone().unwrap_or(default.secrets_namespace),
            creates_secrets_namespace: self
                .bgp_creates_secrets_namespace
                .unwrap_or(default.creates_secrets_namespace),
            no_endpoints_routable: self.no_endpoints_routable.unwrap_or(default.no_endpoints_routable),
            status_report: self.bgp_status_report.unwrap_or(default.status_report),
        }
    }

    /// Where a remark about a value belongs: where it is written, else where the file begins.
    fn place(&self, key: &str) -> Location {
        self.at(key).or(self.file.as_ref()).cloned().unwrap_or_default()
    }

    /// Gives the cluster the pod subnets that this Cilium uses: those of the cluster pool, or Kubernetes' own without the
    /// families that are switched off.
    ///
    /// The twin writes what comes of it into each node's `podCIDRs` in either mode.
    pub(in crate::lab) fn shape(&self, cluster: &mut KindCluster, ctx: &mut Diagnostics) {
        if self.file.is_none() {
            return;
        }
        let (ipv4, ipv6) = (self.ipv4.unwrap_or(true), self.ipv6.unwrap_or(false));
        if !ipv4 && !ipv6 {
            ctx.error(
                &self.place("ipv4.enabled"),
                "cilium-agent ends: \"Either IPv4 or IPv6 addressing must be enabled\"",
            )
            .help("write `ipv4: { enabled: true }`, or leave it out");
            return;
        }
        match self.ipam_mode.as_deref() {
            None | Some(DEFAULT_IPAM) => self.pool(cluster, (ipv4, ipv6), ctx),
            Some(_) => self.families(cluster, (ipv4, ipv6), ctx),
        }
    }

    fn pool(&self, cluster: &mut KindCluster, (ipv4, ipv6): (bool, bool), ctx: &mut Diagnostics) {
        // What the chart has since 1.10: 10.0.0.0/8 in /24s, fd00::/104 in /120s.
        let first = |pools: &[IpNet], default: &str| pools.first().copied().or_else(|| default.parse().ok());
        let pools = [
            first(&self.cluster_pool_ipv4, "10.0.0.0/8").filter(|_| ipv4),
            first(&self.cluster_pool_ipv6, "fd00::/104").filter(|_| ipv6),
        ];
        cluster.pod_subnets = pools.into_iter().flatten().collect();
        cluster.node_cidr_mask_v4 = self.cluster_pool_ipv4_mask.unwrap_or(24);
        cluster.node_cidr_mask_v6 = self.cluster_pool_ipv6_mask.unwrap_or(120);
        if self.ipam_mode.is_none() {
            let names: Vec<String> = cluster.pod_subnets.iter().map(ToString::to_string).collect();
            let message = format!(
                "`ipam.mode` is not given, and the chart's default is `{DEFAULT_IPAM}`: pods get addresses of {}, whatever the cluster says",
                names.join(" and ")
            );
            ctx.warning(&self.place("ipam.mode"), message)
                .help("write `ipam: { mode: kubernetes }` to use the cluster's pod subnets");
        }
    }

    fn families(&self, cluster: &mut KindCluster, (ipv4, ipv6): (bool, bool), ctx: &mut Diagnostics) {
        for (on, is_ipv4, key, name) in
            [(ipv4, true, "ipv4.enabled", "IPv4"), (ipv6, false, "ipv6.enabled", "IPv6")]
        {
            let had = cluster.pod_subnets.iter().any(|subnet| subnet.addr().is_ipv4() == is_ipv4);
            if had && !on {
                cluster.pod_subnets.retain(|subnet| subnet.addr().is_ipv4() != is_ipv4);
                let message = format!(
                    "the cluster has {name} pod subnets, and Cilium leaves them alone: `{key}` is false"
                );
                ctx.warning(&self.place(key), message)
                    .help(format!("write `{key}: true`, nested as YAML wants it"));
            }
            if on && !had {
                let message = format!(
                    "`{key}` is true, and the cluster has no {name} pod subnet to take addresses from"
                );
                ctx.warning(&self.place(key), message)
                    .help("write `networking: { ipFamily: dual }` and a pod subnet of each family in the cluster's file");
            }
        }
    }

    /// Notes that BGP resources are applied to a Cilium that will not act on them: a silence that is hard to see.
    pub(in crate::lab) fn check_bgp<'a>(
        &self,
        applied: impl IntoIterator<Item = &'a str>,
        ctx: &mut Diagnostics,
    ) {
        if self.speaks_bgp() {
            return;
        }
        if let Some(object) = applied.into_iter().find(|name| name.starts_with("ciliumbgp")) {
            let message = format!(
                "`bgpControlPlane.enabled` is not true, so that no node speaks BGP, whatever {object} says"
            );
            ctx.warning(&self.place("bgpControlPlane.enabled"), message)
                .help("write `bgpControlPlane: { enabled: true }`");
        }
    }
}
