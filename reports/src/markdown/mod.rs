//! Markdown as GitHub and GitLab show it, from the record: for a job's summary and for comments.

mod escape;
mod render;
#[cfg(test)]
mod tests;

pub use render::render;
