//! FRR's answers, as a function of bytes (feature `fuzzing`).

use super::frr::{installed, pulse, sessions, table};

/// Each reader of FRR's JSON gets the same answer.
pub fn frr(data: &[u8]) {
    let Ok(answer) = serde_json::from_slice(data) else { return };
    let _ = sessions(&answer);
    let _ = pulse(&answer);
    let _ = table(&answer);
    let _ = installed(&answer);
}
