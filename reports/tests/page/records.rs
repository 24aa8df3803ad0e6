//! The records whose pages are looked at.

use std::io::Read as _;

use fabric_reports::Record;
use flate2::read::GzDecoder;

/// A run of the article's lab that passed.
pub(crate) fn passed() -> Record {
    read(include_bytes!("../../fixtures/passed.json.gz"))
}

/// A run of the article's lab in which a check failed.
pub(crate) fn failed() -> Record {
    read(include_bytes!("../../fixtures/failed.json.gz"))
}

/// What is left of a record that tells nothing beyond what it must.
pub(crate) fn bare() -> Record {
    let mut record = passed();
    record.topology = None;
    record.checks.clear();
    record.events.clear();
    record.states.clear();
    record.steps.clear();
    record.phases.clear();
    record
}

fn read(packed: &[u8]) -> Record {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}
