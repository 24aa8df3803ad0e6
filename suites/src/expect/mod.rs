//! The expectation language of lab.yaml.
//!
//! What lives here: what a user can say, and reading it. What does not: making checks of it (`plan`), holding it against
//! what was seen (`checks`), and knowing what a symbol stands for on a live fabric (whoever implements [`Resolver`]).

mod family;
mod hop;
mod interfaces;
mod language;
mod nodes;
mod path;
mod patience;
mod reach;
mod read;
mod resolver;
mod routes;
mod sessions;
mod symbol;
mod throughout;

#[cfg(test)]
mod tests;

pub use family::WantedFamily;
pub use hop::Hop;
pub use interfaces::{BoxInterfaces, InterfaceExpect, WantedLink};
pub use language::Expect;
pub use nodes::{NodeExpect, NodesExpect, PodCidrs, PodExpect, WantedPhase};
pub use path::{OneOrEach, WantedOrigin, WantedPath, WantedSource};
pub use patience::Patience;
pub use reach::{PathsExpect, Prober, ReachExpect, Via};
pub use resolver::{Named, Resolver, Unresolved, known_as, prefix_known_as};
pub use routes::{PrefixExpect, RouterRoutes, WantedFib};
pub use sessions::{FamilyExpect, Neighbor, RouterSessions, SessionExpect, WantedKind, WantedState};
pub use symbol::{Place, PodName, Select, ServiceAddress, Symbol, SymbolError};
pub use throughout::ThroughoutExpect;
