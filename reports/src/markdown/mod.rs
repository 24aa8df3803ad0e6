//! Markdown as GitHub and GitLab show it, from the record: for a job's summary and for comments.

mod escape;
mod render;
#[cfg(test)]
mod tests;

pub(crate) use escape::{block, html, inline};
pub use render::render;
