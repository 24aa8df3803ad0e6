//! What a climb comes to: the rungs in order, and what is to blame for the first that is broken.

use fabric_reports::record::{Content, Rung, RungName, Standing};

/// How far a check's expectation came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// The rungs that were looked at, from the ground up; none after the first that is broken.
    pub rungs: Vec<Rung>,
    /// What is to blame; none where nothing was found to be broken.
    pub blame: Option<Blame>,
}

/// What is broken, where, and what shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Blame {
    /// The kind of cause, in one word of kebab case: `link-down`. Together with `node` and `about` it tells causes
    /// apart: two checks with the same three have the same cause.
    pub kind: &'static str,
    /// The broken rung.
    pub rung: RungName,
    /// What is broken, in one sentence that stands alone, without its end.
    pub title: String,
    /// Why this follows from the evidence, and what follows from it; may be empty.
    pub text: String,
    /// The box where it is broken.
    pub node: Option<String>,
    /// The interface, neighbor or prefix there that it is about.
    pub about: Option<String>,
    /// What it rests on.
    pub proofs: Vec<Proof>,
    /// A line to type next inside `node` (a program and its arguments), which shows or mends it. One that begins with
    /// `kubectl ` is typed outside, and needs no `node`.
    pub next: Option<String>,
}

/// Where what the cluster's API says was looked at: no box has this name.
pub const CLUSTER: &str = "the cluster";

/// Something that was looked at, and what came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// What it shows: `tor1's link net1`.
    pub title: String,
    /// The box where it was looked at.
    pub node: String,
    /// The line inside the box that shows it: `ip link show dev net1`; outside of any, one of `kubectl`.
    pub line: Option<String>,
    /// What came back.
    pub content: Content,
}

impl Finding {
    /// One more rung that holds.
    #[must_use]
    pub fn holds(self, name: RungName, seen: impl Into<String>) -> Self {
        self.rung(name, Standing::Holds, seen)
    }

    /// One more rung, which could not be looked at.
    #[must_use]
    pub fn unknown(self, name: RungName, seen: impl Into<String>) -> Self {
        self.rung(name, Standing::Unknown, seen)
    }

    /// The rung that is broken, which is the last.
    #[must_use]
    pub fn broken(self, blame: Blame) -> Self {
        let mut finding = self.rung(blame.rung, Standing::Broken, blame.title.clone());
        finding.blame = Some(blame);
        finding
    }

    fn rung(mut self, name: RungName, standing: Standing, seen: impl Into<String>) -> Self {
        self.rungs.push(Rung { name, standing, seen: seen.into() });
        self
    }
}
