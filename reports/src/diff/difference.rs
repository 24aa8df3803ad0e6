//! What a comparison comes to: differences, grouped by what explains them. How they are found is not here.

use serde::Serialize;

/// What a comparison of two runs came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The run that is compared against.
    pub old: Side,
    /// The run that is compared.
    pub new: Side,
    /// True when something is worse or otherwise than it was, and nobody said that it would be.
    pub regressed: bool,
    /// Differences by what explains them, the worst first.
    pub groups: Vec<Group>,
    /// Changes that were predicted and did not come about, each with its source.
    pub unmet: Vec<String>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// What this side is called in sentences: `old`, `twin`.
    pub called: String,
    /// The lab's name.
    pub lab: String,
    /// The run's id.
    pub run_id: String,
    /// How the run ended.
    pub outcome: crate::record::Outcome,
}

/// Differences with one explanation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The explanation, in a sentence: `the session router0 net0 -- tor0 net0 is down`.
    pub title: String,
    /// The gravest weight among those that were not expected; [`Weight::Note`] when all of them were.
    pub weight: Weight,
    /// What the new run found out about it, where one cause explains every check that failed of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The phases at whose end it was seen, in the run's order.
    pub phases: Vec<String>,
    /// What it explains.
    pub differences: Vec<Difference>,
}

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What kind of thing.
    pub kind: Kind,
    /// Whether that is worse.
    pub weight: Weight,
    /// The box that it is seen on; empty where it is no box's.
    pub node: String,
    /// The neighbor, prefix, check or version that it is about.
    pub about: String,
    /// What it was; none where it was not there.
    pub old: Option<String>,
    /// What it is now; none where it is not there any more.
    pub new: Option<String>,
    /// The phases at whose end it was seen.
    pub phases: Vec<String>,
    /// Who predicted it, when somebody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

/// What kind of thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The run itself: a phase that was not reached, a router that does not answer.
    Run,
    /// A session: its state, its ends, its timers, its families.
    Session,
    /// A route of a BGP table: whether it is there, and its attributes.
    Route,
    /// A route of a kernel's table.
    Kernel,
    /// The hops of a path.
    Path,
    /// The verdict of a check.
    Check,
    /// How long a check took.
    Duration,
    /// The version of something that took part.
    Version,
}

impl Kind {
    /// The word that stands before differences of this kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Session => "sessions",
            Self::Route => "routes",
            Self::Kernel => "kernel",
            Self::Path => "paths",
            Self::Check => "checks",
            Self::Duration => "time",
            Self::Version => "versions",
        }
    }
}

/// How a difference weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Good to know: versions, checks that were skipped.
    Note,
    /// Better than it was.
    Better,
    /// Otherwise than it was, and not known to be better.
    Changed,
    /// Worse than it was.
    Worse,
}

impl Weight {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Better => "better",
            Self::Changed => "changed",
            Self::Worse => "worse",
        }
    }

    /// Whether it makes a run a regression.
    pub fn regresses(self) -> bool {
        self >= Self::Changed
    }
}

impl Diff {
    /// The exit code that goes with it: 0 the same or better, 1 something regressed.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.regressed)
    }

    /// Whether anything differs but what is only good to know: for those to whom better is as wrong as worse.
    pub fn differs(&self) -> bool {
        self.groups.iter().any(|group| group.weight > Weight::Note)
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.unmet.is_empty()
    }

    /// It as indented JSON, ending in a line feed.
    pub fn to_json(&self) -> String {
        serde_json::to_value(self).map(|value| crate::record::pretty(&value)).unwrap_or_default() + "\n"
    }
}

impl Difference {
    /// A difference that nobody predicted, seen at the end of no phase yet.
    pub(super) fn new(kind: Kind, weight: Weight, node: &str, about: impl Into<String>) -> Self {
        Self {
            kind,
            weight,
            node: node.to_owned(),
            about: about.into(),
            old: None,
            new: None,
            phases: Vec::new(),
            expected: None,
        }
    }

    /// The same, with what it was and is.
    pub(super) fn between(mut self, old: Option<String>, new: Option<String>) -> Self {
        (self.old, self.new) = (old, new);
        self
    }

    /// Whether both tell the same, whichever phase they were seen in.
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.kind, &self.node, &self.about, &self.old, &self.new)
            == (other.kind, &other.node, &other.about, &other.old, &other.new)
    }

    /// What it weighs as long as nobody predicted it.
    pub(super) fn effective(&self) -> Weight {
        if self.expected.is_some() { Weight::Note } else { self.weight }
    }

    /// It in a line: `router0 net0: established with AS 65010 -> down`.
    pub fn line(&self) -> String {
        let subject = match (self.node.as_str(), self.about.as_str()) {
            ("", about) => about.to_owned(),
            (node, about) if self.kind == Kind::Check || about.is_empty() => {
                if about.is_empty() {
                    node.to_owned()
                } else {
                    about.to_owned()
                }
            }
            (node, about) => format!("{node} {about}"),
        };
        let change = match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{old} -> {new}"),
            (Some(old), None) => format!("gone (was {old})"),
            (None, Some(new)) => format!("new: {new}"),
            (None, None) => "otherwise".to_owned(),
        };
        format!("{subject}: {change}")
    }
}
