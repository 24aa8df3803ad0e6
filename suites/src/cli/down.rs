//! `fabric down`: the end of a fabric, from its own state and never from the lab's files.

use std::process::ExitCode;

use anyhow::Result;
use fabric_harness::fabric::{Fabric, sweep};
use fabric_harness::runtime::keeper::states;

use super::args::DownArgs;
use super::{exit, pick};

pub(super) async fn run(args: DownArgs) -> Result<ExitCode> {
    // What died by itself is ended with whatever is.
    let swept = sweep().await?;
    for id in &swept {
        say!("{id} had died; its containers and networks are removed.");
    }
    let ids: Vec<String> = if args.name.name.as_ref().is_some_and(|name| swept.contains(name)) {
        Vec::new()
    } else if args.all || (!swept.is_empty() && states()?.is_empty()) {
        states()?.into_iter().map(|state| state.spec.id).collect()
    } else {
        vec![pick::state(args.lab.lab.as_deref(), &args.name)?.spec.id]
    };
    if ids.is_empty() && swept.is_empty() {
        say!("No fabric is up.");
    }
    let mut failed = None;
    for id in ids {
        let started = std::time::Instant::now();
        let ended = match Fabric::attach(&id) {
            Ok(fabric) => fabric.end().await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => {
                say!("{id} is down ({:.2} s); nothing is left of it.", started.elapsed().as_secs_f64())
            }
            // One that does not end keeps no other from ending.
            Err(error) => {
                eprintln!("{id}: {error}");
                failed = Some(error);
            }
        }
    }
    match failed {
        None => Ok(ExitCode::from(exit::OK)),
        Some(error) => Err(error.into()),
    }
}
