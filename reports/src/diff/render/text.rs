//! The comparison as text.

use super::super::difference::{Diff, Side, Weight};
use super::{by_kind, lines};
use crate::progress::Paint;
use crate::text::{count, one_line};

/// The comparison as text, ending in a line feed, in colours or without.
pub fn text(diff: &Diff, colors: bool) -> String {
    let paint = Paint::new(colors);
    let mut page = format!("{} -> {}\n", side(&diff.old), side(&diff.new));
    if diff.is_empty() {
        page.push_str(&paint.good("the same: nothing of meaning differs"));
        page.push('\n');
        return page;
    }
    for group in &diff.groups {
        let word = group.weight.word();
        let word = match group.weight {
            Weight::Worse => paint.bad(format!("{word:>7}")),
            Weight::Changed => paint.doubtful(format!("{word:>7}")),
            Weight::Better => paint.good(format!("{word:>7}")),
            Weight::Note => paint.faint(format!("{word:>7}")),
        };
        let phases = if group.phases.is_empty() {
            String::new()
        } else {
            paint.faint(format!(" (in {})", one_line(&group.phases.join(", "))))
        };
        page.push_str(&format!("\n{word}  {}{phases}\n", paint.strong(one_line(&group.title))));
        if let Some(cause) = &group.because {
            page.push_str(&format!("         {:9} {}\n", "because", one_line(cause)));
        }
        for (kind, differences) in by_kind(&group.differences) {
            for (number, line) in lines(&differences).iter().enumerate() {
                let label = if number == 0 { kind.word() } else { "" };
                page.push_str(&format!("         {label:9} {}\n", one_line(line)));
            }
        }
    }
    for unmet in &diff.unmet {
        page.push_str(&format!("\n  unmet  expected and not seen: {}\n", one_line(unmet)));
    }
    let worse = diff.groups.iter().filter(|group| group.weight.regresses()).count();
    page.push('\n');
    page.push_str(&match worse {
        0 => paint.good("the same or better"),
        causes => {
            let differences: usize = diff
                .groups
                .iter()
                .filter(|group| group.weight.regresses())
                .map(|group| group.differences.iter().filter(|one| one.expected.is_none()).count())
                .sum();
            paint.bad(format!("{}, {}", count(causes, "cause"), count(differences, "difference")))
        }
    });
    page.push('\n');
    page
}

fn side(side: &Side) -> String {
    format!("{}: {} {}, {}", side.called, one_line(&side.lab), one_line(&side.run_id), side.outcome.words())
}
