//! What a plan is made of.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Node, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::core::Object;

use crate::cilium::bgp::{
    CiliumBGPAdvertisementSpec, CiliumBGPNodeConfigSpec, CiliumBGPPeerConfigSpec, Conditions,
    NodeConfigStatus,
};
use crate::cilium::{CiliumBGPPeeringPolicy, CiliumVersion, Promises};

/// A CiliumBGPNodeConfig, in whichever version it is served.
pub type NodeConfig = Object<CiliumBGPNodeConfigSpec, NodeConfigStatus>;
/// A CiliumBGPPeerConfig, in whichever version it is served.
pub type PeerConfig = Object<CiliumBGPPeerConfigSpec, Conditions>;
/// A CiliumBGPAdvertisement, in whichever version it is served.
pub type Advertisement = Object<CiliumBGPAdvertisementSpec, Option<()>>;

/// Everything a plan is made of.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// Which Cilium it is.
    pub version: CiliumVersion,
    /// What that one does.
    pub promises: &'a Promises,
    /// The node.
    pub node: &'a Node,
    /// The policies of the first API.
    pub policies: Vec<&'a CiliumBGPPeeringPolicy>,
    /// The node's configuration in the second API.
    pub node_config: Option<&'a NodeConfig>,
    /// The peer configurations it may refer to, by name.
    pub peer_configs: BTreeMap<&'a str, &'a PeerConfig>,
    /// All advertisements.
    pub advertisements: Vec<&'a Advertisement>,
    /// All services.
    pub services: Vec<&'a Service>,
    /// All endpoints of services.
    pub endpoints: Vec<&'a EndpointSlice>,
    /// Whether a service without endpoints stays advertised.
    pub keeps_empty_services: bool,
    /// The namespace of the Secrets with passwords.
    pub secrets_namespace: &'a str,
    /// The Secrets there, by name.
    pub secrets: BTreeMap<&'a str, &'a Secret>,
    /// The node's addresses.
    pub addresses: &'a Addresses,
}

/// The addresses of a node, as its kernel has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// By interface; without those of the link alone.
    pub interfaces: BTreeMap<String, Vec<IpAddr>>,
    /// The next hops of the default routes, the preferred first.
    pub gateways: Vec<IpAddr>,
}

impl<'a> Input<'a> {
    /// A node, and nothing else in the API.
    pub fn of(
        version: CiliumVersion,
        promises: &'a Promises,
        node: &'a Node,
        addresses: &'a Addresses,
    ) -> Self {
        Self {
            version,
            promises,
            node,
            policies: Vec::new(),
            node_config: None,
            peer_configs: BTreeMap::new(),
            advertisements: Vec::new(),
            services: Vec::new(),
            endpoints: Vec::new(),
            keeps_empty_services: true,
            secrets_namespace: "kube-system",
            secrets: BTreeMap::new(),
            addresses,
        }
    }
}

impl Input<'_> {
    pub(super) fn name(&self) -> String {
        self.node.name_any()
    }

    /// Whether anything refers to the node's addresses by interface, or to its default route.
    pub fn by_interface(&self) -> bool {
        let Some(config) = self.node_config else { return false };
        let peers = config.spec.bgp_instances.iter().flat_map(|instance| &instance.peers);
        let discovers = peers.clone().any(|peer| peer.auto_discovery.is_some());
        let transports = self.peer_configs.values().filter_map(|peer| peer.spec.transport.as_ref());
        let advertised = self.advertisements.iter().flat_map(|resource| &resource.spec.advertisements);
        discovers
            || transports.into_iter().any(|transport| transport.source_interface.is_some())
            || advertised.into_iter().any(|one| one.interface.is_some())
    }

    /// The password in a Secret: none where there is no such Secret, as Cilium has it.
    ///
    /// # Errors
    /// When the Secret has no key `password`.
    pub(super) fn password(&self, secret: &str) -> Result<Option<String>, String> {
        let namespace = self.secrets_namespace;
        if namespace.is_empty() {
            return Err(
                "authSecretRef: bgpControlPlane.secretsNamespace.name is empty in the chart's values"
                    .to_owned(),
            );
        }
        let Some(found) = self.secrets.get(secret) else { return Ok(None) };
        let bytes = found.data.as_ref().and_then(|data| data.get("password"));
        let text =
            bytes.and_then(|bytes| String::from_utf8(bytes.0.clone()).ok()).filter(|text| !text.is_empty());
        text.map(Some).ok_or_else(|| {
            format!("authSecretRef: Secret {namespace}/{secret} has no key `password` with a text in it")
        })
    }
}
