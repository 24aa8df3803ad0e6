//! Waiting for something to become so, with a deadline and a name.

use std::thread::park_timeout;
use std::time::{Duration, Instant};

/// Within this time of its end nothing of a fabric may be left.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// A second of a machine of one's own: where more tests run at once than there are cores, each has its part of one only.
pub(crate) fn a_second() -> Duration {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let tests = std::env::var("RUST_TEST_THREADS").ok().and_then(|said| said.parse().ok()).unwrap_or(cores);
    SOON * u32::try_from(tests.div_ceil(cores).max(1)).unwrap_or(1)
}

/// How soon to look again: what is waited for (files of `/proc`, other processes) tells nobody of its changes.
const AGAIN: Duration = Duration::from_millis(5);

/// Looks until `probe` has something, or until the time is over; then the error says what was last seen.
pub(crate) fn until<T>(limit: Duration, mut probe: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let started = Instant::now();
    loop {
        match probe() {
            Ok(found) => return Ok(found),
            Err(why) if started.elapsed() > limit => return Err(format!("after {limit:?}: {why}")),
            Err(_) => park_timeout(AGAIN),
        }
    }
}
