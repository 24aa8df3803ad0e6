//! Judging the `exec:` lines of a topology's node: containerlab goes on after one that fails, and so do we, but not
//! silently.

use serde::{Deserialize, Serialize};

use super::verdict::{Verdict, counted};

/// What one check wants of a node's `exec:` lines: that each ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinesSpec {
    /// The node, by its name in the topology.
    pub node: String,
    /// The lines, as the topology has them.
    pub lines: Vec<String>,
}

/// One line as it was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineSeen {
    /// The line.
    pub line: String,
    /// Its exit code.
    pub code: i32,
    /// What it wrote to both streams.
    pub output: String,
}

/// Judges the lines of one node. They run once, so a failure is final; `seen` is shorter while they still run.
pub fn judge_lines(spec: &LinesSpec, seen: &[LineSeen]) -> Verdict {
    let total = spec.lines.len();
    let well = seen.iter().filter(|line| line.code == 0).count();
    let mut lines: Vec<String> = seen.iter().filter(|line| line.code != 0).map(failure).collect();
    let failed = !lines.is_empty();
    if seen.len() < total {
        lines.push(format!("{} not run yet", counted(total - seen.len(), "line was", "lines were")));
    }
    let expected = format!("{} that end with exit code 0", counted(total, "exec line", "exec lines"));
    let verdict = Verdict::of(&spec.node, expected, format!("{well} of {total} lines ended well"), lines);
    let verdict = verdict.detail(&seen);
    if failed { verdict.for_good() } else { verdict }
}

fn failure(line: &LineSeen) -> String {
    let mut text = format!("`{}` ended with exit code {}", line.line, line.code);
    let output = line.output.trim();
    if !output.is_empty() {
        // The last lines are the ones that say why.
        let tail: Vec<&str> = output.lines().rev().take(3).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        text.push_str(": ");
        text.push_str(&tail.join(" / "));
    }
    text
}
