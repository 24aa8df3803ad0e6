//! Small words of the session's ladder: a rung's step, and building what is to blame.

use std::fmt::Display;

use fabric_reports::record::{Content, RungName};
use serde::Serialize;

use super::super::{Blame, Proof};
use super::facts::End;

/// What one rung comes to.
pub(super) enum Step {
    /// It is not on this session's way.
    Skip,
    /// It holds.
    Holds(RungName, String),
    /// It could not be looked at.
    Unknown(RungName, String),
    /// It is broken.
    Broken(Blame),
}

/// What is to blame: the kind, the rung, and one sentence.
pub(super) fn blame(kind: &'static str, rung: RungName, title: String) -> Blame {
    let (text, node, about, proofs, next) = (String::new(), None, None, Vec::new(), None);
    Blame { kind, rung, title, text, node, about, proofs, next }
}

impl Blame {
    pub(super) fn at(mut self, node: &str) -> Self {
        self.node = Some(node.to_owned());
        self
    }

    pub(super) fn about(mut self, about: &str) -> Self {
        self.about = Some(about.to_owned());
        self
    }

    pub(super) fn why(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    pub(super) fn shown(mut self, proof: Proof) -> Self {
        self.proofs.push(proof);
        self
    }

    pub(super) fn all_shown(mut self, proofs: impl IntoIterator<Item = Proof>) -> Self {
        self.proofs.extend(proofs);
        self
    }

    pub(super) fn next(mut self, line: impl Into<String>) -> Self {
        self.next = Some(line.into());
        self
    }
}

/// Something looked at in an end's box.
pub(super) fn proof(end: &End, title: String, line: impl Into<String>, content: Content) -> Proof {
    Proof { title, node: end.name.clone(), line: Some(line.into()), content }
}

/// Something seen that is text.
pub(super) fn text(
    node: &str,
    title: impl Into<String>,
    line: Option<String>,
    said: impl Into<String>,
) -> Proof {
    Proof { title: title.into(), node: node.to_owned(), line, content: Content::Text(said.into()) }
}

/// Data as evidence. What cannot be written as JSON is told as such: these are plain data, so it does not happen.
pub(super) fn json(data: &impl Serialize) -> Content {
    match serde_json::to_value(data) {
        Ok(value) => Content::Json(value),
        Err(error) => Content::Text(error.to_string()),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(words: &[impl Display]) -> String {
    match words {
        [] => String::new(),
        [one] => one.to_string(),
        [all @ .., last] => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!("{} and {last}", all.join(", "))
        }
    }
}
