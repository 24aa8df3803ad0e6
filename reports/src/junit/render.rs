//! Rendering a record as JUnit XML.
//!
//! There is no one JUnit schema, so the file keeps to what all of Jenkins' accept: `junit-10.xsd` of its xUnit
//! plugin, and the older and stricter `jenkins-junit.xsd` (dtkit's junit-4) that JUnit itself tests against.
//! That is why a case has no timestamp and no properties (they stand in its output), and why the reason of a
//! skipped case is text and not an attribute.

use std::collections::HashSet;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::record::{Cause, Check, Outcome, Record, Verdict, at, length, pretty};
use crate::text::{self, clean};

/// Why a record could not be rendered as JUnit.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// The XML writer refused.
    #[error("cannot render the record as JUnit XML: {0}; the record itself is complete, see record.json")]
    Xml(#[from] quick_junit::SerializeError),
}

/// Renders a record as JUnit XML.
///
/// A failed check is a `failure`; a check that could not be judged is an `error`, so that a run which proved
/// nothing is never green. A run that could not bring its fabric up, was interrupted or checked nothing has a
/// suite of its own that says so.
///
/// # Errors
/// When the XML writer refuses, which no text in a record should bring about.
pub fn render(record: &Record) -> Result<String, JunitError> {
    let mut report = Report::new(clean(&format!("fabric: {}", record.lab.name)));
    report.set_time(length(record.duration_ms));
    let mut names = Names::default();
    let mut told = HashSet::new();
    if let Some(suite) = run_suite(record, &mut names) {
        report.add_test_suite(suite);
    }
    for phase in record.phase_names() {
        report.add_test_suite(phase_suite(record, phase, &mut names, &mut told));
    }
    Ok(without_root_skipped(report.to_string()?))
}

/// Hands out each name once in a file: consumers merge cases of the same name.
#[derive(Default)]
pub(super) struct Names(HashSet<(String, String)>);

impl Names {
    fn unique(&mut self, class: &str, name: &str) -> String {
        // Cleaned first: two names may differ only in characters that XML cannot carry.
        let name = clean(name);
        let mut candidate = name.clone();
        let mut number = 1;
        while !self.0.insert((class.to_owned(), candidate.clone())) {
            number += 1;
            candidate = format!("{name} ({number})");
        }
        candidate
    }
}

/// The suite that says how the run itself went, when it did not go well.
pub(super) fn run_suite(record: &Record, names: &mut Names) -> Option<TestSuite> {
    let (suite, case, kind) = match record.outcome {
        Outcome::BringUpFailed => ("bring-up", "the fabric comes up", "bring-up failed"),
        Outcome::Interrupted => ("run", "the run ends by itself", "interrupted"),
        Outcome::NothingChecked => ("run", "something is checked", "nothing checked"),
        Outcome::Passed | Outcome::Failed => return None,
    };
    let (headline, full) = match &record.error {
        Some(error) => (first_line(&error.text), format!("{}\n{}", error.phase, error.text)),
        None => {
            let text = format!("the run {}", record.outcome.words());
            (text.clone(), text)
        }
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type(kind).set_message(clean(&headline)).set_description(clean(&full));
    let class = class_name(record, suite);
    let mut case = TestCase::new(names.unique(&class, &format!("{suite}::{case}")), status);
    case.set_classname(class).set_time(length(record.duration_ms));
    case.set_system_out(clean(&steps_text(record)));
    let mut suite = new_suite(record, suite, 0.0, record.duration_ms);
    suite.add_test_case(case);
    Some(suite)
}

pub(super) fn phase_suite<'r>(
    record: &'r Record,
    name: &str,
    names: &mut Names,
    told: &mut HashSet<&'r str>,
) -> TestSuite {
    let phase = record.phases.iter().find(|phase| phase.name == name);
    let checks: Vec<&Check> = record.checks_of(name).collect();
    let (started_ms, duration_ms) = match phase {
        Some(phase) => (phase.started_ms, phase.duration_ms),
        None => span(&checks),
    };
    let mut suite = new_suite(record, name, started_ms, duration_ms);
    let class = class_name(record, name);
    let mut reasons_told: HashSet<&str> = HashSet::new();
    for check in &checks {
        let status = status_of(record, check, &mut reasons_told, told);
        let mut case = TestCase::new(names.unique(&class, &check.name), status);
        case.set_classname(class.as_str()).set_time(length(check.duration_ms));
        if let Some(output) = output_of(check) {
            case.set_system_out(clean(&output));
        }
        suite.add_test_case(case);
    }
    let Some(phase) = phase else { return suite };
    if !phase.actions.is_empty() {
        suite.set_system_out(clean(&phase.actions.join("\n")));
    }
    // Its checks say why it was not reached; without checks to judge, the phase has to say it itself.
    let told = checks.iter().any(|check| matches!(check.verdict, Verdict::NotRun | Verdict::Failed));
    if !phase.reached && !told {
        let reason = phase.unreached_reason.as_deref().unwrap_or("no reason was recorded");
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status
            .set_type("phase not reached")
            .set_message(clean(&first_line(reason)))
            .set_description(clean(reason));
        let name = names.unique(&class, &format!("{name}::the phase is reached"));
        let mut case = TestCase::new(name, status);
        case.set_classname(class).set_time(length(phase.duration_ms));
        suite.add_test_case(case);
    }
    suite
}

