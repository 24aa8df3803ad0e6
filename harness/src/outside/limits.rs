//! How long a program of others may take, and why so long.
//!
//! Each limit is the sum of the limits that the program itself has, and of the pulls it may have to do. A pull has no limit of
//! its own anywhere: it is given what a slow line needs.

use std::fmt;
use std::time::Duration;

/// The slowest line with which a pull is still waited for, in bytes a second: 16 Mbit/s.
const SLOWEST: u64 = 2_000_000;

/// How long a program may take, and what that is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    parts: Vec<(Duration, String)>,
}

impl Limit {
    pub(crate) fn of(time: Duration, why: impl Into<String>) -> Self {
        Self { parts: vec![(time, why.into())] }
    }

    pub(crate) fn and(mut self, time: Duration, why: impl Into<String>) -> Self {
        self.parts.push((time, why.into()));
        self
    }

    /// And the pull of an image of about that many megabytes.
    pub(crate) fn and_pull(self, megabytes: u64, what: &str) -> Self {
        let time = Duration::from_secs(megabytes * 1_000_000 / SLOWEST);
        self.and(time, format!("pulling {what}, about {megabytes} MB at 16 Mbit/s"))
    }

    pub(crate) fn time(&self) -> Duration {
        self.parts.iter().map(|(time, _)| *time).sum()
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.parts.iter().map(|(time, why)| format!("{} s {why}", time.as_secs())).collect();
        write!(f, "{}", parts.join(" + "))
    }
}

/// Something that only asks or takes away: it starts, speaks to an engine or an API on this machine, and ends.
pub(crate) fn brief(what: &str) -> Limit {
    Limit::of(Duration::from_secs(30), what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_says_what_it_is_made_of() {
        let limit = Limit::of(Duration::from_secs(240), "kubeadm's own").and_pull(1000, "kindest/node");
        assert_eq!(limit.time(), Duration::from_secs(740));
        assert_eq!(
            limit.to_string(),
            "240 s kubeadm's own + 500 s pulling kindest/node, about 1000 MB at 16 Mbit/s"
        );
    }
}
