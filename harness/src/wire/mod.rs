//! Links, addresses and bridges: netlink, for whichever runtime.

mod addresses;
mod links;
mod rtnl;

pub use addresses::Pool;
pub(crate) use addresses::hosts;
pub use links::{End, LinkSpec, RouteSpec, Wire};
pub use rtnl::{Rtnl, WireError};
