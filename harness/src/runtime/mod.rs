//! Where nodes live: namespaces made by us (`netns`), the process that keeps them (`keeper`), and the hats one
//! executable wears (`hats`).

pub mod hats;
pub mod keeper;
pub mod netns;
