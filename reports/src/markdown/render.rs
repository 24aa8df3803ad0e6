//! From a record to a page: the outcome, the phases, what failed and why, what a pass does not say.

use std::fmt::Write as _;

use super::escape::{block, html, inline};
use crate::record::{Cause, Check, Record, Verdict};
use crate::text::{count, time};

/// How many failures are told whole. A job's summary may have 1 MiB on GitHub, a comment 65,536 characters; the record
/// and JUnit have all of them.
const TOLD: usize = 20;

/// How much of a cause's evidence is shown.
const SHOWN: usize = 5;

/// How many bytes of one failure are told.
const FAILURE: usize = 4_000;

/// The record as Markdown.
pub fn render(record: &Record) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut page, record).and_then(|()| phases(&mut page, record));
    let _ = failures(&mut page, record).and_then(|()| rest(&mut page, record));
    page
}

fn head(page: &mut String, record: &Record) -> std::fmt::Result {
    let env = &record.environment;
    writeln!(page, "## {}: the run {}\n", inline(&record.lab.name), record.outcome.words())?;
    let of = |verdict| record.checks.iter().filter(|check| check.verdict == verdict).count();
    let judged = record.checks.len() - of(Verdict::Skipped);
    let skipped = match of(Verdict::Skipped) {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    writeln!(
        page,
        "**{} of {} passed**{skipped}, in {}: {} waiting for protocols, {} fabric's own work.\n",
        of(Verdict::Passed),
        count(judged, "check"),
        time(record.duration_ms),
        time(record.times.protocol_ms),
        time(record.times.own_ms)
    )?;
    let versions = env.versions.iter().map(|(name, version)| format!(", {name} {version}"));
    let (kind, runtime) = (word(&env.env), word(&env.runtime));
    let where_ = format!("{kind}, nodes in {runtime}{}", versions.collect::<String>());
    writeln!(page, "{}; {}, Linux {}\n", inline(&where_), inline(&env.distro), inline(&env.kernel))?;
    if let Some(error) = &record.error {
        writeln!(page, "**Ended in {}**\n\n{}", inline(&error.phase), block(&cut(&error.text)))?;
    }
    Ok(())
}

/// A word as the record has it.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn phases(page: &mut String, record: &Record) -> std::fmt::Result {
    writeln!(page, "| phase | passed | failed | not run | skipped | time |\n|---|--:|--:|--:|--:|--:|")?;
    for name in record.phase_names() {
        let of = |verdict| match record.checks_of(name).filter(|check| check.verdict == verdict).count() {
            0 => "·".to_owned(),
            number => number.to_string(),
        };
        let phase = record.phases.iter().find(|phase| phase.name == name);
        let took = phase.map_or_else(|| "·".to_owned(), |phase| time(phase.duration_ms));
        let verdicts = [Verdict::Passed, Verdict::Failed, Verdict::NotRun, Verdict::Skipped].map(of);
        writeln!(page, "| {} | {} | {took} |", inline(name), verdicts.join(" | "))?;
    }
    writeln!(page)
}

fn failures(page: &mut String, record: &Record) -> std::fmt::Result {
    let failed: Vec<&Check> = record.checks.iter().filter(|check| check.verdict == Verdict::Failed).collect();
    if failed.is_empty() {
        return Ok(());
    }
    writeln!(page, "### {} failed\n", count(failed.len(), "check"))?;
    let explains = |cause: &&Cause| failed.iter().any(|check| check.cause.as_ref() == Some(&cause.id));
    let causes: Vec<&Cause> = record.causes.iter().filter(explains).collect();
    for cause in causes.iter().take(TOLD) {
        self::cause(page, cause, &failed)?;
    }
    let known = |check: &&Check| causes.iter().any(|cause| check.cause.as_ref() == Some(&cause.id));
    let unexplained: Vec<&Check> = failed.iter().copied().filter(|check| !known(check)).collect();
    let room = TOLD.saturating_sub(causes.len());
    for check in unexplained.iter().take(room) {
        writeln!(page, "<details><summary>{}</summary>\n", named(check))?;
        told(page, check)?;
        if let Some(next) = &check.next_command {
            writeln!(page, "Next:\n\n{}", block(next))?;
        }
        writeln!(page, "</details>\n")?;
    }
    let untold = causes.len().saturating_sub(TOLD) + unexplained.len().saturating_sub(room);
    if untold > 0 {
        writeln!(page, "And {untold} more: `record.json` and `junit.xml` have all of them.\n")?;
    }
    Ok(())
}

/// What is broken, whom it broke, and what shows it.
fn cause(page: &mut String, cause: &Cause, failed: &[&Check]) -> std::fmt::Result {
    let victims: Vec<&Check> =
        failed.iter().copied().filter(|check| check.cause.as_ref() == Some(&cause.id)).collect();
    let (title, number) = (html(&cause.title), count(victims.len(), "check"));
    writeln!(page, "<details><summary><b>{title}</b> fails {number} ({})</summary>\n", cause.rung)?;
    if !cause.text.is_empty() {
        writeln!(page, "{}\n", inline(&cause.text))?;
    }
    for victim in victims.iter().take(TOLD) {
        writeln!(page, "- {} ({})", inline(&victim.name), time(victim.duration_ms))?;
    }
    if let Some(more) = victims.len().checked_sub(TOLD).filter(|more| *more > 0) {
        writeln!(page, "- and {more} more")?;
    }
    writeln!(page)?;
    if let Some(first) = victims.first() {
        told(page, first)?;
    }
    for shown in cause.evidence.iter().take(SHOWN) {
        let command = shown.command.as_ref().map(|line| format!("$ {line}\n")).unwrap_or_default();
        let text = cut(&format!("{command}{}", shown.content.to_text()));
        writeln!(page, "{}:\n\n{}", inline(&shown.title), block(&text))?;
    }
    if let Some(next) = &cause.next_command {
        writeln!(page, "Next:\n\n{}", block(next))?;
    }
    writeln!(page, "</details>\n")
}

fn named(check: &Check) -> String {
    format!("{} ({})", html(&check.name), time(check.duration_ms))
}

fn told(page: &mut String, check: &Check) -> std::fmt::Result {
    writeln!(page, "{}", block(&cut(check.failure.as_deref().unwrap_or("it says nothing"))))
}

fn rest(page: &mut String, record: &Record) -> std::fmt::Result {
    if !record.warnings.is_empty() {
        writeln!(page, "<details><summary>{}</summary>\n", count(record.warnings.len(), "warning"))?;
        for warning in record.warnings.iter().take(TOLD) {
            writeln!(page, "{}", block(&cut(warning)))?;
        }
        writeln!(page, "</details>\n")?;
    }
    if !record.environment.notes.is_empty() {
        writeln!(page, "What this environment does not model:\n")?;
        for note in &record.environment.notes {
            writeln!(page, "- {}", inline(note))?;
        }
        writeln!(page)?;
    }
    writeln!(page, "Run {}, fabric {}", inline(&record.run_id), inline(&record.tool_version))
}

/// The beginning of a long text, cut between two characters.
fn cut(text: &str) -> String {
    if text.len() <= FAILURE {
        return text.to_owned();
    }
    let end = (0..=FAILURE).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n[... {} bytes more in record.json]", &text[..end], text.len() - end)
}
