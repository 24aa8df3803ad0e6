//! Changes that somebody predicted: what an upgrade's notes say, what a migration does. A predicted change is told, and is
//! no regression; a prediction that does not come about is told as well.
//!
//! What lives here: predictions as data, and which difference each fits. What does not: making them (whoever knows a
//! version's promises does).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::difference::{Difference, Kind, Weight};

/// What is predicted, each with who says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Expectations(pub Vec<Expectation>);

/// One prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What is to change.
    #[serde(flatten)]
    pub change: Predicted,
    /// Who says so: a release note's address, a row of a table, a ticket.
    pub source: String,
    /// False for what may come about and need not: it is not missed.
    #[serde(default = "yes")]
    pub must: bool,
}

fn yes() -> bool {
    true
}

/// Which differences a prediction means. What is left out is not looked at; in texts, `*` stands for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicted {
    /// The kind of thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The phase at whose end it is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The neighbor, prefix or check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// How the change would weigh if nobody had predicted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Weight>,
    /// Pairs of texts: nothing changes but that the second of each stands where the first stood. Where the first is empty,
    /// the second is added to each path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swap: Vec<[String; 2]>,
}

/// Why predictions could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExpectationsError {
    /// The file could not be read.
    #[error("cannot read the expected changes {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds none.
    #[error(
        "{}: not a list of expected changes: {source}; write [{{\"kind\": \"session\", \"node\": \"tor0\", \"about\": \"net0*\", \
         \"source\": \"why\"}}]", path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl Expectations {
    /// Reads predictions from a file of JSON.
    ///
    /// # Errors
    /// When the file cannot be read, or is no list of predictions.
    pub fn read(path: &Path) -> Result<Self, ExpectationsError> {
        let text =
            std::fs::read(path).map_err(|source| ExpectationsError::Read { path: path.into(), source })?;
        serde_json::from_slice(&text)
            .map_err(|source| ExpectationsError::Malformed { path: path.into(), source })
    }

    /// Marks a difference that is predicted; the numbers of the predictions that fit it.
    pub(super) fn mark(&self, difference: &mut Difference) -> Vec<usize> {
        let fitting: Vec<usize> =
            (0..self.0.len()).filter(|number| self.0[*number].change.fits(difference)).collect();
        if let Some(first) = fitting.first() {
            difference.expected = Some(self.0[*first].source.clone());
        }
        fitting
    }
}

impl Expectation {
    /// It in a line, for when it did not come about.
    pub(super) fn line(&self) -> String {
        let Predicted { kind, phase, node, about, old, new, .. } = &self.change;
        let mut parts: Vec<&str> = Vec::new();
        parts.extend(kind.map(Kind::word));
        parts.extend([node, about].into_iter().flatten().map(String::as_str));
        let change = match (old, new) {
            (None, None) => String::new(),
            (old, new) => {
                let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
                format!(": {} -> {}", word(old), word(new))
            }
        };
        let phase = phase.as_ref().map(|phase| format!(" in {phase}")).unwrap_or_default();
        format!("{}{change}{phase} ({})", parts.join(" "), self.source)
    }
}

impl Predicted {
    fn fits(&self, difference: &Difference) -> bool {
        let text = |wanted: &Option<String>, seen: Option<&str>| match wanted {
            None => true,
            Some(wanted) => like(wanted, seen.unwrap_or_default()),
        };
        self.kind.is_none_or(|kind| kind == difference.kind)
            && self.phase.as_ref().is_none_or(|phase| difference.phases.iter().all(|seen| like(phase, seen)))
            && text(&self.node, Some(&difference.node))
            && text(&self.about, Some(&difference.about))
            && text(&self.old, difference.old.as_deref())
            && text(&self.new, difference.new.as_deref())
            && self.weight.is_none_or(|weight| weight == difference.weight)
            && (self.swap.is_empty() || swaps(&self.swap, difference))
    }
}

/// Whether some texts in the place of others are all that there is to a difference.
fn swaps(all: &[[String; 2]], difference: &Difference) -> bool {
    let (Some(old), Some(new)) = (&difference.old, &difference.new) else { return false };
    let swapped = |path: &str| {
        all.iter().fold(path.to_owned(), |path, [from, to]| match from.as_str() {
            "" => path + to,
            from => path.replace(from, to),
        })
    };
    // Paths stand in the order of their texts, which a swap may turn.
    let paths = |text: &str| -> BTreeSet<String> { text.split("; ").map(str::to_owned).collect() };
    let old: BTreeSet<String> = paths(old).iter().map(|path| swapped(path)).collect();
    old == paths(new)
}

/// Whether a text is as a pattern with `*` wants it.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::whole("from a, origin incomplete", "from a, origin igp", true)]
    #[case::more("from a, origin incomplete", "from b, origin igp", false)]
    #[case::in_another_order(
        "from a, origin incomplete; from a, origin jgp",
        "from a, origin igp; from a, origin jgp",
        true
    )]
    #[case::a_path_less("from a, origin incomplete; from b, origin incomplete", "from a, origin igp", false)]
    fn a_swap_is_the_whole_difference(#[case] old: &str, #[case] new: &str, #[case] expected: bool) {
        let difference = Difference::new(Kind::Route, Weight::Changed, "tor0", "10.9.0.1/32");
        let difference = difference.between(Some(old.into()), Some(new.into()));
        let swap = |from: &str, to: &str| Predicted {
            swap: vec![[from.to_owned(), to.to_owned()]],
            ..Predicted::default()
        };
        assert_eq!(swap("origin incomplete", "origin igp").fits(&difference), expected);
        let longer = format!("{old}, communities 65000:1").replace(';', ", communities 65000:1;");
        let difference = difference.between(Some(old.into()), Some(longer));
        assert!(swap("", ", communities 65000:1").fits(&difference));
        assert!(!swap("", ", communities 65000:2").fits(&difference));
        assert!(!swap("", "").fits(&difference.between(Some(old.into()), None)));
    }

    #[rstest]
    #[case("net0", "net0", true)]
    #[case("net0", "net01", false)]
    #[case("net*", "net01", true)]
    #[case("*down", "Idle: down", true)]
    #[case("a*b*c", "a-b-c", true)]
    #[case("a*b*c", "a-c-b", false)]
    #[case("*", "", true)]
    #[case("ab*ba", "aba", false)]
    fn a_star_is_anything(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(like(pattern, text), expected);
    }
}
