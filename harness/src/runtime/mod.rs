//! Where nodes live: namespaces made by us (`netns`), containers of an engine (`docker`), the process that keeps them
//! (`keeper`), and the hats one executable wears (`hats`).

pub mod docker;
pub mod hats;
pub mod keeper;
pub mod netns;
pub(crate) mod wrapped;
