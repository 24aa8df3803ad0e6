//! What the file must be for Jenkins to take it, and that nothing a router says can break it.

use proptest::prelude::*;
use quick_junit::{Report, TestCaseStatus};
use quick_xml::events::{BytesStart, Event};
use rstest::rstest;

use super::render;
use crate::record::{Content, Record, Verdict, sample};

/// An element of the file: its name, its attributes, its child elements, and whether it holds text.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: bool,
}

fn parse(xml: &str) -> Element {
    fn open(start: &BytesStart<'_>) -> Element {
        let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
            (key, String::from_utf8(attribute.value.to_vec()).unwrap())
        });
        Element { name, attributes: attributes.collect(), ..Element::default() }
    }
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut stack = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(start) => stack.push(open(&start)),
            Event::Empty(start) => {
                let element = open(&start);
                stack.last_mut().unwrap().children.push(element);
            }
            Event::End(_) => {
                let element = stack.pop().unwrap();
                stack.last_mut().unwrap().children.push(element);
            }
            Event::Text(text) => stack.last_mut().unwrap().text |= !text.trim_ascii().is_empty(),
            Event::GeneralRef(_) | Event::CData(_) => stack.last_mut().unwrap().text = true,
            Event::Eof => break,
            _ => {}
        }
    }
    let mut root = stack.pop().unwrap();
    assert_eq!((stack.len(), root.children.len()), (0, 1), "one root element");
    root.children.remove(0)
}

/// What both of Jenkins' schemas say of an element: attributes it must have, attributes it may have, and its
/// children in their order with how often each may appear.
struct Rule {
    required: &'static [&'static str],
    optional: &'static [&'static str],
    children: &'static [(&'static str, usize, usize)],
    text: bool,
}

/// The intersection of xUnit plugin's junit-10.xsd and jenkins-junit.xsd (dtkit junit-4): a file that keeps to
/// it is valid under either.
fn rule(name: &str) -> Rule {
    const MANY: usize = usize::MAX;
    let rule = |required, optional, children, text| Rule { required, optional, children, text };
    match name {
        "testsuites" => {
            rule(&[], &["name", "time", "tests", "failures", "errors"], &[("testsuite", 0, MANY)], false)
        }
        "testsuite" => rule(
            &["name", "tests", "failures", "errors"],
            &["time", "skipped", "timestamp", "hostname", "id", "package"],
            &[("properties", 0, 1), ("testcase", 0, MANY), ("system-out", 0, 1), ("system-err", 0, 1)],
            false,
        ),
        "properties" => rule(&[], &[], &[("property", 1, MANY)], false),
        "property" => rule(&["name", "value"], &[], &[], false),
        "testcase" => rule(
            &["name"],
            &["time", "classname"],
            &[
                ("skipped", 0, 1),
                ("error", 0, MANY),
                ("failure", 0, MANY),
                ("system-out", 0, MANY),
                ("system-err", 0, MANY),
            ],
            false,
        ),
        "failure" | "error" => rule(&[], &["type", "message"], &[], true),
        "skipped" | "system-out" | "system-err" => rule(&[], &[], &[], true),
        other => panic!("no schema knows <{other}>"),
    }
}

fn assert_valid(element: &Element) {
    let Rule { required, optional, children, text } = rule(&element.name);
    for name in required {
        assert!(element.attributes.iter().any(|(key, _)| key == name), "<{}> lacks {name}", element.name);
    }
    for (key, value) in &element.attributes {
        let known = required.contains(&key.as_str()) || optional.contains(&key.as_str());
        assert!(known, "<{}> may not have {key}", element.name);
        if key == "time" {
            let (whole, decimals) = value.split_once('.').unwrap();
            assert!(!whole.is_empty() && decimals.len() == 3, "time in seconds: {value}");
            assert!(value.chars().all(|c| c.is_ascii_digit() || c == '.'), "time in seconds: {value}");
        }
    }
    assert!(text || !element.text, "<{}> may not hold text", element.name);
    let mut position = 0;
    for child in &element.children {
        let place = children.iter().position(|(name, ..)| *name == child.name);
        let place = place.unwrap_or_else(|| panic!("<{}> in <{}>", child.name, element.name));
        assert!(place >= position, "<{}> comes too late in <{}>", child.name, element.name);
        position = place;
        assert_valid(child);
    }
    for (name, min, max) in children {
        let times = element.children.iter().filter(|child| child.name == *name).count();
        assert!((*min..=*max).contains(&times), "<{name}> {times} times in <{}>", element.name);
    }
}

/// The production Char of XML 1.0, section 2.2.
fn assert_legal_characters(xml: &str) {
    for c in xml.chars() {
        let legal =
            matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(legal, "U+{:04X} is not a character of XML 1.0", u32::from(c));
    }
}

fn assert_unique_names(report: &Report) {
    let mut seen = std::collections::HashSet::new();
    for case in report.test_suites.iter().flat_map(|suite| &suite.test_cases) {
        assert!(seen.insert((case.classname.clone(), case.name.clone())), "{} twice", case.name.as_str());
    }
    let mut suites: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    let number = suites.len();
    suites.sort_unstable();
    suites.dedup();
    assert_eq!(suites.len(), number, "two suites of one name");
}

fn assert_good(record: &Record) -> Report {
    let xml = render(record).unwrap();
    assert_legal_characters(&xml);
    assert_valid(&parse(&xml));
    let report = Report::deserialize_from_str(&xml).unwrap();
    assert_unique_names(&report);
    report
}

