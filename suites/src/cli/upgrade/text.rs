//! A forecast for people: each finding at its place, with what to write instead.

use std::fs;
use std::path::Path;

use anstyle::{AnsiColor, Style};
use fabric_suites::upgrade::{Finding, Forecast, Severity};
use similar::TextDiff;

/// As wide as people read.
const WIDTH: usize = 100;

/// Prints it on standard output.
pub(super) fn print(about: &str, answer: &Forecast) {
    let text = render(about, answer);
    // Colours go where standard output can show them.
    use std::io::Write as _;
    if write!(anstream::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

pub(super) fn render(about: &str, answer: &Forecast) -> String {
    let mut text = String::new();
    let steps: Vec<String> = answer
        .steps
        .iter()
        .map(|step| if step.known { step.line.clone() } else { format!("{} (not known)", step.line) })
        .collect();
    let strong = Style::new().bold();
    text += &format!("{strong}Cilium {} to {}{strong:#}, {about}\n", answer.from, answer.to);
    if steps.len() > 1 {
        text += &format!("by {}\n", steps.join(", "));
    }
    text += &effect(answer);
    for severity in Severity::ALL {
        for finding in answer.of(severity) {
            text += &one(finding);
        }
    }
    let counted: Vec<String> =
        Severity::ALL.iter().map(|severity| counted(*severity, answer.of(*severity).count())).collect();
    text += &format!("\n{strong}{}{strong:#}\n", counted.join(", "));
    text
}

/// What it comes to, first: who falls silent.
fn effect(answer: &Forecast) -> String {
    let silenced = answer.effect.silenced();
    let (before, after) = (answer.effect.speak_before.len(), answer.effect.speak_after.len());
    if before == 0 {
        return String::new();
    }
    let bad = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    if silenced.is_empty() {
        return format!("{before} nodes speak BGP now, {after} will.\n");
    }
    let what = format!(
        "{before} nodes speak BGP now, {after} will if nothing is done: every route of {} goes, while every object still says \"created\" and no \
         log complains.",
        silenced.join(", ")
    );
    format!("{bad}{}{bad:#}\n", textwrap::fill(&what, WIDTH))
}

fn counted(severity: Severity, many: usize) -> String {
    match (severity, many) {
        (Severity::Breaks, 0) => "nothing breaks".to_owned(),
        (Severity::Breaks, 1) => "1 thing breaks".to_owned(),
        (Severity::Breaks, many) => format!("{many} things break"),
        (Severity::Changes, 1) => "1 changes".to_owned(),
        (Severity::Changes, many) => format!("{many} change"),
        (Severity::Note, 1) => "1 note".to_owned(),
        (Severity::Note, many) => format!("{many} notes"),
    }
}

fn one(finding: &Finding) -> String {
    let colour = match finding.severity {
        Severity::Breaks => AnsiColor::Red,
        Severity::Changes => AnsiColor::Yellow,
        Severity::Note => AnsiColor::Cyan,
    };
    let (style, faint) = (Style::new().fg_color(Some(colour.into())).bold(), Style::new().dimmed());
    let with = finding.with.map(|(major, minor)| format!(" with {major}.{minor}")).unwrap_or_default();
    let mut text =
        format!("\n{style}{}{with}{style:#} {faint}[{}]{faint:#}\n", finding.severity, finding.rule);
    if let Some(at) = &finding.at {
        text += &format!("  {at}\n");
        if let Some(line) = line_of(&at.file, at.line) {
            text += &format!("  {faint}|{faint:#} {}\n", line.trim_end());
        }
    }
    text += &indented(&finding.what, "  ");
    if !finding.instead.is_empty() {
        text += &indented(&format!("instead: {}", finding.instead), "  ");
    }
    text += &format!("{faint}{}{faint:#}", indented(&format!("source: {}", finding.source), "  "));
    text
}

fn indented(text: &str, indent: &str) -> String {
    let deeper = format!("{indent}  ");
    let options = textwrap::Options::new(WIDTH).initial_indent(indent).subsequent_indent(&deeper);
    textwrap::fill(text, options) + "\n"
}

/// A line of a file; none where it is not one that can be read (an object of a live cluster).
fn line_of(file: &Path, line: u32) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().nth((line as usize).checked_sub(1)?).map(str::to_owned)
}

/// What changed in a file, as a unified difference.
pub(super) fn difference(path: &Path, before: &str, after: &str) -> String {
    let name = path.display().to_string();
    TextDiff::from_lines(before, after).unified_diff().context_radius(3).header(&name, &name).to_string()
}
