//! What a reader finds: the causes first, checks by words and by key, nothing broken where a record is poor.

use fabric_reports::html;
use rstest::rstest;

use crate::{open, records};

#[rstest]
#[case::passed(records::passed())]
#[case::failed(records::failed())]
#[case::bare(records::bare())]
#[tokio::test]
async fn no_script_goes_wrong_and_nothing_is_wider_than_a_phone(#[case] record: fabric_reports::Record) {
    let browser = open!(&record);
    for width in [360, 800, 1400] {
        browser.size(width).await;
        let (seen, room) = (browser.text("document.documentElement.scrollWidth").await, width.to_string());
        assert_eq!(seen, room);
        assert!(browser.is("document.body.getBoundingClientRect().right <= innerWidth").await);
    }
    let shown = browser.text("document.querySelectorAll('details.check').length").await;
    assert_eq!(shown, record.checks.len().to_string());
    let empty = "[...document.querySelectorAll('main > section:not([hidden])')].filter((part) => part.innerText.trim().split('\\n').length < 2).length";
    assert_eq!(browser.text(empty).await, "0", "a part of the page is empty");
    browser.close().await;
}

#[test]
fn a_page_of_the_articles_run_is_small() {
    for record in [records::passed(), records::failed()] {
        let page = html::render(&record).unwrap();
        assert!(page.len() < 1_000_000, "{} bytes", page.len());
    }
}

#[tokio::test]
async fn why_it_failed_comes_first() {
    let record = records::failed();
    let browser = open!(&record);
    assert!(browser.is("document.querySelector('main > section:nth-of-type(2)').id === 'causes'").await);
    let told = browser.text("document.getElementById('causes').innerText").await;
    for cause in &record.causes {
        assert!(told.contains(&cause.title), "{told}");
    }
    let failed = record.checks.iter().find(|check| check.failure.is_some()).unwrap();
    assert!(told.contains(&failed.name), "{told}");
    let next = failed.next_command.clone().unwrap();
    assert!(told.contains(&next) || record.causes.iter().any(|cause| cause.next_command.is_some()), "{told}");
    browser.close().await;
}

#[tokio::test]
async fn a_link_leads_to_its_check() {
    let record = records::failed();
    let browser = open!(&record);
    let check = record.checks.last().unwrap();
    let encode =
        format!("return new URLSearchParams({{ check: {} }}).toString()", serde_json::json!(check.name));
    let fragment = browser.run(&encode).await.as_str().unwrap().to_owned();
    browser.go(&format!("#verdict=failed&{fragment}")).await;
    let here = "document.activeElement.closest('details.check')";
    browser.until(here).await;
    assert!(
        browser.is(&format!("{here}.open && !{here}.hidden")).await,
        "it is open, whatever the filter said"
    );
    let place = format!("Math.abs({here}.getBoundingClientRect().top) < innerHeight");
    browser.until(&place).await;
    browser.close().await;
}

#[tokio::test]
async fn checks_are_found_by_words_and_by_verdict() {
    let record = records::failed();
    let browser = open!(&record);
    let shown = "document.querySelectorAll('details.check:not([hidden])').length";
    browser.keys("/").await;
    assert!(browser.is("document.activeElement.id === 'search'").await);
    browser.keys("policy sessions tor1").await;
    let fits = |name: &str| ["policy", "sessions", "tor1"].iter().all(|word| name.contains(word));
    let some = record.checks.iter().filter(|check| fits(&check.name)).count();
    assert!(some > 0);
    browser.until(&format!("{shown} < {}", record.checks.len())).await;
    assert!(browser.text(shown).await.parse::<usize>().unwrap() >= some);
    assert!(browser.is("location.hash.includes('q=policy')").await);
    browser.until("document.getElementById('live').textContent.includes(' of ')").await;
    browser.keys("\u{e00c}").await;
    browser.until(&format!("{shown} === {}", record.checks.len())).await;
    let failed = record.checks.iter().filter(|check| check.failure.is_some()).count();
    browser.run("document.querySelector('[data-verdict=\"failed\"]').click()").await;
    assert_eq!(browser.text(shown).await, failed.to_string());
    browser.close().await;
}

#[tokio::test]
async fn keys_go_from_check_to_check_and_can_be_switched_off() {
    let browser = open!(&records::failed());
    let place = "[...document.querySelectorAll('details.check')].indexOf(document.activeElement.closest('details.check'))";
    for (key, expected) in [("j", "0"), ("j", "1"), ("j", "2"), ("k", "1")] {
        browser.keys(key).await;
        assert_eq!(browser.text(place).await, expected, "after {key}");
    }
    browser.keys("\u{e007}").await;
    assert!(browser.is("document.activeElement.closest('details.check').open").await);
    browser.keys("n").await;
    assert!(browser.is("document.activeElement.closest('details.check.failed')").await);
    browser.keys("?").await;
    assert!(browser.is("document.getElementById('help-dialog').open").await);
    browser.run("document.querySelector('#help-dialog input').click()").await;
    browser.keys("\u{e00c}").await;
    browser.until("!document.getElementById('help-dialog').open").await;
    let before = browser.text(place).await;
    browser.keys("k").await;
    assert_eq!(browser.text(place).await, before, "single keys are off");
    browser.close().await;
}

#[tokio::test]
async fn colours_can_be_chosen() {
    let browser = open!(&records::passed());
    let paper = "getComputedStyle(document.body).backgroundColor";
    browser.scheme("light").await;
    let light = browser.text(paper).await;
    browser.scheme("dark").await;
    let dark = browser.text(paper).await;
    assert_ne!(light, dark);
    browser.keys("t").await;
    assert_eq!(browser.text(paper).await, light, "light, whatever the system says");
    browser.keys("t").await;
    browser.scheme("light").await;
    assert_eq!(browser.text(paper).await, dark, "dark, whatever the system says");
    browser.close().await;
}

#[tokio::test]
async fn paper_has_what_failed_and_no_buttons() {
    let browser = open!(&records::failed());
    browser.run("window.dispatchEvent(new Event('beforeprint'))").await;
    browser.paper(true).await;
    let seen = |what: &str| format!("document.querySelector('{what}').getBoundingClientRect().height");
    for gone in [".bar", ".filter", "#range"] {
        assert_eq!(browser.text(&seen(gone)).await, "0", "{gone}");
    }
    browser.until("document.querySelector('details.check.failed').open").await;
    assert!(browser.is(&format!("{} > 40", seen("details.check.failed"))).await);
    browser.close().await;
}
