//! `cargo test --test live`: the program itself, from outside, as a user has it: started, broken, killed, listed.
//!
//! What lives here: what only a real run can show. What does not: the article's lab (`cargo test --test fabric`), and
//! all that can be tested without bringing anything up (the crates' own tests).
//!
//! Every test has a folder and a runtime directory of its own (`support::Ground`), so that all can run at once. Where
//! user namespaces are impossible nothing can be brought up, and the tests say so and pass.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on has failed; nobody reads its API"
)]

mod attach;
mod broken;
mod causes;
mod cilium;
mod clabernetes;
mod compare;
mod contract;
mod diagnostics;
mod ended;
mod foreign;
mod graph;
mod house;
mod kills;
mod kubectl;
mod learn;
mod leftovers;
mod libtest;
mod many;
mod neighbors;
mod second_api;
mod second_more;
mod services;
mod story;
mod support;
mod terminal;
mod upgrade;
mod ways;
mod why;
