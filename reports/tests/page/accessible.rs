//! axe-core finds nothing, in each part of the page and each set of colours. `FABRIC_AXE` is the folder that has `axe.min.js`
//! (`.ci/axe` fetches it); where it is not set, these tests say so, and `FABRIC_PAGE=required` makes that a failure.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fantoccini::wd::TimeoutConfiguration;
use rstest::rstest;
use serde_json::Value;

use crate::{Browser, open, records};

fn axe() -> Option<String> {
    let Some(folder) = std::env::var_os("FABRIC_AXE") else {
        assert_ne!(
            std::env::var("FABRIC_PAGE").as_deref(),
            Ok("required"),
            "FABRIC_PAGE=required, and FABRIC_AXE is not set: .ci/axe FOLDER fetches axe-core; set it to that folder"
        );
        eprintln!("skipped: FABRIC_AXE is not set (.ci/axe fetches axe-core into a folder)");
        return None;
    };
    let file = PathBuf::from(folder).join("axe.min.js");
    Some(fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

/// What axe finds, one line each.
async fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    let patience = TimeoutConfiguration::new(Some(Duration::from_secs(300)), None, None);
    browser.client.update_timeouts(patience).await.unwrap();
    let script = format!(
        "{axe};\nconst done = arguments[arguments.length - 1];\n\
         axe.run(document, {{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'], resultTypes: ['violations'] }})\
         .then((found) => done(found.violations.map((one) => `${{one.id}}: ${{one.help}}: ${{one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}}`)), \
         (error) => done([String(error)]));"
    );
    let found = browser.client.execute_async(&script, vec![]).await.unwrap();
    found.as_array().cloned().unwrap_or_default().iter().map(Value::to_string).collect()
}

#[rstest]
#[case::light_on_a_phone("light", 360)]
#[case::dark_on_a_desk("dark", 1400)]
#[tokio::test]
async fn axe_finds_nothing(#[case] scheme: &str, #[case] width: u32) {
    let Some(axe) = axe() else { return };
    let browser = open!(&records::failed());
    browser.scheme(scheme).await;
    browser.size(width).await;
    // Two hundred rows of one kind say no more than twenty, and take axe ten times as long.
    browser.go("#phase=workload").await;
    browser.run("document.querySelectorAll('details.check:not([hidden]):nth-of-type(5n), main details.more').forEach((row) => { row.open = true; });").await;
    browser.until("document.querySelector('details.check:not([hidden]) .check-body')").await;
    assert_eq!(violations(&browser, &axe).await, Vec::<String>::new());
    browser.run("document.querySelectorAll('main > section').forEach((part) => part.remove()); document.getElementById('help').click()").await;
    assert_eq!(violations(&browser, &axe).await, Vec::<String>::new(), "with the help open");
    browser.close().await;
}

#[tokio::test]
async fn axe_finds_what_is_wrong() {
    let Some(axe) = axe() else { return };
    let browser = open!(&records::bare());
    browser.run("document.querySelector('#search').closest('label').replaceWith(document.querySelector('#search'))").await;
    browser.run("document.querySelector('#search').removeAttribute('placeholder')").await;
    let found = violations(&browser, &axe).await;
    assert!(found.iter().any(|one| one.contains("label")), "{found:?}");
}
