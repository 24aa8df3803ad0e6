//! Where nodes live: namespaces made by us (`netns`), containers of an engine (`docker`), the process that keeps them
//! (`keeper`), and the hats one executable wears (`hats`). And the ways into nodes that others made: an exec of Kubernetes
//! (`kubectl`), words of the user's (`prefix`).

pub mod carried;
pub mod docker;
pub mod hats;
pub mod keeper;
pub mod kubectl;
pub mod netns;
pub mod prefix;
pub(crate) mod wrapped;
