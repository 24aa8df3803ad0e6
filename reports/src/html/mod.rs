//! The record as one HTML page that needs no network and no server: [`render`].

mod embed;
mod parts;
mod picture;
mod render;
#[cfg(test)]
mod tests;

pub use render::render;
