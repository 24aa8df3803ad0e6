//! `cargo test --test docker`: labs in containers of a real engine, as a user has them.
//!
//! What lives here: which trials there are, and whether they can run. What does not: what is run elsewhere (`live`).
//!
//! Where no engine answers, or an image is missing, every trial is ignored and says why; with `FABRIC_DOCKER=required` it
//! fails instead. Images that stand for a lab's own are those of `FABRIC_IMAGES`, else those that
//! `fixtures/images/build` makes.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on has failed; nobody reads its API"
)]

mod ends;
mod engine;
mod lab;
mod options;
mod real;
mod refusals;
#[allow(dead_code, unused_imports, reason = "the tests of namespaces use more of it")]
#[path = "../live/support/mod.rs"]
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

const TRIALS: [(&str, fn()); 10] = [
    ("article::passes_every_check_and_leaves_nothing", ends::the_article_passes),
    ("ends::after_the_keeper_was_killed", ends::after_the_keeper_was_killed),
    ("ends::after_the_client_was_killed", ends::after_the_client_was_killed),
    ("options::are_as_the_topology_says", options::are_as_the_topology_says),
    ("refusals::a_name_that_is_taken", refusals::a_name_that_is_taken),
    ("refusals::an_image_that_is_not_there", refusals::an_image_that_is_not_there),
    ("refusals::a_network_of_another_subnet", refusals::a_network_of_another_subnet),
    ("refusals::no_engine", refusals::no_engine),
    ("real::kind_and_helm_in_their_order", real::kind_and_helm_in_their_order),
    ("real::an_upgrade_is_helms_and_is_watched", real::an_upgrade_is_helms_and_is_watched),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They share the engine, and each looks for what is left there.
    arguments.test_threads = Some(1);
    let missing = engine::missing();
    let required = std::env::var("FABRIC_DOCKER").is_ok_and(|said| said == "required");
    if let Some(why) = &missing {
        eprintln!("docker: {why}");
    }
    let trials = TRIALS.iter().map(|(name, run)| {
        let helmless = (name.starts_with("real::") && real::helm().is_none())
            .then(|| "there is no helm: put one on the path, or name it by FABRIC_HELM".to_owned());
        let missing = missing.clone().or(helmless);
        let why = missing.clone();
        let trial = Trial::test(*name, move || match why {
            Some(why) => Err(Failed::from(why)),
            None => {
                run();
                Ok(())
            }
        });
        trial.with_ignored_flag(missing.is_some() && !required)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
