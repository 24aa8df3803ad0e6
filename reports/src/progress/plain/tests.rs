use super::*;

fn started(name: &str) -> Event {
    Event::StepStarted { name: name.into(), phase: "bring-up".into() }
}

fn step_done(name: &str, ok: bool) -> Event {
    let detail = if ok { "7 nodes" } else { "no such device" }.into();
    Event::StepFinished { name: name.into(), phase: "bring-up".into(), duration_ms: 80.0, detail, ok }
}

fn check(name: &str) -> Event {
    Event::CheckStarted { name: name.into() }
}

fn waiting(name: &str, what: &str) -> Event {
    Event::CheckWaiting { name: name.into(), what: what.into(), due: None }
}

fn verdict(name: &str, verdict: Verdict, headline: Option<&str>) -> Event {
    let headline = headline.map(str::to_owned);
    Event::CheckFinished { name: name.into(), verdict, duration_ms: 2_314.0, headline, cause: None }
}

fn lines() -> Lines {
    Lines::new(Paint::new(false), true, 100)
}

fn told(verdicts: bool, events: &[Event]) -> String {
    let mut lines = Lines { verdicts, ..lines() };
    events.iter().filter_map(|event| lines.event(0.0, event)).map(|line| line + "\n").collect()
}

fn phase_over(name: &str, unreached_reason: Option<&str>) -> Event {
    let unreached_reason = unreached_reason.map(str::to_owned);
    Event::PhaseFinished { name: name.into(), duration_ms: 9_345.0, unreached_reason }
}

fn parts(name: &str, detail: &str) -> Event {
    let (name, phase, detail) = (name.into(), "underlay".into(), detail.into());
    Event::StepFinished { name, phase, duration_ms: 597.4, detail, ok: true }
}

fn phase(name: &str) -> Event {
    Event::PhaseStarted { name: name.into(), actions: vec!["apply policies.yaml".into()] }
}

fn a_run() -> Vec<Event> {
    vec![
        Event::Note { text: "cilium-bgp-lab on the twin, 7 nodes".into() },
        started("namespaces"),
        step_done("namespaces", true),
        started("links"),
        step_done("links", false),
        Event::Warning {
            text: "warning: `startup-delay` is not honoured\n  --> topo.yaml:12:5\n   |\n12 |     startup-delay: 5\n   |     ^^^^^^^^^^^^^".into(),
        },
        phase("underlay"),
        started("bring up the underlay"),
        parts("bring up the underlay", "9 nodes of the topology (26 ms)\n31 exec lines (786 ms)"),
        check("underlay::routes::router0"),
        verdict("underlay::routes::router0", Verdict::Passed, None),
        phase_over("underlay", None),
        phase("policy"),
        check("policy::routes::router0"),
        waiting("policy::routes::router0", "router0: 9 of 12 routes"),
        verdict("policy::routes::router0", Verdict::Passed, None),
        verdict("policy::routes::tor0", Verdict::Failed, Some("tor0: 9 of 12 prefixes")),
        verdict("policy::routes::tor1", Verdict::Skipped, Some("filtered out")),
        phase_over("policy", None),
        phase("empty"),
        phase_over("empty", None),
        phase("workload"),
        phase_over("workload", Some("nettool.yaml:3:1: no such kind `Podd`\nwrite `Pod`")),
        verdict("workload::reach", Verdict::NotRun, Some("phase workload was not reached")),
    ]
}

#[test]
fn a_run_in_lines() {
    insta::assert_snapshot!(told(true, &a_run()));
}

#[test]
fn beside_a_test_harness_verdicts_make_no_lines() {
    insta::assert_snapshot!(told(false, &a_run()));
}

#[test]
fn no_text_moves_the_cursor() {
    let nasty = "\u{1b}[2J\ra\u{8}\nb";
    let events = [
        Event::Note { text: nasty.into() },
        Event::StepFinished {
            name: nasty.into(),
            phase: nasty.into(),
            duration_ms: 1.0,
            detail: nasty.into(),
            ok: true,
        },
        Event::PhaseStarted { name: nasty.into(), actions: vec![nasty.into()] },
        verdict(nasty, Verdict::Failed, Some(nasty)),
    ];
    assert!(!told(true, &events).contains(|c: char| c.is_control() && c != '\n'));
}

