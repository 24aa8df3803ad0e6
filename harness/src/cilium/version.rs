//! Cilium's version numbers: parsed, ordered, printed.
//!
//! What lives here: the number. What a version does is in `promises`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a build is from its release; ordered as they are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PreRelease {
    /// A build of the main branch on the way to this version (`1.20-dev`, `1.20.0-dev`).
    Dev,
    /// `-snapshot.N`.
    Snapshot(u32),
    /// `-pre.N`.
    Pre(u32),
    /// `-rc.N` (also written `-rcN`).
    Rc(u32),
    /// The release itself: nothing after the number.
    Release,
}

/// A version of Cilium, such as `1.12.1`, `1.20.0-pre.4` or `1.20-dev`.
///
/// Two versions compare as they were released: `1.20-dev` < `1.20.0-pre.4` < `1.20.0-rc.1` < `1.20.0` < `1.20.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CiliumVersion {
    /// The first number.
    pub major: u32,
    /// The second number: the one that decides what a version does.
    pub minor: u32,
    /// The third number; 0 where it was not written.
    pub patch: u32,
    /// What stands after the numbers.
    pub pre: PreRelease,
}

impl CiliumVersion {
    /// A release.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, pre: PreRelease::Release }
    }

    /// The first two numbers.
    pub const fn line(&self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl fmt::Display for CiliumVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        match self.pre {
            PreRelease::Dev => f.write_str("-dev"),
            PreRelease::Snapshot(n) => write!(f, "-snapshot.{n}"),
            PreRelease::Pre(n) => write!(f, "-pre.{n}"),
            PreRelease::Rc(n) => write!(f, "-rc.{n}"),
            PreRelease::Release => Ok(()),
        }
    }
}

/// Text that is no version of Cilium.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a Cilium version: {why}; write it as 1.12.1, v1.12.1, 1.20.0-pre.4 or 1.20-dev")]
pub struct ParseVersionError {
    /// What was read.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl FromStr for CiliumVersion {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |why: String| ParseVersionError { text: text.to_owned(), why };
        let bare = text.trim();
        let bare = bare.strip_prefix('v').unwrap_or(bare);
        // What stands after `+` is build metadata (semver): it says nothing about order or behaviour.
        let bare = bare.split_once('+').map_or(bare, |(number, _)| number);
        let (numbers, suffix) = match bare.split_once('-') {
            Some((numbers, suffix)) => (numbers, Some(suffix)),
            None => (bare, None),
        };
        let parts =
            numbers.split('.').map(|part| number(part).map_err(&fail)).collect::<Result<Vec<_>, _>>()?;
        let (major, minor, patch) = match parts.as_slice() {
            [major, minor] => (*major, *minor, 0),
            [major, minor, patch] => (*major, *minor, *patch),
            _ => return Err(fail(format!("it has {} numbers, not two or three", parts.len()))),
        };
        let pre = suffix.map_or(Ok(PreRelease::Release), |suffix| pre_release(suffix).map_err(&fail))?;
        Ok(Self { major, minor, patch, pre })
    }
}

fn number(part: &str) -> Result<u32, String> {
    let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(format!("`{part}` is not a number"));
    }
    part.parse().map_err(|_| format!("`{part}` is too large"))
}

fn pre_release(suffix: &str) -> Result<PreRelease, String> {
    if suffix == "dev" {
        return Ok(PreRelease::Dev);
    }
    let split = suffix.find(|c: char| c.is_ascii_digit()).unwrap_or(suffix.len());
    let (word, count) = suffix.split_at(split);
    match word.trim_end_matches('.') {
        "snapshot" => number(count).map(PreRelease::Snapshot),
        "pre" => number(count).map(PreRelease::Pre),
        "rc" => number(count).map(PreRelease::Rc),
        _ => Err(format!("`-{suffix}` is none of -dev, -snapshot.N, -pre.N, -rc.N")),
    }
}

impl TryFrom<String> for CiliumVersion {
    type Error = ParseVersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CiliumVersion> for String {
    fn from(version: CiliumVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.12.1", "1.12.1")]
    #[case("v1.12.1", "1.12.1")]
    #[case(" 1.12 ", "1.12.0")]
    #[case("1.20.0-pre.4", "1.20.0-pre.4")]
    #[case("1.20-dev", "1.20.0-dev")]
    #[case("1.12.0-rc3", "1.12.0-rc.3")]
    #[case("1.19.3+build.7", "1.19.3")]
    #[case("1.11.90-snapshot.2", "1.11.90-snapshot.2")]
    fn reads_what_people_write(#[case] text: &str, #[case] canonical: &str) {
        assert_eq!(text.parse::<CiliumVersion>().unwrap().to_string(), canonical);
    }

    #[rstest]
    #[case("", "`` is not a number")]
    #[case("1", "it has 1 numbers")]
    #[case("1.2.3.4", "it has 4 numbers")]
    #[case("1.x", "`x` is not a number")]
    #[case("1.-2", "`` is not a number")]
    #[case("1.99999999999", "too large")]
    #[case("1.12.1-beta", "`-beta` is none of")]
    #[case("1.12.1-pre", "`` is not a number")]
    #[case("latest", "`latest` is not a number")]
    fn refuses_the_rest_and_says_why(#[case] text: &str, #[case] why: &str) {
        let error = text.parse::<CiliumVersion>().unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(error.contains("1.12.1"), "{error}");
    }

    #[test]
    fn orders_as_published() {
        let order =
            ["1.11.5", "1.12.0-rc.1", "1.12.0", "1.12.1", "1.20-dev", "1.20.0-snapshot.1", "1.20.0-pre.4"];
        let order = order.iter().chain(&["1.20.0-rc.0", "1.20.0", "1.20.1"]);
        let parsed: Vec<CiliumVersion> = order.map(|text| text.parse().unwrap()).collect();
        assert!(parsed.windows(2).all(|pair| pair[0] < pair[1]), "{parsed:?}");
    }

    #[test]
    fn travels_as_a_string() {
        let version: CiliumVersion = serde_json::from_str("\"v1.12.1\"").unwrap();
        assert_eq!(serde_json::to_string(&version).unwrap(), "\"1.12.1\"");
        assert!(serde_json::from_str::<CiliumVersion>("\"newest\"").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,24}") {
            let _ = text.parse::<CiliumVersion>();
        }

        #[test]
        fn printed_and_read_again_is_the_same(major in 0u32..3, minor in 0u32..99, patch in 0u32..99, pre in 0usize..5, n in 0u32..9) {
            let pre = [PreRelease::Dev, PreRelease::Snapshot(n), PreRelease::Pre(n), PreRelease::Rc(n), PreRelease::Release][pre];
            let version = CiliumVersion { major, minor, patch, pre };
            prop_assert_eq!(version.to_string().parse::<CiliumVersion>(), Ok(version));
        }
    }
}
