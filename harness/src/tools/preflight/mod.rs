//! Whether this machine can run a fabric, and what to type where it cannot: what `fabric doctor` shows.

pub use self::finding::{Finding, Level, to_json, to_text, worst};
