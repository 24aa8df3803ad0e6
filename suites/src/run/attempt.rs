//! One check from its start to its verdict: looking until it is so, or until its deadline, then that it stays so.
//!
//! What lives here: the loop. What does not: looking (`observe`), phases (`engine`), what a failure says
//! (`attempt/words`) and what to type next (`attempt/next`).

use std::time::{Duration, Instant};

use fabric_harness::lab::yaml::Location;
use fabric_harness::wait::Deadline;
use fabric_reports::record::{self, Cause, Evidence};
use fabric_reports::recorder::{CheckGuard, WaitFor};
use serde_json::json;

use super::ladder;
use super::observe::{Context, Eye};
use super::prospects::{self, Lookout, Prospect};
use crate::checks::{Outcome, ThroughoutSpec, Verdict, Watched, judge_throughout};
use crate::ladder::{Blame, Finding, Proof};
use crate::plan::{CheckKind, PlannedCheck};

mod due;
mod next;
mod words;

pub(super) use due::Awaited;
pub(super) use words::neighbor_of;

/// How a check ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    Passed,
    Failed { text: String, cause: Option<Box<Cause>> },
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
        guard.written_at(place(&check.at));
    }
    let mut eye = Eye::open(context, check).await;
    let mut last: Option<Verdict> = None;
    let come =
        tokio::time::timeout(deadline.budget, come_true(context, &mut eye, &mut last, check, guard.as_ref()))
            .await;
    let mut failure = match come {
        Ok(Come::So) => None,
        Ok(Come::Never(why)) => Some(format!("waiting does not help: {why}")),
        // Looking takes time itself where a program must be started for it: nothing fails that was never looked at.
        Err(_) if last.is_none() => {
            let verdict = last.insert(eye.look().await);
            (!verdict.passed()).then(|| words::not_so(deadline))
        }
        Err(_) => Some(words::not_so(deadline)),
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
    finish(context, check, Looked { verdict, paths: eye.paths() }, failure, guard).await
}

/// What came of the last look.
struct Looked {
    verdict: Verdict,
    paths: Vec<record::Path>,
}

/// How the waiting for a check ended before its time was over.
enum Come {
    /// It is so.
    So,
    /// It never will be, and why.
    Never(String),
}

async fn come_true(
    context: &Context,
    eye: &mut Eye<'_>,
    last: &mut Option<Verdict>,
    check: &PlannedCheck,
    guard: Option<&CheckGuard>,
) -> Come {
    // What a proof rests on is watched as long as there is none.
    let mut lookout = None;
    loop {
        let verdict = eye.look().await;
        let outcome = verdict.outcome;
        if outcome == Outcome::NotYet {
            let due = due::of(context, check, eye.router());
            if let Some(guard) = guard {
                guard.waiting_until(waits_for(check), words::headline(&verdict), due);
            }
        } else {
            due::over(context, check);
        }
        *last = Some(verdict);
        match outcome {
            Outcome::Passed => return Come::So,
            Outcome::Failed => return Come::Never("this cannot become so by itself".to_owned()),
            Outcome::NotYet => {}
        }
        match prospects::of(context, check).await {
            Prospect::Open if prospects::are_known(check) => {
                let lookout = match &mut lookout {
                    Some(lookout) => lookout,
                    none => none.insert(Lookout::open(context).await),
                };
                tokio::select! {
                    () = eye.change() => {}
                    () = lookout.stirred(context) => {}
                }
            }
            Prospect::Open => eye.change().await,
            Prospect::After(still) => {
                // Not a wait for anything to happen: that nothing does is the proof.
                let _ = tokio::time::timeout(still, eye.change()).await;
            }
            Prospect::Never(why) => {
                // What was proven is proven of now, and what was judged may be older.
                let verdict = eye.look_anew().await;
                let so = verdict.passed();
                *last = Some(verdict);
                return if so { Come::So } else { Come::Never(why) };
            }
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
            "it was so, but only for {} of the {} it must stay so",
            words::human(started.elapsed()),
            words::human(whole)
        )),
    }
}

