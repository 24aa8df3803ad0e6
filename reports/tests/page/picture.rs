//! Pictures of the page at three widths, light and dark, held against those in `pictures.json`.
//!
//! Letters look different on every machine, so pixels are not compared. What is: which parts there are and in which order,
//! where each stands and how wide it is, about how tall, and the mean colour of each field of a grid laid over it. Two
//! tests hold the comparison itself: another font makes no difference to it, and what breaks a page does.
//! `FABRIC_UPDATE_PICTURES=1 cargo test -p fabric-reports --test page` rewrites the file.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Browser, open, records};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/page/pictures.json");

/// The parts that are looked at, from the top.
const PARTS: [&str; 9] =
    ["#bar", ".head", "#causes", ".player", "#drawing", "#happened", "#moment", "#paths", "#convergence"];

/// Fields of the grid, across and down.
const GRID: (usize, usize) = (12, 6);

/// Of a part that is taller, only so much is looked at, in pixels.
const TALLEST: f64 = 1_400.0;

/// The picture's size, of the page's.
const SCALE: f64 = 0.5;

/// How far a part may be off, as a part of the page's width.
const OFF: f64 = 0.02;

/// How much taller or less tall a part may be: other letters break lines elsewhere.
const TALLER: f64 = 1.4;

/// By how much the colours of a part may differ in the mean of its fields, and in one field, of 255.
const COLOURS: (f64, f64) = (7.0, 70.0);

/// What a part looks like.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    /// Its selector.
    part: String,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// The mean colours of the grid's fields, line by line, in hex.
    colours: String,
}

/// Looks at all parts of the page as it is now.
async fn look(browser: &Browser) -> Vec<Part> {
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0); document.getElementById('bar').style.setProperty('position', 'static'); \
        document.querySelector('.player')?.style.setProperty('position', 'static');").await;
    let mut parts = Vec::new();
    for part in PARTS {
        let script = format!(
            "const part = document.querySelector({part:?}); if (!part) return null; const box = part.getBoundingClientRect(); \
             return [box.left + scrollX, box.top + scrollY, box.width, box.height];"
        );
        let Some(place) = browser.run(&script).await.as_array().cloned() else { continue };
        let at = |index: usize| place[index].as_f64().unwrap().round();
        let (x, y, width, height) = (at(0), at(1), at(2), at(3));
        if width >= 1.0 && height >= 1.0 {
            parts.push(Part { part: part.into(), x, y, width, height, colours: String::new() });
        }
    }
    // One picture for all of them: each takes a browser without a graphics card a second or two.
    let bottom = parts.iter().map(|part| part.y + part.height.min(TALLEST)).fold(1.0, f64::max);
    let right = parts.iter().map(|part| part.x + part.width).fold(1.0, f64::max);
    let clip = json!({"x": 0, "y": 0, "width": right, "height": bottom, "scale": SCALE});
    let asked = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
    let shot = browser.devtools("Page.captureScreenshot", asked).await;
    let picture = Picture::read(&STANDARD.decode(shot["data"].as_str().unwrap()).unwrap());
    for part in &mut parts {
        part.colours = hex(&picture.means(part));
    }
    parts.sort_by(|one, other| one.y.total_cmp(&other.y).then(one.x.total_cmp(&other.x)));
    parts
}

/// A picture's pixels.
struct Picture {
    width: usize,
    height: usize,
    samples: usize,
    pixels: Vec<u8>,
}

impl Picture {
    fn read(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let samples = info.color_type.samples();
        assert!(samples >= 3, "a screenshot has colours");
        Self { width: info.width as usize, height: info.height as usize, samples, pixels }
    }

