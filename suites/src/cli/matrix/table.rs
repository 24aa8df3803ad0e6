//! Columns as a table: how many checks passed by phase, and each check that does not come out the same everywhere.

use fabric_reports::record::{Failure, Outcome, Record, Verdict};

use super::column::Column;

/// The whole table.
pub(super) fn render(columns: &[Column], filtered: bool) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let header = |title: &str| {
        let mut row = vec![title.to_owned()];
        row.extend(columns.iter().map(|column| column.version.to_string()));
        row
    };
    rows.push(header("phase"));
    let mut phases: Vec<&str> = Vec::new();
    let mut checks: Vec<&str> = Vec::new();
    for record in columns.iter().filter_map(|column| column.came.as_ref().ok()) {
        for check in &record.checks {
            push(&mut phases, &check.phase);
            push(&mut checks, &check.name);
        }
    }
    for phase in phases {
        let mut row = vec![phase.to_owned()];
        row.extend(columns.iter().map(|column| passed(column, phase)));
        rows.push(row);
    }
    let mixed: Vec<&str> = checks.into_iter().filter(|check| differs(columns, check)).collect();
    let mut text = aligned(&rows);
    if !mixed.is_empty() {
        let mut rows = vec![header("check that does not come out the same")];
        for check in &mixed {
            let mut row = vec![(*check).to_owned()];
            row.extend(columns.iter().map(|column| word(column.verdict(check)).to_owned()));
            rows.push(row);
        }
        text += "\n";
        text += &aligned(&rows);
    }
    for column in columns {
        match &column.came {
            Err(why) => {
                text += &format!("\n{} refuses the lab's files:\n{}\n", column.version, why.trim_end())
            }
            Ok(record) => {
                if let Some(error) = &record.error {
                    text += &format!("\n{}: {}: {}\n", column.version, error.phase, error.text.trim_end());
                }
            }
        }
    }
    let good = columns.iter().filter(|column| column.is_good()).count();
    let which = if filtered { "the checks that were asked for" } else { "every check" };
    text += &format!("\n{which} passed on {good} of {} versions", columns.len());
    text
}

fn push<'a>(all: &mut Vec<&'a str>, one: &'a str) {
    if !all.contains(&one) {
        all.push(one);
    }
}

/// How many checks of a phase passed, of how many.
fn passed(column: &Column, phase: &str) -> String {
    let Ok(record) = &column.came else { return "refused".to_owned() };
    let all: Vec<_> = record.checks_of(phase).collect();
    let good = all.iter().filter(|check| check.verdict == Verdict::Passed).count();
    if all.is_empty() { "-".to_owned() } else { format!("{good}/{}", all.len()) }
}

fn differs(columns: &[Column], check: &str) -> bool {
    columns.iter().any(|column| column.came.is_ok() && column.verdict(check) != Some(Verdict::Passed))
}

fn word(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "ok",
        Some(Verdict::Failed) => "FAIL",
        Some(Verdict::NotRun) => "not run",
        Some(Verdict::Skipped) => "skipped",
        None => "-",
    }
}

/// Columns below each other: the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// One version that is done, as it comes.
pub(super) fn line(column: &Column) -> String {
    match &column.came {
        Err(_) => format!("{}: refused", column.version),
        Ok(record) => {
            let good = record.checks.iter().filter(|check| check.verdict == Verdict::Passed).count();
            let all = record.checks.len();
            format!("{}: {good} of {all} checks passed in {:.1} s", column.version, record.duration_ms / 1e3)
        }
    }
}

/// The record of a column; of a version that refuses the lab's files, one that says so.
pub(super) fn record(column: &Column) -> Record {
    match &column.came {
        Ok(record) => (**record).clone(),
        Err(why) => Record::that_failed(
            Outcome::BringUpFailed,
            Failure { phase: "read the lab".to_owned(), text: why.clone() },
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_refuses_the_files_says_why() {
        let why = "values.yaml:2:1: the chart refuses this".to_owned();
        let columns = [Column { version: "1.15.0".parse().unwrap(), came: Err(why) }];
        let text = render(&columns, false);
        assert!(text.contains("1.15.0 refuses the lab's files:\nvalues.yaml:2:1"), "{text}");
        assert!(text.ends_with("every check passed on 0 of 1 versions"), "{text}");
    }

    #[test]
    fn cells_stand_below_each_other() {
        let rows = [vec!["phase".to_owned(), "1.18.0".to_owned()], vec!["cni".to_owned(), "9/9".to_owned()]];
        assert_eq!(aligned(&rows), "phase  1.18.0\ncni       9/9\n");
    }
}
