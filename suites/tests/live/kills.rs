//! kill -9 at random moments.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::support::{Ground, Kin, a_second, article, until};

const ROUNDS: u64 = 10;
const LATEST: Duration = Duration::from_secs(3);

/// Clients and keepers are killed between 0 and 3 s after their start. `FABRIC_LIVE_SEED` repeats the moments of a run
/// that failed.
#[test]
fn at_random_moments() {
    let Some(ground) = Ground::new("at_random_moments") else { return };
    let seed = std::env::var("FABRIC_LIVE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    let mut random = StdRng::seed_from_u64(seed);
    let lab = article();
    for round in 0..ROUNDS {
        let moment = LATEST.mul_f64(random.random::<f64>());
        let keeper = round % 2 == 1;
        println!(
            "seed {seed}, round {round}: the {} after {moment:?}",
            if keeper { "keeper" } else { "client" }
        );
        let arguments = match keeper {
            true => ["up", lab.to_str().unwrap(), "--to", "policy"],
            false => ["test", lab.to_str().unwrap(), "--only", "policy::"],
        };
        let (begun, mut client) = (Instant::now(), ground.start(ground.fabric(&arguments)));
        let mut seen = Kin::default();
        // Not a wait for anything: the moment is what is being tried.
        let _ = until(moment, || if begun.elapsed() < moment { Err(String::new()) } else { Ok(()) });
        seen = seen.and(ground.kin());
        let victims = if keeper { seen.keepers() } else { vec![client.pid()] };
        for victim in victims {
            // It may have ended by itself, its work done.
            let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
        }
        if keeper && client.ended().is_none() && seen.keepers().is_empty() {
            // None was there when we looked: the client it is, and a keeper that has come since goes with it.
            client.signal(Signal::SIGKILL);
        }
        // Whoever was killed: nobody waits for what cannot come.
        until(a_second(), || client.ended().ok_or_else(|| client.said())).unwrap();
        ground.nothing_is_left_of(&seen);
    }
    ground.goes_on(&lab);
}

/// A command of a node has a process between it and the keeper. When that one is killed, the keeper is left with the command: the
/// node's first process ends only when somebody reaps it.
#[test]
fn whoever_started_a_command() {
    let Some(ground) = Ground::new("whoever_started_a_command") else { return };
    ground.run(&["up", article().to_str().unwrap(), "--name", "k", "--to", "policy"]).code(0);
    let kin = ground.kin();
    let keeper = kin.keepers()[0];
    let name = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let starters: Vec<i32> = children(keeper)
        .into_iter()
        .filter(|pid| children(*pid).iter().any(|child| name(child).trim() == "gobgpd"))
        .collect();
    assert_eq!(starters.len(), 4, "one for each node's speaker");
    for starter in starters {
        kill(Pid::from_raw(starter), Signal::SIGKILL).unwrap();
    }
    ground.run(&["down", "--name", "k"]).code(0);
    ground.nothing_is_left_of(&kin);
}

fn children(pid: i32) -> Vec<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}
