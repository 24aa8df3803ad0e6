//! A comparison as text for a terminal and as Markdown for a pull request.

mod markdown;
mod text;

pub use markdown::markdown;
pub use text::text;

use super::difference::{Difference, Kind};

/// How many differences of a kind are told; JSON has all of them.
const TOLD: usize = 8;

/// The kinds of a group, each with its differences.
fn by_kind(differences: &[Difference]) -> Vec<(Kind, Vec<&Difference>)> {
    let mut kinds: Vec<(Kind, Vec<&Difference>)> = Vec::new();
    for difference in differences {
        match kinds.iter_mut().find(|(kind, _)| *kind == difference.kind) {
            Some((_, all)) => all.push(difference),
            None => kinds.push((difference.kind, vec![difference])),
        }
    }
    kinds
}

/// What is told of the differences of one kind: a line each, and how many more there are.
fn lines(differences: &[&Difference]) -> Vec<String> {
    let mut lines: Vec<String> = differences
        .iter()
        .take(TOLD)
        .map(|one| match &one.expected {
            Some(source) => format!("{} (expected: {source})", one.line()),
            None => one.line(),
        })
        .collect();
    if let Some(more) = differences.len().checked_sub(TOLD).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
    lines
}
