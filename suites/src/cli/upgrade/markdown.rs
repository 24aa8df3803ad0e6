//! A forecast as Markdown, for the pull request that raises the version.

use fabric_suites::upgrade::{Finding, Forecast, Severity};

pub(super) fn render(about: &str, answer: &Forecast) -> String {
    let mut text = format!("## Cilium {} to {}: {}\n\n", answer.from, answer.to, escaped(about));
    let silenced = answer.effect.silenced();
    if !silenced.is_empty() {
        text += &format!(
            "**{} nodes speak BGP now, {} will if nothing is done.** Silent then: {}.\n\n",
            answer.effect.speak_before.len(),
            answer.effect.speak_after.len(),
            escaped(&silenced.join(", "))
        );
    }
    if answer.findings.is_empty() {
        return text + "Nothing is known that this upgrade changes.\n";
    }
    for severity in Severity::ALL {
        let found: Vec<&Finding> = answer.of(severity).collect();
        if found.is_empty() {
            continue;
        }
        let title = match severity {
            Severity::Breaks => "Breaks",
            Severity::Changes => "Changes",
            Severity::Note => "Worth knowing",
        };
        text += &format!("### {title}\n\n| with | where | what | instead |\n|---|---|---|---|\n");
        for finding in found {
            let with = finding.with.map(|(major, minor)| format!("{major}.{minor}")).unwrap_or_default();
            let at = finding.at.as_ref().map(|at| format!("`{at}`")).unwrap_or_default();
            text +=
                &format!("| {with} | {at} | {} | {} |\n", escaped(&finding.what), escaped(&finding.instead));
        }
        text += "\n";
    }
    text.truncate(text.trim_end().len());
    text
}

/// Text that stays in its cell and makes no markup.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_whatever_is_in_it() {
        assert_eq!(escaped("a|b\n<c>"), "a\\|b &lt;c>");
    }
}
