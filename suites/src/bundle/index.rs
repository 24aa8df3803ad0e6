//! The index of a bundle: every file with where it comes from, and what could not be had and why. For programs and for people.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The version of `index.json`; it goes up when a field changes its meaning or goes away.
const SCHEMA_VERSION: u32 = 1;

/// A bundle's index.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Index {
    schema_version: u32,
    /// The version of the program.
    tool_version: String,
    /// The fabric's name.
    pub(super) fabric: String,
    /// When the first part was asked for.
    pub(super) began: DateTime<Utc>,
    /// When the last one was there.
    pub(super) ended: DateTime<Utc>,
    /// Why the bundle was made.
    pub(super) why: String,
    /// What is to be known of all of it.
    pub(super) notes: Vec<String>,
    /// The files, by name.
    pub(super) files: Vec<File>,
    /// What could not be had, by name.
    pub(super) missing: Vec<Missing>,
}

/// A file of a bundle.
#[derive(Debug, Clone, Serialize)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) about: String,
    /// The command, the question or the file it comes from.
    pub(super) from: String,
    pub(super) at: DateTime<Utc>,
    pub(super) took_ms: f64,
    pub(super) bytes: usize,
    /// How many secrets were taken out.
    pub(super) redacted: usize,
}

/// What is not in a bundle.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Missing {
    pub(super) path: String,
    pub(super) about: String,
    pub(super) from: String,
    pub(super) why: String,
}

impl Index {
    pub(super) fn new(fabric: String, why: String, notes: Vec<String>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool_version: crate::run::VERSION.to_owned(),
            fabric,
            began: Utc::now(),
            ended: Utc::now(),
            why,
            notes,
            files: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        // Texts, numbers and times only: there is nothing in it that has no JSON.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// For people.
    pub(super) fn markdown(&self) -> String {
        let mut page = format!(
            "# Diagnostics of {}\n\nMade by fabric {} from {} to {} (UTC): {}\n\n",
            self.fabric,
            self.tool_version,
            self.began.format("%Y-%m-%d %H:%M:%S"),
            self.ended.format("%H:%M:%S"),
            self.why,
        );
        for note in &self.notes {
            let _ = writeln!(page, "- {note}");
        }
        page.push_str(
            "- Secrets are taken out. `<redacted:N>` stands for one: the same number is the same secret, another number is another \
             one, so two ends whose passwords differ show different numbers.\n\n## Where to begin\n\n\
             - `record.json`: what failed, each check with what was expected and seen. `fabric report record.json` prints it.\n\
             - `nodes/NAME/frr/` (or `bird/`, `gobgp/`): what each end of a session says of it, and how it is configured.\n\
             - `nodes/NAME/interfaces.txt`, `routes.txt`: whether the link is up and the address is there.\n\
             - `captures/`: whether packets passed at all, and what was said: `tcpdump -nr FILE`.\n\n",
        );
        if !self.missing.is_empty() {
            page.push_str("## What could not be had\n\n| part | from | why |\n|---|---|---|\n");
            for Missing { path, about, from, why } in &self.missing {
                let _ = writeln!(page, "| `{path}`: {} | `{}` | {} |", cell(about), cell(from), cell(why));
            }
            page.push('\n');
        }
        page.push_str("## Files\n\n| file | what it is | from | at | bytes |\n|---|---|---|---|---|\n");
        for File { path, about, from, at, bytes, redacted, .. } in &self.files {
            let (about, from) = (cell(about), cell(from));
            let secrets = if *redacted == 0 { String::new() } else { format!(" ({redacted} redacted)") };
            let _ = writeln!(
                page,
                "| `{path}` | {about}{secrets} | `{from}` | {} | {bytes} |",
                at.format("%H:%M:%S%.3f")
            );
        }
        page
    }
}

/// A text that stays in its cell.
fn cell(text: &str) -> String {
    let one_line: Vec<&str> = text.split_whitespace().collect();
    one_line.join(" ").replace('|', "\\|").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_one() {
        assert_eq!(cell("a | b\n`c`"), "a \\| b 'c'");
    }
}