#[rstest]
#[case(sample::passed())]
#[case(sample::failed())]
#[case(sample::bring_up_failed())]
fn the_file_is_valid_for_jenkins(#[case] record: Record) {
    assert_good(&record);
}

#[test]
fn a_failed_run_reads_well() {
    insta::assert_snapshot!(render(&sample::failed()).unwrap());
}

#[test]
fn a_run_that_did_not_come_up_reads_well() {
    insta::assert_snapshot!(render(&sample::bring_up_failed()).unwrap());
}

#[test]
fn a_suite_per_phase_with_its_counts_times_and_properties() {
    let report = assert_good(&sample::failed());
    let names: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["underlay", "policy", "workload"]);
    let policy = &report.test_suites[1];
    assert_eq!((policy.tests, policy.failures, policy.errors, policy.skipped), (2, 1, 0, 1));
    assert_eq!(policy.timestamp.unwrap().to_rfc3339(), "2026-11-23T07:00:02.800+00:00");
    assert_eq!(policy.time.unwrap().as_secs_f64(), 9.56);
    let value =
        |name: &str| policy.properties.iter().find(|p| p.name.as_str() == name).unwrap().value.as_str();
    assert_eq!(value("version.frr"), "8.4.4");
    assert_eq!(value("environment"), "twin");
    assert!(value("environment.note.1").contains("eBPF"));
}

#[test]
fn the_reason_of_an_unreached_phase_is_told_in_full_once() {
    let report = assert_good(&sample::failed());
    let told: Vec<bool> = report.test_suites[2]
        .test_cases
        .iter()
        .map(|case| match &case.status {
            TestCaseStatus::NonSuccess { message, description, .. } => {
                assert!(message.as_ref().unwrap().as_str().contains("write `Pod`"));
                description.is_some()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [true, false]);
}

#[test]
fn an_unreached_phase_without_checks_is_not_green() {
    let mut record = sample::failed();
    record.checks.retain(|check| check.phase != "workload");
    let report = assert_good(&record);
    assert_eq!((report.test_suites[2].tests, report.test_suites[2].errors), (1, 1));
}

#[rstest]
#[case(crate::record::Outcome::Interrupted)]
#[case(crate::record::Outcome::NothingChecked)]
fn a_run_that_proved_nothing_is_not_green(#[case] outcome: crate::record::Outcome) {
    let mut record = sample::passed();
    record.outcome = outcome;
    record.checks.clear();
    let report = assert_good(&record);
    assert_eq!((report.test_suites[0].name.as_str(), report.errors), ("run", 1));
}

#[test]
fn checks_of_one_name_are_told_apart() {
    let mut record = sample::passed();
    let twin = record.checks[0].clone();
    let mut nearly = twin.clone();
    nearly.name.push('\u{1}');
    record.checks.extend([twin, nearly]);
    let report = assert_good(&record);
    assert!(report.test_suites[0].test_cases[3].name.as_str().ends_with("(3)"));
}

#[test]
fn evidence_keeps_its_columns_and_loses_what_xml_cannot_carry() {
    let report = assert_good(&sample::failed());
    let output = report.test_suites[1].test_cases[0].system_out.clone().unwrap();
    assert!(output.contains("BGP: 10.0.4.2   connect refused & <dropped> ]]>"), "{}", output.as_str());
}

/// Text as a hostile router might give it: controls, escapes, markup, the ends of Unicode.
fn hostile() -> impl Strategy<Value = String> {
    let bits = prop_oneof![
        Just("\u{1b}[31m"),
        Just("\u{1b}]0;"),
        Just("]]>"),
        Just("&#0;"),
        Just("<failure>"),
        Just("\""),
        Just("\u{ffff}"),
        Just("\u{0}"),
        Just("\u{9b}"),
        Just("\r\n"),
        Just("\r"),
        Just("\t"),
        Just(" "),
        Just(" skipped=\"1\""),
        Just("a"),
        Just("\u{85}"),
        Just("::"),
        Just(""),
    ];
    prop_oneof![any::<String>(), prop::collection::vec(bits, 0..8).prop_map(|bits| bits.concat()),]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_breaks_the_file(texts in prop::collection::vec(hostile(), 8), number in 0.0f64..1e12) {
        let mut record = sample::failed();
        record.lab.name = texts[0].clone();
        record.environment.versions.insert(texts[1].clone(), texts[2].clone());
        record.phases[0].name = texts[3].clone();
        record.phases[0].actions.push(texts[4].clone());
        record.checks[0].name = texts[5].clone();
        record.checks[0].kind = texts[1].clone();
        record.checks[0].failure = Some(texts[6].clone());
        record.checks[0].evidence[0].content = Content::Text(texts[7].clone());
        record.checks[1].phase = texts[3].clone();
        record.checks[1].verdict = Verdict::Skipped;
        record.checks[1].reason = Some(texts[6].clone());
        record.checks[1].duration_ms = number;
        assert_good(&record);
    }

    #[test]
    fn text_arrives_as_it_was_cleaned(text in hostile()) {
        let mut record = sample::failed();
        record.checks[0].failure = Some(text.clone());
        record.checks[0].evidence[0].content = Content::Text(text.clone());
        let report = assert_good(&record);
        let case = &report.test_suites[1].test_cases[0];
        let expected = crate::text::clean(&text);
        prop_assert!(case.system_out.as_ref().unwrap().as_str().contains(expected.as_str()));
    }
}
