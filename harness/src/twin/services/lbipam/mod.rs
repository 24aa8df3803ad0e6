//! Addresses for Services of type LoadBalancer, as cilium-operator gives them.
//!
//! What lives here: re-exports. `pool` reads pools and finds those that overlap, `plan` decides who gets what, `view` reads
//! Services and writes statuses, `keeper` is the loop. What versions call things is in `cilium`.

mod keeper;
mod plan;
mod pool;
mod view;

#[cfg(test)]
mod tests;

pub use keeper::run;
