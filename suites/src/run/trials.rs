//! The plan as tests of a test harness: listed, filtered, run and printed as `cargo test` expects.
//!
//! What lives here: one trial per check, waiting for the engine's word. What does not: the engine. Trials only wait;
//! all checks of a phase run at once, whatever `--test-threads` says.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use fabric_reports::{Screen, github, summary};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::sync::oneshot;

use super::attach::FoundSettings;
use super::engine::{Outcome, Selection};
use super::home::Home;
use super::nextest::{self, Standing};
use super::prepare::{Prepared, prepare};
use super::session::{recorder, run};
use super::settings::{Begin, Finished, RunSettings};

/// `cargo test --test fabric`: everything after the hats.
///
/// The lab is `FABRIC_LAB`, else `default_lab`; reports go to `FABRIC_REPORT_DIR`, else below `runs_dir`. `FABRIC_ENV=attach`
/// judges what others brought up ([`FoundSettings::of`]).
pub fn main(default_lab: PathBuf, runs_dir: PathBuf) -> ExitCode {
    let arguments = Arguments::from_args();
    let lab = std::env::var_os("FABRIC_LAB").map_or(default_lab, PathBuf::from);
    let prepared = match prepare(&lab) {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let under_nextest = nextest::is_here();
    // What others brought up is judged as it is, whoever runs the tests.
    let found = std::env::var_os("FABRIC_ENV").is_some_and(|value| value == "attach");
    let standing = (under_nextest && !found).then(|| Standing::of(&prepared));
    let checks = checks(&prepared, standing.as_ref());
    if arguments.list {
        list(&arguments, checks);
        return ExitCode::SUCCESS;
    }
    let asked = FoundSettings::of(|name| std::env::var(name).ok());
    let asked = asked.map_err(|error| error.to_string()).and_then(|found| Ok((found, Home::from_env()?)));
    let (found, home) = match asked {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let settings = RunSettings {
        begin: found.map_or(Begin::Fresh, Begin::Found),
        name: None,
        report_dir: std::env::var_os("FABRIC_REPORT_DIR").map(PathBuf::from),
        runs_dir,
        home,
    };
    let settings = match standing.and_then(|standing| standing.fabric) {
        Some(id) if matches!(settings.begin, Begin::Fresh) => {
            RunSettings { begin: Begin::Attach(id), ..settings }
        }
        _ => settings,
    };
    match super::runtime() {
        Ok(runtime) => run_trials(&arguments, prepared, settings, checks, &runtime),
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::from(3)
        }
    }
}

/// A check by its name, with the reason why it cannot be judged here.
struct Check {
    name: String,
    cannot: Option<String>,
}

fn checks(prepared: &Prepared, standing: Option<&Standing>) -> Vec<Check> {
    let all = prepared.plan.iter().enumerate().flat_map(|(number, phase)| {
        let cannot = standing.and_then(|standing| standing.cannot(number));
        phase.checks.iter().map(move |check| Check { name: check.name.clone(), cannot: cannot.clone() })
    });
    all.collect()
}

/// Prints the names as libtest does, which nextest and editors read: all of them, or with `--ignored` those that are.
fn list(arguments: &Arguments, checks: Vec<Check>) {
    let mut out = std::io::stdout().lock();
    for check in checks {
        let ignored = check.cannot.is_some();
        let trial = Trial::test(check.name, || Ok(())).with_ignored_flag(ignored);
        let other = (arguments.ignored && !ignored) || arguments.is_filtered_out(&trial);
        // Nobody left to read it (`--list | head -1`) is no failure.
        if !other && writeln!(out, "{}: test", trial.name()).is_err() {
            return;
        }
    }
}

fn run_trials(
    arguments: &Arguments,
    prepared: Prepared,
    settings: RunSettings,
    checks: Vec<Check>,
    runtime: &tokio::runtime::Runtime,
) -> ExitCode {
    let attached = matches!(settings.begin, Begin::Attach(_));
    let under_nextest = nextest::is_here();
    let mut selection = Selection::new();
    let mut trials = Vec::new();
    for Check { name, cannot } in checks {
        if let Some(why) = cannot {
            // Listed as ignored: it runs only if somebody insists.
            trials.push(Trial::test(name, move || Err(Failed::from(why))).with_ignored_flag(true));
            continue;
        }
        let (tell, told) = oneshot::channel();
        let trial = Trial::ignorable_test(&name, move || match told.blocking_recv() {
            Ok(Outcome::Passed) => Ok(Completion::Completed),
            // nextest would call that passed.
            Ok(Outcome::Skipped(why)) if under_nextest => Err(Failed::from(why)),
            Ok(Outcome::Skipped(why)) => Ok(Completion::ignored_with(why)),
            Ok(Outcome::Failed(text)) => Err(Failed::from(text)),
            Err(_) => Err(Failed::from("the run ended before the check had a verdict")),
        });
        if !arguments.is_filtered_out(&trial) && !arguments.is_ignored(&trial) {
            selection.insert(name, tell);
        }
        trials.push(trial);
    }
    if selection.is_empty() {
        return libtest_mimic::run(arguments, trials).exit_code();
    }
    // With one thread libtest prints the half of a line before a test ends: nothing must come in between.
    let quiet = arguments.test_threads == Some(1)
        || arguments.format.is_some_and(|f| f != libtest_mimic::FormatSetting::Pretty);
    let progress: Arc<dyn fabric_reports::Progress> = if quiet {
        Arc::new(fabric_reports::progress::Silent)
    } else {
        fabric_reports::progress::on_stderr(Screen::Shared)
    };
    let recorder = recorder(&prepared, progress);
    let running = runtime.spawn(async move {
        let finished = run(prepared, settings, selection, recorder).await;
        if finished.record.outcome == fabric_reports::record::Outcome::Interrupted {
            tell(&finished);
            // The harness waits for its threads and cannot be told to stop; everything is cleaned up by now.
            std::process::exit(130);
        }
        finished
    });
    let conclusion = libtest_mimic::run(arguments, trials);
    let finished = runtime.block_on(running);
    if let Ok(finished) = &finished
        && !attached
    {
        tell(finished);
    }
    match finished {
        // What is judged beside the trials (Cilium's own view) fails the run, too.
        Ok(finished)
            if finished.record.outcome == fabric_reports::record::Outcome::Failed
                && !conclusion.has_failed() =>
        {
            ExitCode::from(101)
        }
        Ok(_) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("the run broke off: {error}");
            ExitCode::from(101)
        }
    }
}

/// The end of a run, for people: on standard error, after what the test harness has to say.
fn tell(finished: &Finished) {
    github::tell(&finished.record);
    summary::print(&finished.record, finished.written.as_ref().ok());
    if let Err(error) = &finished.written {
        eprintln!("{error}");
    }
    if let Some(kept) = &finished.kept {
        eprintln!(
            "the fabric {kept} is still up: `fabric status --name {kept}` shows it, `fabric down --name {kept}` ends it"
        );
    }
}