#[test]
fn without_colours_there_are_no_escapes_and_with_them_there_are() {
    assert!(!told(true, &a_run()).contains('\u{1b}'));
    let mut lines = Lines { paint: Paint::new(true), ..lines() };
    assert!(lines.event(0.0, &step_done("links", false)).unwrap().contains('\u{1b}'));
}

#[test]
fn what_takes_long_is_told_again_ever_more_rarely() {
    let mut lines = lines();
    assert_eq!(lines.due(), None);
    lines.event(1_000.0, &started("exec lines"));
    let mut told_at = vec![];
    while let Some(due) = lines.due().filter(|due| *due < 40_000.0) {
        assert_eq!(lines.overdue(due - 1.0).len(), 0);
        assert_eq!(lines.overdue(due).len(), 1);
        told_at.push(due);
    }
    assert_eq!(told_at, [3_000.0, 5_000.0, 9_000.0, 17_000.0, 33_000.0]);
    lines.event(40_000.0, &step_done("exec lines", true));
    assert_eq!(lines.due(), None);
}

#[test]
fn waiting_checks_share_a_line_each_time_one() {
    let mut lines = lines();
    for number in 0..60 {
        let at_ms = f64::from(number);
        lines.event(at_ms, &check(&format!("check {number}")));
        lines.event(at_ms, &waiting(&format!("check {number}"), &format!("tor{}: Active", number / 20)));
    }
    let mut told = vec![];
    while let Some(due) = lines.due().filter(|due| *due < 20_000.0) {
        told.extend(lines.overdue(due));
    }
    assert_eq!(
        told,
        [
            "     Waiting [   2.0 s] 60 checks: tor0: Active; tor1: Active; tor2: Active",
            "     Waiting [   4.0 s] 60 checks: tor0: Active; tor1: Active; tor2: Active",
            "     Waiting [   8.0 s] 60 checks: tor0: Active; tor1: Active; tor2: Active",
            "     Waiting [  16.0 s] 60 checks: tor0: Active; tor1: Active; tor2: Active",
        ]
    );
}

#[test]
fn checks_of_a_later_phase_have_a_clock_of_their_own() {
    let mut lines = lines();
    lines.event(0.0, &check("a"));
    lines.event(1_500.0, &verdict("a", Verdict::Passed, None));
    assert_eq!(lines.due(), None);
    lines.event(1_600.0, &check("b"));
    assert_eq!(lines.due(), Some(3_600.0));
}

#[test]
fn many_failures_are_counted_not_told() {
    let mut lines = lines();
    lines.event(0.0, &phase("policy"));
    let fail = |number: usize| verdict(&format!("check {number}"), Verdict::Failed, Some("tor0: Active"));
    let told: Vec<String> = (0..50).filter_map(|number| lines.event(0.0, &fail(number))).collect();
    assert_eq!(told.len(), FAILURES + 1);
    assert!(told[FAILURES].contains("more checks fail"), "{}", told[FAILURES]);
    let end = lines.event(0.0, &phase_over("policy", None)).unwrap();
    assert_eq!(end, "        FAIL [   9.3 s] policy: 50 of 50 checks failed");
}

#[test]
fn a_phase_that_was_cut_off_has_not_passed() {
    let mut lines = lines();
    for event in [phase("policy"), check("a"), check("b"), verdict("a", Verdict::Passed, None)] {
        lines.event(0.0, &event);
    }
    let end = lines.event(0.0, &phase_over("policy", None)).unwrap();
    assert_eq!(end, "     Stopped [   9.3 s] policy: 1 of 2 checks passed so far");
}

#[test]
fn what_can_be_cut_fits_the_screen() {
    let mut lines = Lines { width: 60, ..lines() };
    let long = "tor0: ".to_owned() + &"*, ".repeat(40);
    for event in [check("a check"), waiting("a check", &long)] {
        lines.event(0.0, &event);
    }
    let mut told = lines.overdue(2_500.0);
    told.push(lines.event(2_600.0, &parts("a step", &format!("{long}\n{long}"))).unwrap());
    for line in told.iter().flat_map(|text| text.lines()) {
        assert!(console::measure_text_width(line) < 60, "{line}");
    }
}

#[test]
fn a_consumer_that_slept_tells_once() {
    let mut lines = lines();
    lines.event(0.0, &started("exec lines"));
    assert_eq!(lines.overdue(100_000.0).len(), 1);
    assert_eq!(lines.due(), Some(128_000.0));
}
