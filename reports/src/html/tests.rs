//! The page as text: what is in it, what does not break out of it. What it does in a browser is tested in `tests/page`.

use proptest::prelude::*;
use rstest::rstest;

use super::{embed, parts, render};
use crate::record::{Content, Record, sample};

/// What is between these two, which are there once.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

fn embedded(page: &str) -> Record {
    serde_json::from_str(between(page, "<script type=\"application/json\" id=\"record\">", "</script>"))
        .unwrap()
}

#[rstest]
#[case::passed(sample::passed())]
#[case::failed(sample::failed())]
#[case::bring_up_failed(sample::bring_up_failed())]
fn a_page_holds_its_record(#[case] record: Record) {
    let page = render(&record).unwrap();
    assert_eq!(embedded(&page), record);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    let names = [
        "{{outcome",
        "{{policy",
        "{{style",
        "{{lab",
        "{{headline",
        "{{drawing",
        "{{record",
        "{{words",
        "{{script",
    ];
    assert!(names.iter().all(|name| !page.contains(name)), "a part is missing");
}

#[rstest]
#[case::ends_a_script("</script><script>alert(1)</script>")]
#[case::ends_a_script_in_capitals("</SCRIPT >")]
#[case::hides_the_end("<!--<script>")]
#[case::lines_of_old("a\u{2028}b\u{2029}c")]
#[case::a_part_of_the_template("{{script}} {{record}} {{")]
#[case::an_entity("&lt;/script&gt; ]]>")]
#[case::controls("\u{0}\u{1b}[31m\u{ffff}\u{feff}")]
fn nothing_breaks_out(#[case] hostile: &str) {
    let mut record = sample::failed();
    record.lab.name = hostile.into();
    record.tool_version = hostile.into();
    record.lab.description = hostile.into();
    record.checks[0].failure = Some(hostile.into());
    record.checks[0].evidence[0].content = Content::Text(hostile.into());
    record.causes[0].title = hostile.into();
    let page = render(&record).unwrap();
    assert_eq!(embedded(&page), record);
    let harmless = render(&sample::failed()).unwrap();
    for tag in ["<script", "</script", "<!--", "<style", "<title", "<pre>"] {
        let times = |page: &str| page.to_ascii_lowercase().matches(tag).count();
        assert_eq!(times(&page), times(&harmless), "{tag}");
    }
    assert!(!between(&page, "id=\"record\">", "</script>").contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
}

#[test]
fn the_policy_names_the_script_and_the_style_that_are_there() {
    let page = render(&sample::failed()).unwrap();
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    let script = between(&page, "<script>", "</script>");
    let style = between(&page, "<style>", "</style>");
    assert!(policy.contains(&format!("script-src {};", embed::source(script))), "{policy}");
    assert!(policy.contains(&format!("style-src {};", embed::source(style))), "{policy}");
}

#[test]
fn a_page_loads_nothing() {
    let own = render(&sample::passed()).unwrap();
    for loads in
        [" src=", "@import", "url(", "fetch(", "XMLHttpRequest", "WebSocket", "EventSource", "import("]
    {
        assert!(!own.contains(loads), "{loads}");
    }
    // The names of XML's vocabularies are no addresses.
    let addresses = own.matches("http://").count() + own.matches("https://").count();
    assert_eq!(addresses, own.matches("http://www.w3.org/2000/svg").count());
}

#[test]
fn scripts_do_not_end_early() {
    let script = parts::script();
    assert!(!script.contains("</script") && !script.contains("<!--"));
    assert!(!parts::style().contains("</style"));
    // What makes HTML out of text has no place here, and style attributes are against the policy.
    for never in
        ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute('style'"]
    {
        assert!(!script.contains(never), "{never}");
    }
}

#[test]
fn what_failed_can_be_read_without_scripts() {
    let page = render(&sample::failed()).unwrap();
    let told = between(&page, "<noscript>", "</noscript>");
    assert!(told.contains("nothing listens on 10.0.4.2:179") && told.contains("9 of 12 prefixes"), "{told}");
    assert!(page.contains("<h1 id=\"head-title\">The run failed</h1>"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let mut record = sample::failed();
        record.lab.name = text.clone();
        record.checks[0].failure = Some(text);
        let page = render(&record).unwrap();
        prop_assert_eq!(embedded(&page), record);
    }
}
