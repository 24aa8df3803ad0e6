//! One thing a check found, and findings as text and JSON.

use std::fmt::Write;

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing needs doing.
    Info,
    /// Something will not work, or not well, but a fabric can run.
    Warning,
    /// No fabric can run.
    Fatal,
}

/// One thing a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What was looked at: `user namespaces`, `FRR`.
    pub subject: String,
    /// What was seen, and what follows from it.
    pub detail: String,
    /// The one line to type, for what needs doing.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(level: Level, subject: &str, detail: impl Into<String>) -> Self {
        Self { level, subject: subject.to_owned(), detail: detail.into(), remedy: None }
    }

    pub(super) fn ok(subject: &str, detail: impl Into<String>) -> Self {
        Self::new(Level::Ok, subject, detail)
    }

    pub(super) fn info(subject: &str, detail: impl Into<String>) -> Self {
        Self::new(Level::Info, subject, detail)
    }

    pub(super) fn warning(subject: &str, detail: impl Into<String>) -> Self {
        Self::new(Level::Warning, subject, detail)
    }

    pub(super) fn fatal(subject: &str, detail: impl Into<String>) -> Self {
        Self::new(Level::Fatal, subject, detail)
    }

    pub(super) fn remedy(mut self, line: impl Into<String>) -> Self {
        self.remedy = Some(line.into());
        self
    }
}

/// The worst level among findings; [`Level::Ok`] for none.
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

/// Findings as lines for a terminal, in their order, each remedy under its finding and a verdict at the end.
pub fn to_text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let level = match finding.level {
            Level::Ok => "ok",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Fatal => "fatal",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{level:7}  {:width$}  {}", finding.subject, finding.detail);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "{:7}  {:width$}  type: {remedy}", "", "");
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let _ = match (count(Level::Fatal), count(Level::Warning)) {
        (0, 0) => writeln!(text, "This machine can run a fabric."),
        (0, warnings) => {
            writeln!(text, "This machine can run a fabric; {} to look at.", counted(warnings, "warning"))
        }
        (fatal, _) => {
            writeln!(text, "This machine cannot run a fabric yet: {} above.", counted(fatal, "fatal finding"))
        }
    };
    text
}

fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// Findings as JSON: `{"level": ..., "findings": [...]}`, the level being the worst one.
pub fn to_json(findings: &[Finding]) -> serde_json::Value {
    serde_json::json!({ "level": worst(findings), "findings": findings })
}
