//! What Cilium promises, as data: its custom resources, its versions, and what each version does.
//!
//! What lives here: types, schemas and tables, the chart's values among them (`helm`). What does not: anything that
//! acts (the agent of the twin is in `twin::agent`; the deadlines computed from these tables are in `wait`).

pub mod bgp;
mod crd;
pub mod helm;
mod node;
mod peering;
mod pool;
mod promises;
mod settings;
mod version;

pub use crd::{BGPP_CRD, FieldBeginning, SCHEMA_VERSION_LABEL, bgp_v2_versions, crds, field_beginnings};
pub use node::{CiliumNode, CiliumNodeAddress, CiliumNodeIpam, CiliumNodeSpec};
pub use peering::{
    AdvertisedPathAttributes, CiliumBGPPeeringPolicy, CiliumBGPPeeringPolicySpec, LabelSelector, Neighbor,
    Operator, Requirement, VirtualRouter,
};
pub use pool::{
    CiliumLoadBalancerIPPool, CiliumLoadBalancerIPPoolSpec, LbIpam, PoolBlock, PoolCidr, lb_ipam,
};
pub use promises::{
    AgentStop, BgpV2, ConnectRange, Generation, PolicyFields, Promises, RetryRule, ServiceAddresses,
    Unsupported, V2Fields, Winner, known_lines, newest_known, promises, takes_rights,
};
pub use settings::BgpSettings;
pub use version::{CiliumVersion, ParseVersionError, PreRelease};
