//! What a rule finds.

use std::fmt;

use fabric_harness::lab::Manifest;
use fabric_harness::lab::yaml::Location;
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Sessions, routes or the installation itself are lost unless something is done first.
    Breaks,
    /// It goes on, in another way than before; somebody may stand on that.
    Changes,
    /// Worth knowing; nothing has to be done now.
    Note,
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Self; 3] = [Self::Breaks, Self::Changes, Self::Note];
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Breaks => "breaks",
            Self::Changes => "changes",
            Self::Note => "note",
        })
    }
}

/// Something that the upgrade does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule, in one word of kebab case: what a case of `fixtures/upgrades` names.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The line (minor version) with which it begins; none for what is so with every upgrade.
    pub with: Option<(u32, u32)>,
    /// Where it is written; none for what stands nowhere.
    pub at: Option<Location>,
    /// The object it is about, as kubectl says it.
    pub object: Option<String>,
    /// What will be, in one sentence without its end.
    pub what: String,
    /// What to write or do instead.
    pub instead: String,
    /// Where this is known from: commits, pull requests and issues of cilium/cilium unless another place is named.
    pub source: &'static str,
}

impl Finding {
    /// A finding that stands nowhere yet.
    pub(super) fn new(rule: &'static str, severity: Severity, with: (u32, u32), what: String) -> Self {
        Self {
            rule,
            severity,
            with: Some(with),
            at: None,
            object: None,
            what,
            instead: String::new(),
            source: "",
        }
    }

    /// Where it is written.
    #[must_use]
    pub(super) fn at(self, at: &Location) -> Self {
        Self { at: Some(at.clone()), ..self }
    }

    /// The object it is about, and the field there, or what is nearest to it.
    #[must_use]
    pub(super) fn of(self, object: &Manifest, path: &str) -> Self {
        let at = object.places.nearest(path).unwrap_or(&object.at).clone();
        Self { at: Some(at), object: Some(object.to_string()), ..self }
    }

    /// With no line in particular: it is so with every upgrade.
    #[must_use]
    pub(super) fn always(self) -> Self {
        Self { with: None, ..self }
    }

    /// What to do instead.
    #[must_use]
    pub(super) fn instead(self, instead: impl Into<String>) -> Self {
        Self { instead: instead.into(), ..self }
    }

    /// Where it is known from.
    #[must_use]
    pub(super) fn source(self, source: &'static str) -> Self {
        Self { source, ..self }
    }
}

/// A line as people write it: `1.18`.
pub(super) fn line((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}