    /// The mean colours of the grid's fields over a part.
    fn means(&self, part: &Part) -> Vec<u8> {
        let edge = |at: f64, most: usize| ((at * SCALE) as usize).min(most);
        let (left, right) = (edge(part.x, self.width), edge(part.x + part.width, self.width));
        let (top, bottom) = (edge(part.y, self.height), edge(part.y + part.height.min(TALLEST), self.height));
        let mut sums = vec![(0u64, [0u64; 3]); GRID.0 * GRID.1];
        for (y, x) in (top..bottom).flat_map(|y| (left..right).map(move |x| (y, x))) {
            let pixel = &self.pixels[(y * self.width + x) * self.samples..][..3];
            let sum = &mut sums
                [((y - top) * GRID.1 / (bottom - top)) * GRID.0 + (x - left) * GRID.0 / (right - left)];
            sum.0 += 1;
            (0..3).for_each(|colour| sum.1[colour] += u64::from(pixel[colour]));
        }
        sums.iter().flat_map(|(count, colours)| colours.map(|sum| (sum / (*count).max(1)) as u8)).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<f64> {
    (0..hex.len() / 2)
        .map(|at| f64::from(u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap()))
        .collect()
}

/// What is not as it was, one line each.
fn differences(before: &[Part], now: &[Part], page: f64) -> Vec<String> {
    let names = |parts: &[Part]| parts.iter().map(|part| part.part.clone()).collect::<Vec<_>>();
    if names(before) != names(now) {
        return vec![format!("the parts were {:?}, and are {:?}", names(before), names(now))];
    }
    let mut found = Vec::new();
    for (old, new) in before.iter().zip(now) {
        let name = &old.part;
        if (old.x - new.x).abs() > page * OFF || (old.width - new.width).abs() > page * OFF {
            found.push(format!(
                "{name} was {} wide at {}, and is {} wide at {}",
                old.width, old.x, new.width, new.x
            ));
        }
        let taller = new.height / old.height;
        if !(1.0 / TALLER..=TALLER).contains(&taller) {
            found.push(format!("{name} was {} high, and is {}", old.height, new.height));
        }
        let apart: Vec<f64> =
            bytes(&old.colours).iter().zip(bytes(&new.colours)).map(|(a, b)| (a - b).abs()).collect();
        let mean = apart.iter().sum::<f64>() / apart.len() as f64;
        let most = apart.iter().copied().fold(0.0, f64::max);
        if mean > COLOURS.0 || most > COLOURS.1 {
            found.push(format!("{name} has other colours: {mean:.1} in the mean, {most:.0} in one field"));
        }
    }
    found
}

fn kept() -> BTreeMap<String, Vec<Part>> {
    fs::read_to_string(FILE).map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default()
}

async fn page(scheme: &str, width: u32) -> Option<Browser> {
    let browser = Browser::open(&records::failed()).await?;
    browser.scheme(scheme).await;
    browser.size(width).await;
    browser.go("").await;
    Some(browser)
}

#[tokio::test]
async fn pages_look_as_they_did() {
    let update = std::env::var_os("FABRIC_UPDATE_PICTURES").is_some();
    let mut pictures = kept();
    let browser = open!(&records::failed());
    for scheme in ["light", "dark"] {
        for width in [360, 800, 1400] {
            let name = format!("{width}-{scheme}");
            browser.scheme(scheme).await;
            browser.size(width).await;
            browser.go("").await;
            let now = look(&browser).await;
            if update {
                pictures.insert(name, now);
            } else {
                let before = &pictures[&name];
                assert_eq!(differences(before, &now, f64::from(width)), Vec::<String>::new(), "at {name}");
            }
        }
    }
    if update {
        fs::write(FILE, serde_json::to_string_pretty(&pictures).unwrap() + "\n").unwrap();
    }
    browser.close().await;
}

#[rstest]
#[case::on_a_phone("serif", 360)]
#[case::on_a_desk("monospace", 1400)]
#[tokio::test]
async fn another_font_makes_no_difference(#[case] font: &str, #[case] width: u32) {
    let Some(browser) = page("light", width).await else { return };
    // Monospace letters are wider than those of any face for pages: a little smaller, they are as wide as the widest.
    let size = if font == "monospace" { "12.5px" } else { "14px" };
    let script = format!(
        "document.body.style.setProperty('font-family', '{font}'); document.body.style.setProperty('font-size', '{size}')"
    );
    browser.run(&script).await;
    let now = look(&browser).await;
    let before = &kept()[&format!("{width}-light")];
    assert_eq!(differences(before, &now, f64::from(width)), Vec::<String>::new());
}

/// What breaks a page, each by itself.
const BREAKS: [&str; 8] = [
    "document.querySelector('style').remove()",
    "document.querySelector('#drawing svg').replaceChildren()",
    "document.documentElement.dataset.theme = 'dark'",
    "document.querySelector('.lanes').remove()",
    "document.getElementById('fabric-grid').style.setProperty('display', 'block')",
    "document.getElementById('causes').remove()",
    "document.querySelector('main').style.setProperty('max-width', '900px')",
    "document.documentElement.style.setProperty('--good-fill', '#fff'); document.documentElement.style.setProperty('--warn-fill', '#fff')",
];

#[tokio::test]
async fn what_breaks_a_page_is_seen() {
    let Some(browser) = page("light", 1400).await else { return };
    let before = &kept()["1400-light"];
    for breaks in BREAKS {
        browser.go("").await;
        browser.run(breaks).await;
        let now = look(&browser).await;
        assert!(!differences(before, &now, 1400.0).is_empty(), "the comparison does not see it: {breaks}");
    }
}
