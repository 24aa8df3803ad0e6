//! The table of phases: what of each kind passed, and whose time a phase took. A narrow terminal has less of it.

use super::Page;
use crate::progress::{Totals, brief};
use crate::record::{Check, Phase};
use crate::text::one_line;

/// The kinds of checks in the order in which a fabric comes up; others come behind them.
const KINDS: [&str; 8] = ["lines", "interfaces", "nodes", "sessions", "routes", "pods", "reach", "paths"];

/// Before the first column.
const MARGIN: usize = 2;

/// Between two columns.
const GAP: usize = 2;

/// A cell: its text, and how it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Doubtful,
    Bad,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }

    fn of(number: usize, tone: Tone) -> Self {
        match number {
            0 => Self::plain("·"),
            number => Self { text: number.to_string(), tone },
        }
    }

    /// `28`, or of how many where not all passed: `26/28`.
    fn passed(totals: Totals) -> Self {
        let (passed, all) = (totals.passed, totals.asked_for());
        match (all, totals.failed, totals.not_run) {
            (0, ..) => Self::plain("·"),
            (_, 0, 0) => Self::of(passed, Tone::Good),
            (_, 0, _) => Self { text: format!("{passed}/{all}"), tone: Tone::Doubtful },
            _ => Self { text: format!("{passed}/{all}"), tone: Tone::Bad },
        }
    }

    fn time(ms: f64) -> Self {
        Self::plain(brief(ms))
    }
}

/// What the columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// A column for each kind, and whose the time was.
    KindsAndTimes,
    /// A column for each kind.
    Kinds,
    /// A column for each verdict, and whose the time was.
    VerdictsAndTimes,
    /// A column for each verdict.
    Verdicts,
}