async fn finish(
    context: &Context,
    check: &PlannedCheck,
    Looked { verdict, paths }: Looked,
    failure: Option<String>,
    guard: Option<CheckGuard>,
) -> Ended {
    let mut finding = Finding::default();
    let mut blamed = None;
    let text = match failure {
        None => None,
        Some(why) => {
            let meanwhile = words::meanwhile(context, check).await;
            finding = ladder::climb(context, check, &verdict).await;
            Some(words::failure(check, &verdict, &why, finding.blame.as_ref(), &meanwhile))
        }
    };
    if let Some(guard) = guard {
        guard.expected(json!(words::expected(check, &verdict)));
        guard.seen(
            json!({"summary": verdict.seen, "detail": verdict.detail, "difference": verdict.difference}),
        );
        guard.paths(paths);
        match &text {
            None => guard.pass(),
            Some(text) => {
                context.story.failed(context, check).await;
                let Finding { rungs, blame } = finding;
                let cause = blame.map(|blame| cause(context, check, &guard, blame));
                let next = match &cause {
                    Some(Cause { next_command: Some(next), .. }) => Some(next.clone()),
                    _ => next::command(context, check).await,
                };
                blamed = cause.clone().map(Box::new);
                guard.ladder(rungs, cause);
                guard.fail(text.clone(), next);
            }
        }
    }
    match text {
        None => Ended::Passed,
        Some(text) => Ended::Failed { text, cause: blamed },
    }
}

/// The verdict on what broke while a phase did its work.
/// What did not come back has the cause for which the phase's own checks failed, where that is one.
pub(super) fn judged(
    check: &PlannedCheck,
    spec: &ThroughoutSpec,
    seen: &Watched,
    cause: Option<&Cause>,
    guard: CheckGuard,
) -> Ended {
    let verdict = judge_throughout(spec, seen);
    guard.written_at(place(&check.at));
    guard.expected(json!(verdict.expected));
    guard.seen(json!({"summary": verdict.seen, "detail": verdict.detail, "difference": verdict.difference}));
    if verdict.passed() {
        guard.pass();
        return Ended::Passed;
    }
    let cause = cause.filter(|_| seen.outages.iter().any(|outage| !outage.back)).cloned();
    let text = words::failure(check, &verdict, "it is over: waiting does not help", None, &[]);
    let next = cause.as_ref().and_then(|cause| cause.next_command.clone());
    guard.ladder(Vec::new(), cause.clone());
    guard.fail(text.clone(), next);
    Ended::Failed { text, cause: cause.map(Box::new) }
}

/// What is to blame, as the record has it.
fn cause(context: &Context, check: &PlannedCheck, guard: &CheckGuard, blame: Blame) -> Cause {
    let Blame { kind, rung, title, text, node, about, proofs, next } = blame;
    let typed = |node: &str, line: Option<String>| next::line(context, check, node, &line?);
    let shown = |proof: Proof| {
        let Proof { title, node, line, content } = proof;
        Evidence { title, command: typed(&node, line), content, taken_ms: guard.now_ms() }
    };
    let evidence = proofs.into_iter().map(shown).collect();
    let outside = |line: &String| line.starts_with("kubectl ");
    let next = next.filter(|line| node.is_some() || outside(line));
    let next_command = typed(node.as_deref().unwrap_or_default(), next);
    let (id, victims) = (String::new(), Vec::new());
    Cause { id, kind: kind.to_owned(), rung, title, text, node, about, evidence, next_command, victims }
}

/// Where a check is written, as the record has it.
fn place(at: &Location) -> record::Place {
    record::Place { file: at.file.display().to_string(), line: at.line, column: at.column }
}

fn terms(deadline: &Deadline) -> record::Deadline {
    record::Deadline::of(
        deadline.reason.iter().map(|term| (term.what.clone(), term.duration.as_secs_f64() * 1e3)),
    )
}
