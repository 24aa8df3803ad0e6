//! What is wrong, where, and what to write instead; and the list in which such remarks are collected.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::{Deserialize, Serialize};

use super::location::Location;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The lab cannot be used as it is.
    Error,
    /// The lab can be used; something of it is not honoured.
    Warning,
}

/// Where a remark holds: loading does not know where nodes will live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Wherever nodes live.
    #[default]
    Everywhere,
    /// Where nodes live in namespaces of ours: containers honour it.
    Namespaces,
}

/// One remark about one place of a file.
///
/// `Display` renders it with the source line and a caret, without colour. The alternate form (`{:#}`) is one line:
/// `file:line:column: error: message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// The place.
    pub at: Location,
    /// What to write instead, or what would be needed.
    pub help: Option<String>,
    /// Where it holds.
    #[serde(default)]
    pub scope: Scope,
    /// The line of the file at that place; none when the file could not be read or the place is past its end.
    pub source_line: Option<String>,
}

impl Diagnostic {
    /// Says what to write instead.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// The remark with its source line and a caret, with terminal colours when asked.
    pub fn render(&self, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let path = self.at.file.display().to_string();
        let mut group = match &self.source_line {
            Some(line) => {
                let snippet = Snippet::source(line.as_str())
                    .line_start(self.at.line as usize)
                    .path(path)
                    .fold(false)
                    .annotation(AnnotationKind::Primary.span(self.underlined(line)));
                level.primary_title(self.message.as_str()).element(snippet)
            }
            None => level
                .primary_title(self.message.as_str())
                .element(Origin::path(path).line(self.at.line as usize).char_column(self.at.column as usize)),
        };
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }

    /// The bytes of `line` that the place covers; never past its end.
    fn underlined(&self, line: &str) -> std::ops::Range<usize> {
        let byte = |character: usize| line.char_indices().nth(character).map_or(line.len(), |(at, _)| at);
        let first = self.at.column.saturating_sub(1) as usize;
        byte(first)..byte(first + self.at.width.max(1) as usize)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            let severity = match self.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            return write!(f, "{}: {severity}: {}", self.at, self.message);
        }
        f.write_str(&self.render(false))
    }
}

/// The remarks collected while reading, and the texts they are about.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    sources: BTreeMap<PathBuf, Arc<str>>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the text of a file, under the name it is shown by, so that remarks can quote it.
    pub fn add_source(&mut self, shown: impl Into<PathBuf>, text: &str) {
        self.sources.insert(shown.into(), Arc::from(text));
    }

    /// Notes an error at a place. Chain [`Diagnostic::help`] to say what to write instead.
    pub fn error(&mut self, at: &Location, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, at, message.into())
    }

    /// Notes a warning at a place.
    pub fn warning(&mut self, at: &Location, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Warning, at, message.into())
    }

    fn push(&mut self, severity: Severity, at: &Location, message: String) -> &mut Diagnostic {
        let source_line = self.source_line(at);
        let index = self.list.len();
        self.list.push(Diagnostic {
            severity,
            message,
            at: at.clone(),
            help: None,
            scope: Scope::default(),
            source_line,
        });
        &mut self.list[index]
    }

    /// The text of the line at a place, if its file is known here.
    pub fn source_line(&self, at: &Location) -> Option<String> {
        let text = self.sources.get(&at.file)?;
        text.lines().nth(at.line.checked_sub(1)? as usize).map(str::to_owned)
    }

    /// Whether anything noted so far makes the lab unusable.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many remarks were noted: compare before and after to know whether a part was sound.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The remarks in the order they were noted.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// The remarks in the order of the files and lines they are about, each said once.
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        list.sort_by(|a, b| (&a.at, a.severity).cmp(&(&b.at, b.severity)));
        list.dedup();
        list
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