impl Page<'_> {
    /// The table; none where there are no phases.
    pub(super) fn phases(&self) -> Option<String> {
        if self.record.phase_names().is_empty() {
            return None;
        }
        let all = [Columns::KindsAndTimes, Columns::Kinds, Columns::VerdictsAndTimes, Columns::Verdicts];
        let tables = all.map(|columns| self.table(columns));
        let fits = |table: &&Vec<Vec<Cell>>| taken(&widths(table)) <= self.width;
        let [.., narrowest] = &tables;
        Some(self.drawn(tables.iter().find(fits).unwrap_or(narrowest)))
    }

    fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for check in &self.record.checks {
            if !kinds.contains(&check.kind.as_str()) {
                kinds.push(&check.kind);
            }
        }
        // A stable sort: kinds that are not known stay in the order of the checks.
        kinds.sort_by_key(|kind| KINDS.iter().position(|known| known == kind).unwrap_or(KINDS.len()));
        kinds
    }

    /// The rows, the titles first and the whole run last.
    fn table(&self, columns: Columns) -> Vec<Vec<Cell>> {
        let kinds = self.kinds();
        let by_kind = matches!(columns, Columns::KindsAndTimes | Columns::Kinds);
        let split = matches!(columns, Columns::KindsAndTimes | Columns::VerdictsAndTimes);
        let mut titles = vec!["phase"];
        if by_kind {
            titles.extend(kinds.iter().copied());
        } else {
            titles.extend(["passed", "failed", "not run", "skipped"]);
        }
        titles.push("time");
        titles.extend(split.then_some(["protocol", "own"]).into_iter().flatten());
        let counts = |checks: &[&Check]| -> Vec<Cell> {
            let of =
                |checks: &mut dyn Iterator<Item = &&Check>| Totals::of(checks.map(|check| check.verdict));
            if by_kind {
                let of_kind =
                    |kind: &&str| Cell::passed(of(&mut checks.iter().filter(|check| check.kind == *kind)));
                return kinds.iter().map(of_kind).collect();
            }
            let Totals { passed, failed, not_run, skipped } = of(&mut checks.iter());
            vec![
                Cell::of(passed, Tone::Good),
                Cell::of(failed, Tone::Bad),
                Cell::of(not_run, Tone::Doubtful),
                Cell::of(skipped, Tone::Plain),
            ]
        };
        let times = |total: f64, protocol: f64| {
            let mut cells = vec![Cell::time(total)];
            if split {
                cells.extend([Cell::time(protocol), Cell::time((total - protocol).max(0.0))]);
            }
            cells
        };
        let mut table = vec![titles.into_iter().map(Cell::plain).collect::<Vec<Cell>>()];
        for name in self.record.phase_names() {
            let checks: Vec<&Check> = self.record.checks_of(name).collect();
            let mut row = vec![Cell::plain(self.phase_name(name))];
            row.extend(counts(&checks));
            match self.record.phases.iter().find(|phase| phase.name == name) {
                Some(Phase { reached: false, .. }) => {
                    row.push(Cell { text: "not reached".into(), tone: Tone::Bad });
                }
                Some(phase) => row.extend(times(phase.duration_ms, phase.protocol_ms)),
                None => row.push(Cell::plain("·")),
            }
            table.push(row);
        }
        let checks: Vec<&Check> = self.record.checks.iter().collect();
        let mut row = vec![Cell::plain("all")];
        row.extend(counts(&checks));
        row.extend(times(self.record.times.total_ms, self.record.times.protocol_ms));
        table.push(row);
        table
    }

    /// A phase's name: all of it if it is no longer than a phase's name should be.
    fn phase_name(&self, name: &str) -> String {
        let room = self.width.saturating_sub(50).clamp(5, 40);
        console::truncate_str(&one_line(name), room, "…").into_owned()
    }

    fn drawn(&self, table: &[Vec<Cell>]) -> String {
        let widths = widths(table);
        let last = table.len().saturating_sub(1);
        let mut out = String::new();
        for (number, row) in table.iter().enumerate() {
            let mut line = " ".repeat(MARGIN);
            for (at, cell) in row.iter().enumerate() {
                let free = " ".repeat(widths[at].saturating_sub(console::measure_text_width(&cell.text)));
                let painted = match (cell.tone, at) {
                    _ if number == 0 => self.paint.faint(&cell.text),
                    (Tone::Good, _) => self.paint.good(&cell.text),
                    (Tone::Doubtful, _) => self.paint.doubtful(&cell.text),
                    (Tone::Bad, _) => self.paint.bad(&cell.text),
                    (Tone::Plain, 0) if number == last => self.paint.strong(&cell.text),
                    (Tone::Plain, 0) => self.paint.name(&cell.text),
                    (Tone::Plain, _) => cell.text.clone(),
                };
                line +=
                    &if at == 0 { format!("{painted}{free}") } else { format!("{:GAP$}{free}{painted}", "") };
            }
            out += line.trim_end();
            out.push('\n');
        }
        out
    }
}

/// How wide each column is. A cell that is wider than its column's others, at the end of a shorter row, may hang over.
fn widths(table: &[Vec<Cell>]) -> Vec<usize> {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        let cells = table.iter().filter_map(|row| row.get(at));
        cells.map(|cell| console::measure_text_width(&cell.text)).max().unwrap_or(0)
    };
    (0..columns).map(width).collect()
}

fn taken(widths: &[usize]) -> usize {
    MARGIN + widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Paint;
    use crate::record::{Record, Verdict, sample};

    /// As many checks of each kind as the article's lab has.
    fn whole() -> Record {
        let mut record = sample::failed();
        record.checks = KINDS
            .iter()
            .enumerate()
            .flat_map(|(at, kind)| (0..at * 9 + 1).map(move |n| (kind, n)))
            .map(|(kind, n)| {
                let phase = ["underlay", "policy"][n % 2];
                let verdict = if n == 20 { Verdict::Failed } else { Verdict::Passed };
                sample::check(phase, kind, "tor0", &n.to_string(), verdict)
            })
            .collect();
        record
    }

    #[test]
    fn a_table_has_what_the_terminal_has_room_for() {
        let record = whole();
        let of = |width: usize| Page { record: &record, width, paint: Paint::new(false) }.phases().unwrap();
        let text: Vec<String> =
            [60, 80, 100, 120].map(|width| format!("{width} columns\n{}", of(width))).into();
        insta::assert_snapshot!(text.join("\n"));
        for width in 60..=200 {
            let table = of(width);
            let widest = table.lines().map(console::measure_text_width).max().unwrap();
            assert!(widest <= width, "{width} columns, {widest} taken:\n{table}");
        }
    }
}
