//! From a record to test points.

use serde_json::{Map, Value, json};

use super::yaml;
use crate::record::{Check, Outcome, Record, Verdict};
use crate::text::one_line;

/// How far a diagnostic stands from the edge: two spaces, says the specification.
const INDENT: usize = 2;

/// The record as TAP 14.
pub fn render(record: &Record) -> String {
    let mut page = String::from("TAP version 14\n");
    let about = format!(
        "# {}, run {}, fabric {}\n",
        one_line(&record.lab.name),
        one_line(&record.run_id),
        one_line(&record.tool_version)
    );
    page.push_str(&about);
    match record.checks.len() {
        0 => page.push_str(&format!("1..0 # SKIP {}\n", directive("the run checked nothing"))),
        number => page.push_str(&format!("1..{number}\n")),
    }
    let bail = bail_out(record);
    // Nothing is read behind it: it stands in the place of the checks that it kept from being run.
    let told = match &bail {
        Some(_) => {
            record.checks.iter().rposition(|check| check.verdict != Verdict::NotRun).map_or(0, |at| at + 1)
        }
        None => record.checks.len(),
    };
    let mut phase = "";
    for (at, check) in record.checks.iter().take(told).enumerate() {
        if check.phase != phase {
            phase = &check.phase;
            page.push_str(&format!("# phase {}\n", one_line(phase)));
        }
        page.push_str(&point(record, check, at + 1));
    }
    page.extend(bail);
    page
}

/// Why the run went no further, where it did not come to its end.
fn bail_out(record: &Record) -> Option<String> {
    match (record.outcome, &record.error) {
        (Outcome::BringUpFailed, Some(error)) => {
            let first = error.text.lines().next().unwrap_or_default();
            Some(format!("Bail out! {}: {}\n", one_line(&error.phase), one_line(first)))
        }
        (Outcome::Interrupted, _) => Some("Bail out! the run was interrupted\n".to_owned()),
        _ => None,
    }
}

fn point(record: &Record, check: &Check, number: usize) -> String {
    let name = escaped(&check.name);
    let reason = check.reason.as_deref().unwrap_or("no reason was recorded");
    match check.verdict {
        Verdict::Passed => format!("ok {number} - {name}\n{}", diagnostic(&passed(check))),
        Verdict::Skipped => format!("ok {number} - {name} # SKIP {}\n", directive(reason)),
        Verdict::Failed => format!("not ok {number} - {name}\n{}", diagnostic(&failed(record, check))),
        // It was asked for, and nobody knows: that is no pass.
        Verdict::NotRun => {
            let why = [("message", json!(reason)), ("severity", json!("not run"))];
            format!("not ok {number} - {name}\n{}", diagnostic(&why))
        }
    }
}

fn diagnostic(map: &[(&str, Value)]) -> String {
    let edge = " ".repeat(INDENT);
    format!("{edge}---\n{}{edge}...\n", yaml::block(map, INDENT))
}

fn passed(check: &Check) -> Vec<(&'static str, Value)> {
    vec![("duration_ms", json!(check.duration_ms))]
}

fn failed(record: &Record, check: &Check) -> Vec<(&'static str, Value)> {
    let mut map = vec![
        ("message", json!(check.headline().unwrap_or("no failure text was recorded"))),
        ("severity", json!("fail")),
        ("duration_ms", json!(check.duration_ms)),
    ];
    if let Some(at) = &check.written_at {
        let place = [("file", json!(at.file)), ("line", json!(at.line)), ("column", json!(at.column))];
        map.push(("at", object(place)));
    }
    map.push(("wanted", check.expected.clone()));
    map.push(("found", summary(&check.seen)));
    if let Some(failure) = &check.failure {
        map.push(("failure", json!(failure)));
    }
    let cause = check.cause.as_ref().and_then(|id| record.causes.iter().find(|cause| cause.id == *id));
    if let Some(cause) = cause {
        let mut of = vec![
            ("id", json!(cause.id)),
            ("kind", json!(cause.kind)),
            ("rung", json!(cause.rung.words())),
            ("title", json!(cause.title)),
        ];
        of.extend(cause.node.as_ref().map(|node| ("node", json!(node))));
        of.extend(cause.about.as_ref().map(|about| ("about", json!(about))));
        of.extend((!cause.text.is_empty()).then(|| ("text", json!(cause.text))));
        map.push(("cause", object(of)));
    }
    map.extend(check.next_command.as_ref().map(|next| ("next", json!(next))));
    map
}

/// What was seen in a few words, where there are some: the rest is long.
fn summary(seen: &Value) -> Value {
    seen.get("summary").unwrap_or(seen).clone()
}

fn object<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}

/// A description: `#` would begin a directive, and `\` escapes.
fn escaped(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// The words of a directive.
fn directive(text: &str) -> String {
    one_line(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::record::sample;

    #[rstest]
    #[case::passed("passed", sample::passed())]
    #[case::failed("failed", sample::failed())]
    #[case::bring_up_failed("bring_up_failed", sample::bring_up_failed())]
    fn runs_read_well(#[case] name: &str, #[case] record: Record) {
        insta::assert_snapshot!(format!("tap_{name}"), render(&record));
    }

    #[test]
    fn nothing_checked_is_no_plan() {
        let record = Record { checks: vec![], outcome: Outcome::NothingChecked, ..sample::passed() };
        assert!(render(&record).contains("\n1..0 # SKIP the run checked nothing\n"));
    }

    /// The diagnostics of a page, each read back.
    fn diagnostics(page: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut block: Option<String> = None;
        for line in page.lines() {
            match (line, &mut block) {
                ("  ---", _) => block = Some(String::new()),
                ("  ...", Some(text)) => {
                    all.push(serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")));
                    block = None;
                }
                (line, Some(text)) => *text += &format!("{line}\n"),
                _ => {}
            }
        }
        assert!(block.is_none(), "{page}");
        all
    }

    #[test]
    fn a_diagnostic_says_why_and_where() {
        let read = diagnostics(&render(&sample::failed()));
        let failed = &read[0];
        assert_eq!(failed["at"]["line"], 33);
        assert_eq!(failed["cause"]["kind"], "peer-not-listening");
        assert_eq!(failed["message"], "router0's RIB has 9 of 12 prefixes after 9.4 s");
        assert!(failed["failure"].as_str().unwrap().contains("\nmissing: 10.1.1.0/24"), "{failed}");
        assert_eq!(failed["next"], "fabric exec tor1 -- vtysh -c 'show bgp neighbors 10.0.4.2'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn whatever_a_router_says_is_read_back(text: String, lines in prop::collection::vec("[ -~é]{0,20}", 0..5)) {
            let mut record = sample::failed();
            let said = format!("{text}\n{}", lines.join("\n"));
            record.checks[0].name = text.clone();
            record.checks[0].failure = Some(said.clone());
            record.checks[0].next_command = Some(text.clone());
            record.checks[0].seen = json!({"summary": text, "detail": said});
            let page = render(&record);
            let read = diagnostics(&page);
            let next = read[0]["next"].as_str().unwrap_or_default().to_owned();
            prop_assert_eq!(next, crate::text::clean(&text));
            // One point for each check, and nothing else at the edge that a reader would take for one.
            let points = page.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count();
            prop_assert_eq!(points, record.checks.len());
        }
    }
}
