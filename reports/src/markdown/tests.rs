use proptest::prelude::*;
use rstest::rstest;

use super::escape::{block, html, inline};
use super::render;
use crate::record::sample::{failed, passed};
use crate::record::{Outcome, Verdict};

#[test]
fn a_run_that_passed() {
    insta::assert_snapshot!(render(&passed()));
}

#[test]
fn a_run_that_failed() {
    let mut record = passed();
    record.outcome = Outcome::Failed;
    record.warnings = vec!["warning: `ports` of a node | is <not> honoured".to_owned()];
    let check = record.checks.last_mut().expect("a check");
    check.verdict = Verdict::Failed;
    check.failure = Some("router0, neighbor net0\n  seen: ``` and <b>more</b> | @all".to_owned());
    check.next_command = Some("fabric exec router0 -- vtysh -c 'show bgp neighbors'".to_owned());
    insta::assert_snapshot!(render(&record));
}

#[test]
fn a_cause_is_told_once_with_its_victims() {
    let mut record = failed();
    let mut other = record.checks[0].clone();
    other.name = "policy::routes::tor1::rib has podCIDR(*)".into();
    record.checks.push(other);
    insta::assert_snapshot!(render(&record));
}

/// A job's summary is refused when it is too long.
#[test]
fn many_long_failures_stay_short() {
    let mut record = passed();
    let mut check = record.checks[0].clone();
    check.verdict = Verdict::Failed;
    check.failure = Some("é".repeat(100_000));
    record.checks = vec![check; 1_000];
    let page = render(&record);
    assert!(page.len() < 200_000, "{} bytes", page.len());
    assert!(
        page.contains("And 980 more") && page.contains("196000 bytes more in record.json"),
        "{}",
        &page[..600]
    );
}

#[rstest]
#[case("a|b", r"a\|b")]
#[case("<script>", "&lt;script&gt;")]
#[case("@team #12", "&#64;team &#35;12")]
#[case("podCIDR(*) _x_ `y`", r"podCIDR\(\*\) \_x\_ \`y\`")]
#[case("two\nlines\u{1b}[31m", "two lines")]
fn nothing_becomes_markup(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(inline(text), expected);
}

/// A summary is HTML: a backslash would be seen in it.
#[test]
fn html_is_not_escaped_as_markdown() {
    assert_eq!(html("rib_x <b> & @all\n"), "rib_x &lt;b&gt; &amp; &#64;all ");
}

#[rstest]
#[case("x", "```text\nx\n```\n")]
#[case("a ```` b", "`````text\na ```` b\n`````\n")]
fn a_fence_is_longer_than_those_inside(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(block(text), expected);
}

proptest! {
    #[test]
    fn a_cell_stays_a_cell(text in ".{0,40}") {
        let cell = inline(&text);
        prop_assert!(!cell.contains('\n') && !cell.contains('<'));
        let bytes = cell.as_bytes();
        for (at, _) in cell.match_indices('|') {
            prop_assert_eq!(bytes[at - 1], b'\\');
        }
    }
}
