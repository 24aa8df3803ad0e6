//! The resources of Cilium's second BGP API: CiliumBGPClusterConfig and its kin.
//!
//! What lives here: the types and, through them, the schemas of the newest version. What earlier versions lack is in
//! `crd::fields`; what the objects do is in `twin::operator` and `twin::agent`.

mod advertisement;
mod cluster;
mod condition;
mod content;
mod node;
mod path;
mod peer;
mod shape;

pub use advertisement::{
    Advertisement, AdvertisementType, CiliumBGPAdvertisement, CiliumBGPAdvertisementSpec, InterfaceOptions,
    ServiceAddress, ServiceOptions,
};
pub use cluster::{
    AutoDiscovery, CiliumBGPClusterConfig, CiliumBGPClusterConfigSpec, ClusterInstance, ClusterPeer,
    Conditions, DefaultGateway, PeerConfigRef,
};
pub use condition::Condition;
pub use content::content;
pub use node::{
    CiliumBGPNodeConfig, CiliumBGPNodeConfigOverride, CiliumBGPNodeConfigOverrideSpec,
    CiliumBGPNodeConfigSpec, InstanceOverride, InstanceStatus, NodeConfigStatus, NodeInstance, NodePeer,
    PeerOverride, PeerStatus, RouteCount, TimersState,
};
pub use path::{Communities, PathAttributes};
pub use peer::{
    CiliumBGPPeerConfig, CiliumBGPPeerConfigSpec, FamilyName, FamilyWithAdvertisements, GracefulRestart,
    PeerTimers, Transport,
};
