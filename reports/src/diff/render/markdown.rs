//! The comparison as Markdown, for a job's summary or a comment.

use super::super::difference::{Diff, Weight};
use super::{by_kind, lines};
use crate::markdown::{block, inline};
use crate::text::count;

/// The comparison as Markdown.
pub fn markdown(diff: &Diff) -> String {
    let worse = diff.groups.iter().filter(|group| group.weight.regresses()).count();
    let head = match worse {
        0 if diff.is_empty() => "the same".to_owned(),
        0 => "the same or better".to_owned(),
        causes => count(causes, "cause") + " of differences",
    };
    let mut page = format!("## {}: {head}\n\n", inline(&diff.new.lab));
    for side in [&diff.old, &diff.new] {
        let line = format!("{}: run {}, {}", side.called, side.run_id, side.outcome.words());
        page.push_str(&format!("- {}\n", inline(&line)));
    }
    page.push('\n');
    for group in &diff.groups {
        let open = if group.weight == Weight::Worse { " open" } else { "" };
        let phases = if group.phases.is_empty() {
            String::new()
        } else {
            format!(" ({})", crate::markdown::html(&group.phases.join(", ")))
        };
        page.push_str(&format!(
            "<details{open}><summary><b>{}</b>: {}{phases}</summary>\n\n",
            group.weight.word(),
            crate::markdown::html(&group.title)
        ));
        let mut told = Vec::new();
        told.extend(group.because.iter().map(|cause| format!("{:9} {cause}", "because")));
        for (kind, differences) in by_kind(&group.differences) {
            for (number, line) in lines(&differences).iter().enumerate() {
                let label = if number == 0 { kind.word() } else { "" };
                told.push(format!("{label:9} {line}"));
            }
        }
        page.push_str(&block(&told.join("\n")));
        page.push_str("\n</details>\n\n");
    }
    for unmet in &diff.unmet {
        page.push_str(&format!("- Expected and not seen: {}\n", inline(unmet)));
    }
    page
}
