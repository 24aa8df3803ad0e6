//! One check from its start to its verdict: looking until it is so, or until its deadline, then that it stays so.
//!
//! What lives here: the loop and what a failure says. What does not: looking (`observe`), phases (`engine`).

use std::time::{Duration, Instant};

use fabric_harness::router::{Session, Snapshot};
use fabric_harness::wait::Deadline;
use fabric_reports::record;
use fabric_reports::recorder::{CheckGuard, WaitFor};
use serde_json::json;

use super::observe::{Context, Eye};
use crate::checks::{Outcome, Verdict};
use crate::plan::{CheckKind, CheckSpec, PlannedCheck};

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Passed,
    Failed { text: String },
}

/// Looks until the check is as it should be or its time is over. `guard` is told what is waited for.
pub(super) async fn attempt(
    context: &Context,
    check: &PlannedCheck,
    deadline: &Deadline,
    guard: Option<CheckGuard>,
) -> Ended {
    if let Some(guard) = &guard {
        guard.deadline(terms(deadline));
    }
    let started = Instant::now();
    let mut eye = Eye::open(context, check).await;
    let mut last: Option<Verdict> = None;
    let come =
        tokio::time::timeout(deadline.budget, come_true(&mut eye, &mut last, check, guard.as_ref())).await;
    let mut failure = match come {
        Ok(true) => None,
        Ok(false) => Some("it cannot become so by waiting".to_owned()),
        Err(_) => Some(deadline.explain(started.elapsed())),
    };
    if failure.is_none()
        && let Some(whole) = check.holds
    {
        failure = stays(&mut eye, &mut last, whole).await.err();
    }
    let verdict = match last {
        Some(verdict) => verdict,
        None => eye.look().await,
    };
    finish(context, check, verdict, failure, guard).await
}

async fn come_true(
    eye: &mut Eye<'_>,
    last: &mut Option<Verdict>,
    check: &PlannedCheck,
    guard: Option<&CheckGuard>,
) -> bool {
    loop {
        let verdict = eye.look().await;
        let outcome = verdict.outcome;
        if let (Some(guard), Outcome::NotYet) = (guard, outcome) {
            guard.waiting(waits_for(check), verdict.waiting_text());
        }
        *last = Some(verdict);
        match outcome {
            Outcome::Passed => return true,
            Outcome::Failed => return false,
            Outcome::NotYet => eye.change().await,
        }
    }
}

/// What the time goes into while a check of this kind waits.
fn waits_for(check: &PlannedCheck) -> WaitFor {
    match check.kind {
        CheckKind::Sessions | CheckKind::Routes => WaitFor::Protocol,
        _ => WaitFor::Other,
    }
}

/// That it stays so, looked at with every change; the text of an error says when it broke.
async fn stays(eye: &mut Eye<'_>, last: &mut Option<Verdict>, whole: Duration) -> Result<(), String> {
    let started = Instant::now();
    let broke = tokio::time::timeout(whole, async {
        loop {
            eye.change().await;
            let verdict = eye.look().await;
            let passed = verdict.passed();
            *last = Some(verdict);
            if !passed {
                return;
            }
        }
    });
    match broke.await {
        Err(_) => Ok(()),
        Ok(()) => Err(format!(
            "it was so, but for {:.1} of {:.1} s only",
            started.elapsed().as_secs_f64(),
            whole.as_secs_f64()
        )),
    }
}

async fn finish(
    context: &Context,
    check: &PlannedCheck,
    verdict: Verdict,
    failure: Option<String>,
    guard: Option<CheckGuard>,
) -> Ended {
    let text = match failure {
        None => None,
        Some(why) => {
            let mut text = verdict.failure_text();
            text.push_str(&format!("  {why}\n"));
            for line in timers(context, check).await {
                text.push_str(&format!("  {line}\n"));
            }
            text.push_str(&format!("  written at {}\n", check.at));
            Some(text)
        }
    };
    if let Some(guard) = guard {
        guard.expected(json!(verdict.expected));
        guard.seen(
            json!({"summary": verdict.seen, "detail": verdict.detail, "difference": verdict.difference}),
        );
        match &text {
            None => guard.pass(),
            Some(text) => guard.fail(text.clone(), next_command(context, check)),
        }
    }
    match text {
        None => Ended::Passed,
        Some(text) => Ended::Failed { text },
    }
}

/// The timers still running on a router whose check failed: which neighbor is not up, and what it waits for.
async fn timers(context: &Context, check: &PlannedCheck) -> Vec<String> {
    let Some(router) = router_of(check) else { return Vec::new() };
    let Ok(observer) = context.fabric.observer(router).await else { return Vec::new() };
    let snapshot: std::sync::Arc<Snapshot> = observer.subscribe().latest();
    let Ok(sessions) = &snapshot.sessions else { return Vec::new() };
    let down = sessions.iter().filter(|(_, session)| !session.is_up());
    down.map(|(neighbor, session)| timer(router, neighbor, session)).collect()
}

fn timer(router: &str, neighbor: &str, session: &Session) -> String {
    let next = match session.next_connect {
        Some(next) => format!(", tries again in {:.0} s", next.as_secs_f64()),
        None => String::new(),
    };
    let reset = session.last_reset.as_ref().map(|reset| format!("; last reset: {reset}")).unwrap_or_default();
    format!("{router}: {neighbor} is {}{next}{reset}", session.state)
}

fn router_of(check: &PlannedCheck) -> Option<&str> {
    match &check.spec {
        CheckSpec::Session(spec) => Some(spec.router()),
        CheckSpec::Rib(spec) => Some(&spec.router),
        CheckSpec::Fib(spec) => Some(&spec.router),
        _ => None,
    }
}

/// What to type next.
fn next_command(context: &Context, check: &PlannedCheck) -> Option<String> {
    let id = context.fabric.id();
    let in_node = |node: &str, line: &str| Some(format!("fabric exec --name {id} {node} -- {line}"));
    match &check.spec {
        CheckSpec::Session(spec) => in_node(spec.router(), "vtysh -c 'show bgp neighbors'"),
        CheckSpec::Rib(spec) => in_node(&spec.router, "vtysh -c 'show bgp ipv4 wide'"),
        CheckSpec::Fib(spec) => in_node(&spec.router, "ip route"),
        CheckSpec::Interface(spec) => in_node(&spec.place, "ip addr"),
        CheckSpec::Lines(spec) => in_node(&spec.node, "ip addr"),
        CheckSpec::Nodes(_) => Some(format!("fabric status --name {id}; kubectl get nodes -o wide")),
        CheckSpec::Pod(spec) => {
            Some(format!("kubectl -n {} describe pod {}", spec.pod.namespace, spec.pod.name))
        }
        CheckSpec::Reach(spec) => Some(format!("ping from {} to {}", spec.from, spec.to)),
        CheckSpec::Agree(spec) => Some(format!("ping and traceroute from {} to {}", spec.from, spec.to)),
        CheckSpec::Path(spec) => Some(format!("traceroute -n from {} to {}", spec.from, spec.to)),
    }
}

fn terms(deadline: &Deadline) -> record::Deadline {
    record::Deadline::of(
        deadline.reason.iter().map(|term| (term.what.clone(), term.duration.as_secs_f64() * 1e3)),
    )
}
