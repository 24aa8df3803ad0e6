//! What gives Services their endpoints, and nodes what they answer for them.
//!
//! What lives here: re-exports. `endpoints` decides and `slices` writes EndpointSlices (kube-controller-manager's part),
//! `front` decides and `proxy` tells what each node answers (kube-proxy's, or Cilium's, part), `lbipam` gives load balancer
//! addresses (cilium-operator's part). What does not: cluster IPs, which the API server gives (`api::rules`), sockets
//! (`world`), and advertising (`agent`).

mod copy;
mod endpoints;
mod front;
mod lbipam;
mod proxy;
mod slices;

pub use front::{Door, Front, Protocol, Way};
pub use lbipam::run as run_lbipam;
pub use proxy::{Fronts, run as run_proxy};
pub use slices::run as run_endpoints;