/// From the first start to the last end of some checks: start and length.
fn span(checks: &[&Check]) -> (f64, f64) {
    let started = checks.iter().map(|check| check.started_ms).reduce(f64::min).unwrap_or(0.0);
    let ended = checks.iter().map(|check| check.started_ms + check.duration_ms).reduce(f64::max);
    (started, ended.unwrap_or(started) - started)
}

fn status_of<'a, 'r>(
    record: &'r Record,
    check: &'a Check,
    reasons_told: &mut HashSet<&'a str>,
    told: &mut HashSet<&'r str>,
) -> TestCaseStatus {
    let headline = check.headline().unwrap_or("no reason was recorded");
    match check.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Failed => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(clean(&check.kind)).set_message(clean(headline));
            status.set_description(clean(&failure_text(record, check, told)));
            status
        }
        Verdict::NotRun => {
            let reason = check.reason.as_deref().unwrap_or("no reason was recorded");
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("not run").set_message(clean(headline));
            // The whole reason once: the other checks of the phase have the same one.
            if reasons_told.insert(reason) {
                status.set_description(clean(reason));
            }
            status
        }
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            if let Some(reason) = &check.reason {
                status.set_description(clean(reason));
            }
            status
        }
    }
}

/// Everything about a failure, so that nobody has to open another file to understand it.
fn failure_text<'r>(record: &'r Record, check: &Check, told: &mut HashSet<&'r str>) -> String {
    let mut text = check.failure.clone().unwrap_or_else(|| "no failure text was recorded".into());
    if let Some(cause) = record.causes.iter().find(|cause| Some(&cause.id) == check.cause.as_ref()) {
        let whole = told.insert(&cause.id);
        text = format!("{}\n\n{}", text.trim_end(), cause_text(cause, whole));
    }
    if !check.expected.is_null() || !check.seen.is_null() {
        text += &format!("\n\nexpected: {}\nseen: {}", pretty(&check.expected), pretty(&check.seen));
    }
    if let Some(deadline) = &check.deadline {
        text += &format!("\n\ngiven: {}", text::time(deadline.budget_ms));
        for term in &deadline.terms {
            text += &format!("\n  {} {}", text::time(term.ms), term.what);
        }
    }
    if let Some(command) = &check.next_command {
        text += &format!("\n\nnext: {command}");
    }
    text
}

/// A cause, whole where it is told for the first time, and from then on by its name.
fn cause_text(cause: &Cause, whole: bool) -> String {
    let Cause { id, title, text, evidence, victims, .. } = cause;
    if !whole {
        let first = victims.first().map_or("", String::as_str);
        return format!("cause {id}: {title}\n  told in full at: {first}");
    }
    let mut out = format!("cause {id}: {title}\n");
    if !text.is_empty() {
        out += &format!("  {text}\n");
    }
    for evidence in evidence {
        out += &format!("\n  == {}\n", evidence.title);
        if let Some(command) = &evidence.command {
            out += &format!("  $ {command}\n");
        }
        for line in evidence.content.to_text().trim_end().lines() {
            out += &format!("  {line}\n");
        }
    }
    if victims.len() > 1 {
        out += &format!("\n  explains {}\n", text::count(victims.len(), "check"));
    }
    out.truncate(out.trim_end().len());
    out
}

