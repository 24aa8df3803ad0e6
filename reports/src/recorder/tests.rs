//! The recorder: what it keeps, what it tells, and how runs end.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::progress::{Event, Progress, Silent};
use crate::record::{Content, Deadline, Outcome, Record, Verdict};

#[derive(Default)]
struct Heard(Mutex<Vec<Event>>);

impl Progress for Heard {
    fn event(&self, _: f64, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

fn recorder() -> Arc<Recorder> {
    Recorder::new(
        Run { id: "a-run".into(), tool_version: "0.1.0".into(), ..Run::default() },
        Arc::new(Silent),
    )
}

fn subject(name: &str) -> Subject {
    Subject {
        name: format!("policy::routes::router0::{name}"),
        phase: "policy".into(),
        kind: "routes".into(),
        node: Some("router0".into()),
    }
}

#[test]
fn a_check_keeps_all_it_is_told() {
    let recorder = recorder();
    let check = recorder.check(subject("rib has the 12 prefixes"));
    check.deadline(Deadline::of([("first connect", 10_000.0)]));
    check.expected(json!({"count": 12}));
    check.waiting(WaitFor::Protocol, "router0: 9 of 12 routes");
    check.seen(json!({"count": 9}));
    check.evidence(recorder.evidence("router0's RIB", Some("show bgp".into()), Content::Text("…".into())));
    check.fail("9 of 12\nmissing: ...", Some("fabric exec router0 -- vtysh".into()));
    let record = recorder.finish();
    let check = &record.checks[0];
    assert_eq!((check.verdict, check.headline()), (Verdict::Failed, Some("9 of 12")));
    assert_eq!((&check.expected, &check.seen), (&json!({"count": 12}), &json!({"count": 9})));
    assert_eq!(check.evidence.len(), 1);
    assert!(check.waited_ms <= check.duration_ms && check.duration_ms <= record.duration_ms);
    assert_eq!(record.times.parts[0].what, "policy: routes");
    assert!(record.times.parts[0].protocol);
    assert_eq!(record.outcome, Outcome::Failed);
}

#[test]
fn the_consumer_hears_of_everything_in_order() {
    let heard = Arc::new(Heard::default());
    let recorder = Recorder::new(Run::default(), Arc::clone(&heard) as Arc<dyn Progress>);
    let step = recorder.step("links", "bring-up");
    step.detail("6 veth pairs");
    step.done();
    let phase = recorder.phase("policy", vec!["apply p.yaml".into()]);
    let check = recorder.check(subject("a"));
    check.waiting(WaitFor::Protocol, "router0: 9 of 12 routes");
    check.pass();
    phase.done();
    recorder.warning("careful");
    recorder.finish();
    recorder.finish();
    let names: Vec<String> = heard
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "run-started",
            "step-started",
            "step-finished",
            "phase-started",
            "check-started",
            "check-waiting",
            "check-finished",
            "phase-finished",
            "warning",
            "run-finished"
        ]
    );
    let detail = match &heard.0.lock().unwrap()[2] {
        Event::StepFinished { detail, ok: true, .. } => detail.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(detail, "6 veth pairs");
}

#[rstest]
#[case::nothing(|_: &Arc<Recorder>| (), Outcome::NothingChecked)]
#[case::all_skipped(|r: &Arc<Recorder>| r.check(subject("a")).skip("filtered out"), Outcome::NothingChecked)]
#[case::passed(|r: &Arc<Recorder>| { r.check(subject("a")).pass(); r.check(subject("b")).skip("x"); }, Outcome::Passed)]
#[case::failed(|r: &Arc<Recorder>| { r.check(subject("a")).pass(); r.check(subject("b")).fail("x", None); }, Outcome::Failed)]
#[case::not_run(|r: &Arc<Recorder>| { r.check(subject("a")).pass(); r.check(subject("b")).not_run("x"); }, Outcome::Failed)]
#[case::unreached(|r: &Arc<Recorder>| { r.check(subject("a")).pass(); r.phase("p", vec![]).unreached("x"); }, Outcome::Failed)]
#[case::bring_up(|r: &Arc<Recorder>| { r.check(subject("a")).not_run("x"); r.bring_up_failed("links", "x"); }, Outcome::BringUpFailed)]
#[case::interrupted(|r: &Arc<Recorder>| { r.bring_up_failed("links", "x"); r.interrupted(); }, Outcome::Interrupted)]
fn runs_end_as_their_checks_say(#[case] run: fn(&Arc<Recorder>), #[case] outcome: Outcome) {
    let recorder = recorder();
    run(&recorder);
    let record = recorder.finish();
    assert_eq!((record.outcome, record.exit_code), (outcome, outcome.exit_code()));
}

#[test]
fn a_run_cut_short_says_what_was_under_way() {
    let recorder = recorder();
    let step = recorder.step("exec lines", "bring-up");
    let phase = recorder.phase("policy", vec![]);
    let check = recorder.check(subject("a"));
    check.waiting(WaitFor::Protocol, "router0: 9 of 12 routes");
    recorder.interrupted();
    let record = recorder.finish();
    assert!(!record.steps[0].ok && record.steps[0].detail.contains("not finished"));
    assert!(record.phases[0].reached);
    assert_eq!(record.checks[0].verdict, Verdict::NotRun);
    assert!(record.checks[0].reason.as_ref().unwrap().contains("before the check had a verdict"));
    drop((check, phase, step));
}

#[test]
fn a_check_cannot_end_without_a_verdict() {
    let recorder = recorder();
    drop(recorder.check(subject("dropped")));
    let inside = Arc::clone(&recorder);
    let panicked = std::thread::spawn(move || {
        let _check = inside.check(subject("panicked"));
        let _step = inside.step("a step", "bring-up");
        // Not `panic!`: that would print to the log of the tests.
        std::panic::resume_unwind(Box::new("as planned"));
    });
    assert!(panicked.join().is_err());
    let record = recorder.finish();
    let verdicts: Vec<Verdict> = record.checks.iter().map(|check| check.verdict).collect();
    assert_eq!(verdicts, [Verdict::NotRun, Verdict::Failed]);
    assert!(!record.steps[0].ok);
}

#[test]
fn events_are_sorted_and_never_before_the_start() {
    let before = Instant::now();
    let recorder = recorder();
    let later = Instant::now() + Duration::from_secs(5);
    recorder.event_at(later, "router0", "net0: Established");
    recorder.event("api", "apply p.yaml");
    recorder.event_at(before, "tor0", "from before");
    let record = recorder.finish();
    let sources: Vec<&str> = record.events.iter().map(|event| event.source.as_str()).collect();
    assert_eq!(sources, ["tor0", "api", "router0"]);
    assert_eq!(record.events[0].ms, 0.0);
}

#[test]
fn waits_at_the_same_time_count_once() {
    let recorder = recorder();
    let waits: Vec<_> = (0..20).map(|_| recorder.wait("GoBGP's first connect", WaitFor::Protocol)).collect();
    std::thread::park_timeout(Duration::from_millis(2));
    drop(waits);
    drop(recorder.wait("an image", WaitFor::Other));
    let Record { times, .. } = recorder.finish();
    assert!(times.protocol_ms > 0.0 && times.protocol_ms <= times.total_ms, "{times:?}");
    assert!((times.protocol_ms + times.own_ms - times.total_ms).abs() < 0.002, "{times:?}");
    assert_eq!(times.parts.iter().filter(|part| part.protocol).count(), 1);
}

#[test]
fn a_wait_may_change_its_kind_and_pause() {
    let recorder = recorder();
    let check = recorder.check(subject("a"));
    check.waiting(WaitFor::Other, "pod nettool-1: Pending");
    check.waiting(WaitFor::Protocol, "router0: 9 of 12 routes");
    check.waiting(WaitFor::Protocol, "router0: 10 of 12 routes");
    check.done_waiting();
    check.done_waiting();
    check.pass();
    let record = recorder.finish();
    assert_eq!(record.times.parts.len(), 2);
}

#[test]
fn many_threads_may_tell_at_once() {
    let recorder = recorder();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let recorder = &recorder;
            scope.spawn(move || {
                for number in 0..50 {
                    let check = recorder.check(subject(&format!("{thread}.{number}")));
                    recorder.event("router0", "x");
                    check.pass();
                }
            });
        }
    });
    let record = recorder.finish();
    assert_eq!((record.checks.len(), record.events.len()), (400, 400));
    assert!(record.checks.iter().all(|check| check.verdict == Verdict::Passed));
    let mut names: Vec<&str> = record.checks.iter().map(|check| check.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 400);
}

#[test]
fn the_environment_may_become_known_later() {
    let recorder = recorder();
    recorder.environment(|environment| {
        environment.versions.insert("frr".into(), "8.4.4".into());
    });
    assert_eq!(recorder.finish().environment.versions["frr"], "8.4.4");
}
