//! The page's template, styles and scripts, as they are in `page/`, put together. What a record fills them with is in `render`.

use crate::drawing;

/// The page without a run.
pub(super) const TEMPLATE: &str = include_str!("page/page.html");

/// The icon's colours, by outcome: what a browser's tab shows.
pub(super) const GOOD: &str = "2f9e5f";
/// The same for what failed.
pub(super) const BAD: &str = "d4473c";
/// The same for what ended in another way.
pub(super) const OTHER: &str = "d99a1c";

const LIGHT: &str = include_str!("page/css/light.css");
const DARK: &str = include_str!("page/css/dark.css");

const STYLES: [&str; 7] = [
    include_str!("page/css/base.css"),
    include_str!("page/css/head.css"),
    include_str!("page/css/cause.css"),
    include_str!("page/css/fabric.css"),
    include_str!("page/css/flow.css"),
    include_str!("page/css/checks.css"),
    include_str!("page/css/narrow.css"),
];

/// The scripts, in the order in which one uses what another has.
const SCRIPTS: [&str; 19] = [
    include_str!("page/js/dom.js"),
    include_str!("page/js/model.js"),
    include_str!("page/js/value.js"),
    include_str!("page/js/hash.js"),
    include_str!("page/js/happened.js"),
    include_str!("page/js/replay.js"),
    include_str!("page/js/player.js"),
    include_str!("page/js/lanes.js"),
    include_str!("page/js/drawing.js"),
    include_str!("page/js/tables.js"),
    include_str!("page/js/moment.js"),
    include_str!("page/js/events.js"),
    include_str!("page/js/head.js"),
    include_str!("page/js/causes.js"),
    include_str!("page/js/check.js"),
    include_str!("page/js/filter.js"),
    include_str!("page/js/paths.js"),
    include_str!("page/js/waterfall.js"),
    include_str!("page/js/run.js"),
];

/// What starts the page: the keys and the order of everything.
const START: [&str; 2] = [include_str!("page/js/keys.js"), include_str!("page/js/main.js")];

/// All styles. Dark colours are what the system or the reader asks for; paper is always light.
pub(super) fn style() -> String {
    let colours = format!(
        ":root {{\n  color-scheme: light;\n{LIGHT}}}\n\
         @media screen and (prefers-color-scheme: dark) {{\n:root:not([data-theme=\"light\"]) {{\n  color-scheme: dark;\n{DARK}}}\n}}\n\
         @media screen {{\n:root[data-theme=\"dark\"] {{\n  color-scheme: dark;\n{DARK}}}\n}}\n"
    );
    colours + drawing::CSS + &STYLES.concat()
}

/// All scripts, as one that keeps its names to itself.
pub(super) fn script() -> String {
    format!("'use strict';\n(() => {{\n{}{}}})();\n", SCRIPTS.concat(), START.concat())
}