/// What a check saw and when; none for one that never started.
fn output_of(check: &Check) -> Option<String> {
    if matches!(check.verdict, Verdict::Skipped | Verdict::NotRun) && check.evidence.is_empty() {
        return None;
    }
    let mut out = format!(
        "started {} into the run, took {}, of which it waited {}\n",
        text::time(check.started_ms),
        text::time(check.duration_ms),
        text::time(check.waited_ms),
    );
    for evidence in &check.evidence {
        out += &format!("\n== {} (at {})\n", evidence.title, text::time(evidence.taken_ms));
        if let Some(command) = &evidence.command {
            out += &format!("$ {command}\n");
        }
        out += &evidence.content.to_text();
        out.push('\n');
    }
    Some(out)
}

fn steps_text(record: &Record) -> String {
    let mut out = String::from("steps:\n");
    for step in &record.steps {
        let mark = if step.ok { "done" } else { "FAILED" };
        let time = text::time(step.duration_ms);
        out += &format!("{mark:>6} {time:>10}  {}: {}: {}\n", step.phase, step.name, step.detail);
    }
    out
}

fn new_suite(record: &Record, name: &str, started_ms: f64, duration_ms: f64) -> TestSuite {
    let mut suite = TestSuite::new(clean(name));
    suite.set_timestamp(at(record.started, started_ms)).set_time(length(duration_ms));
    suite.add_properties(properties(record));
    suite
}

/// What a reader of a nightly's history needs to tell two runs apart.
fn properties(record: &Record) -> Vec<Property> {
    let environment = &record.environment;
    let mut properties: Vec<(String, String)> = vec![
        ("fabric.version".into(), record.tool_version.clone()),
        ("fabric.run".into(), record.run_id.clone()),
        ("lab.name".into(), record.lab.name.clone()),
        ("lab.dir".into(), record.lab.dir.clone()),
        ("environment".into(), word(&environment.env)),
        ("environment.runtime".into(), word(&environment.runtime)),
        ("environment.cluster".into(), word(&environment.cluster)),
        ("environment.rootless".into(), environment.rootless.to_string()),
        ("environment.kernel".into(), environment.kernel.clone()),
        ("environment.distro".into(), environment.distro.clone()),
        ("environment.cpus".into(), environment.cpus.to_string()),
        ("time.protocol_ms".into(), record.times.protocol_ms.to_string()),
        ("time.own_ms".into(), record.times.own_ms.to_string()),
    ];
    properties.extend(environment.versions.iter().map(|(name, v)| (format!("version.{name}"), v.clone())));
    let notes = environment.notes.iter().enumerate();
    properties.extend(notes.map(|(i, note)| (format!("environment.note.{}", i + 1), note.clone())));
    properties.into_iter().map(|(name, value)| Property::new(clean(&name), clean(&value))).collect()
}

/// The word by which the record's JSON calls a value.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Jenkins groups by the part before the last dot, so a lab is a package and a phase is a class.
fn class_name(record: &Record, phase: &str) -> String {
    clean(&format!("{}.{}", record.lab.name.replace('.', "-"), phase.replace('.', "-")))
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// Takes the `skipped` attribute off the root element: quick-junit always writes it, both schemas refuse it.
///
/// In the text of an attribute a quote is written as an entity, so the first ` skipped="` within the root's tag
/// is the attribute and nothing else.
pub(super) fn without_root_skipped(xml: String) -> String {
    const ATTRIBUTE: &str = " skipped=\"";
    let root = xml.find("<testsuites").unwrap_or(0);
    let tag_end = xml[root..].find('>').map_or(xml.len(), |end| root + end);
    let Some(start) = xml[root..tag_end].find(ATTRIBUTE).map(|start| root + start) else { return xml };
    let value = start + ATTRIBUTE.len();
    let Some(end) = xml[value..tag_end].find('"').map(|end| value + end + 1) else { return xml };
    format!("{}{}", &xml[..start], &xml[end..])
}
