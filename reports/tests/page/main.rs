//! The page in a real browser: Chromium, driven over WebDriver. Skipped, with a word, where there is no Chromium;
//! `FABRIC_PAGE=required` makes that a failure. What the page holds as text is tested beside the code.

#![allow(clippy::unwrap_used)]

mod accessible;
mod browser;
mod picture;
mod reads;
mod records;
mod steps;

use browser::Browser;

/// Opens a page of a record, or says why not.
macro_rules! open {
    ($record:expr) => {
        match $crate::Browser::open($record).await {
            Some(browser) => browser,
            None => return,
        }
    };
}
pub(crate) use open;
