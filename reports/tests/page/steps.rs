//! The player: stepping, dragging, and what the drawing and the tables then show.

use fabric_reports::Record;
use fabric_reports::record::{Happening, RouteChange, Table};

use crate::{open, records};

/// The moment that is shown, in milliseconds.
const NOW: &str = "document.getElementById('range').value";

fn sessions(record: &Record) -> impl Iterator<Item = (f64, &str, &str, &str)> {
    record.events.iter().filter_map(|event| match &event.of {
        Some(Happening::Session { peer: Some(peer), to: Some(to), .. }) => {
            Some((event.ms, event.source.as_str(), peer.as_str(), to.as_str()))
        }
        _ => None,
    })
}

#[tokio::test]
async fn one_steps_from_event_to_event() {
    let browser = open!(&records::passed());
    browser.go("#t=0").await;
    let mut last = -1.0;
    for _ in 0..5 {
        browser.keys(".").await;
        let now: f64 = browser.text(NOW).await.parse().unwrap();
        assert!(now > last, "{now} after {last}");
        last = now;
    }
    browser.keys(",").await;
    let back: f64 = browser.text(NOW).await.parse().unwrap();
    assert!(back < last);
    browser.run("document.querySelector('[aria-label=\"Next event\"]').click()").await;
    assert_eq!(browser.text(NOW).await.parse::<f64>().unwrap(), last);
    assert!(browser.is("location.hash.includes('t=')").await, "the moment is in the address");
    browser.until("document.getElementById('live').textContent.includes(' s: ')").await;
    browser.run("document.getElementById('range').focus()").await;
    browser.keys("\u{e012}").await;
    assert_eq!(browser.text(NOW).await.parse::<f64>().unwrap(), back, "the range's own keys step, too");
    browser.close().await;
}

#[tokio::test]
async fn the_drawing_has_the_colours_of_the_moment() {
    let record = records::passed();
    let (ms, one, other, _) = sessions(&record)
        .find(|(_, one, other, to)| {
            *to == "Established"
                && record
                    .topology
                    .as_ref()
                    .unwrap()
                    .links
                    .iter()
                    .any(|link| link.ends.iter().all(|end| end.node == *one || end.node == *other))
                && *one == "tor0"
                && *other != "router0"
        })
        .unwrap();
    let browser = open!(&record);
    let line = format!(
        "[...document.querySelectorAll('svg .session')].find((line) => [line.dataset.a, line.dataset.b].sort().join() === {})",
        serde_json::json!(if one < other { format!("{one},{other}") } else { format!("{other},{one}") })
    );
    browser.go(&format!("#t={}", ms - 1.0)).await;
    assert!(!browser.is(&format!("{line}.classList.contains('established')")).await, "before {ms}");
    // Dragging, as a pointer does it.
    browser.run(&format!("const range = document.getElementById('range'); range.value = {}; range.dispatchEvent(new Event('input'));", record.duration_ms * 0.98)).await;
    browser.run(&format!("const range = document.getElementById('range'); range.value = {}; range.dispatchEvent(new Event('input'));", ms + 300.0)).await;
    assert!(browser.is(&format!("{line}.classList.contains('established')")).await, "after {ms}");
    browser.close().await;
}

#[tokio::test]
async fn a_table_has_the_routes_of_the_moment() {
    let record = records::passed();
    let (ms, prefix) = record
        .events
        .iter()
        .find_map(|event| match &event.of {
            Some(Happening::Route { table: Table::Rib, prefix, change: RouteChange::Came, .. })
                if event.source == "router0" && prefix.starts_with("10.1.") =>
            {
                Some((event.ms, prefix.clone()))
            }
            _ => None,
        })
        .unwrap();
    let browser = open!(&record);
    let row = format!(
        "[...document.querySelectorAll('#moment tbody th')].find((cell) => cell.textContent.startsWith({}))",
        serde_json::json!(prefix)
    );
    browser.go(&format!("#box=router0&t={}", ms - 1.0)).await;
    assert!(!browser.is(&row).await, "{prefix} is not there yet");
    browser.go(&format!("#box=router0&t={ms}")).await;
    assert!(browser.is(&format!("{row}.closest('tr.came')")).await, "{prefix} comes");
    browser.close().await;
}

#[tokio::test]
async fn a_box_of_the_drawing_is_a_button() {
    let browser = open!(&records::passed());
    browser.run("document.querySelector('.box[data-node=\"tor1\"]').focus()").await;
    browser.keys("\u{e007}").await;
    assert!(
        browser
            .is("[...document.querySelectorAll('#moment h3')].some((title) => title.textContent === 'tor1')")
            .await
    );
    assert!(browser.is("location.hash.includes('box=tor1')").await);
    assert!(
        browser.is("document.querySelector('.box[data-node=\"tor1\"]').classList.contains('selected')").await
    );
    browser.close().await;
}

#[tokio::test]
async fn a_way_of_packets_is_drawn() {
    let browser = open!(&records::passed());
    let ways = "document.querySelectorAll('svg .hop-path').length";
    assert_eq!(browser.text(ways).await, "0");
    browser.run("document.querySelector('[data-way]').click()").await;
    assert!(browser.is(&format!("{ways} > 0")).await);
    assert!(browser.is("document.querySelector('svg .hop-path').getTotalLength() > 200").await);
    assert!(browser.is("document.querySelectorAll('#paths .hops li').length > 5").await);
    browser.close().await;
}

#[tokio::test]
async fn convergence_is_told_session_by_session_and_prefix_by_prefix() {
    let record = records::passed();
    let browser = open!(&record);
    let told = browser.text("document.getElementById('convergence').innerText").await;
    for what in ["policy", "Established", "kernel route", "10.1.0.0/24"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    browser.close().await;
}
