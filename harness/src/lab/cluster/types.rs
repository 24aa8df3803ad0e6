//! What a cluster is, once read. How it is written is not known here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::lab::yaml::Location;

/// A kind cluster (`kind.x-k8s.io/v1alpha4`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindCluster {
    /// Its name; `kind` unless said.
    pub name: String,
    /// Where pods get their addresses: 10.244.0.0/16 and fd00:10:244::/56 unless said, one of each family there is.
    pub pod_subnets: Vec<IpNet>,
    /// Where services get theirs: 10.96.0.0/16 and fd00:10:96::/112 unless said.
    pub service_subnets: Vec<IpNet>,
    /// Which families the cluster has.
    pub ip_family: IpFamily,
    /// Whether kind leaves the pod network to the user.
    pub disable_default_cni: bool,
    /// The length of the prefix each node gets of the IPv4 pod subnet: 24 unless the controller manager is told otherwise.
    pub node_cidr_mask_v4: u8,
    /// The same for IPv6: 64.
    pub node_cidr_mask_v6: u8,
    /// The nodes, in the order of the file.
    pub nodes: Vec<KindNode>,
    /// Where it is written.
    pub at: Location,
}

impl KindCluster {
    /// A node by kind's full name for it, or by that name without the cluster's in front (`worker2`).
    pub fn node(&self, name: &str) -> Option<&KindNode> {
        let full = format!("{}-{name}", self.name);
        self.nodes.iter().find(|node| node.name == name || node.name == full)
    }
}

/// Which IP families a cluster has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpFamily {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both, IPv4 first.
    Dual,
}

/// One node of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindNode {
    /// As kind names node and container: `<cluster>-control-plane`, `-control-plane2`, `-worker`, `-worker2`, ...
    pub name: String,
    /// What it does.
    pub role: Role,
    /// The container image, if not kind's default.
    pub image: Option<String>,
    /// kind's own `labels` and kubelet's `node-labels`.
    pub labels: BTreeMap<String, String>,
    /// kubelet's `node-ip`: one address, or one of each family; empty when kubelet is to find its own.
    pub node_ips: Vec<IpAddr>,
    /// What keeps pods away: kubeadm's own taint of control planes unless patched, and kubelet's `register-with-taints`.
    /// kind takes kubeadm's away when the cluster has this one node.
    pub taints: Vec<Taint>,
    /// Where it is written.
    pub at: Location,
}

/// What a node does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the control plane.
    ControlPlane,
    /// Runs pods.
    Worker,
}

impl Role {
    /// The word in node names and in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        }
    }
}

/// A taint of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// The key.
    pub key: String,
    /// The value; often empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}
