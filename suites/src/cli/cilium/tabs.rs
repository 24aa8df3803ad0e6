//! Tables as Go's text/tabwriter lays them out with Cilium's settings: at least 5 wide, 3 apart, filled with spaces.
//!
//! What lives here: the layout. A cell is what ends in a tab; what stands behind the last tab of a line belongs to no
//! column. A column is as wide as the widest of the neighboring lines that have a cell in it, and no further: so the last
//! heading, behind which no tab stands, widens nothing.

/// Cilium's least width of a column.
const LEAST: usize = 5;
/// Cilium's distance between columns.
const APART: usize = 3;

/// Lays out text whose cells end in tabs.
pub(super) fn laid_out(text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut out = String::new();
    columns(&lines, 0, lines.len(), &mut Vec::new(), &mut out);
    // `split` sees one more line behind the last line break.
    out.pop();
    out
}

/// Lays out the lines from `from` to `to`, whose first columns have these `widths`.
fn columns(lines: &[Vec<&str>], mut from: usize, to: usize, widths: &mut Vec<usize>, out: &mut String) {
    let column = widths.len();
    let has_cell = |line: &Vec<&str>| column + 1 < line.len();
    let mut this = from;
    while this < to {
        if !has_cell(&lines[this]) {
            this += 1;
            continue;
        }
        written(lines, from, this, widths, out);
        let end = (this..to).find(|line| !has_cell(&lines[*line])).unwrap_or(to);
        let widest = lines[this..end].iter().map(|line| line[column].chars().count() + APART).max();
        widths.push(widest.unwrap_or(0).max(LEAST));
        columns(lines, this, end, widths, out);
        widths.pop();
        (from, this) = (end, end);
    }
    written(lines, from, to, widths, out);
}

fn written(lines: &[Vec<&str>], from: usize, to: usize, widths: &[usize], out: &mut String) {
    for line in &lines[from..to] {
        for (place, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if let Some(width) = widths.get(place) {
                out.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
            }
        }
        out.push('\n');
    }
}

/// A time in nanoseconds as Go's time.Duration prints it, rounded to whole seconds: `9s`, `1m5s`, `2h0m0s`.
pub(super) fn rounded(nanoseconds: u64) -> String {
    let seconds = nanoseconds.saturating_add(500_000_000) / 1_000_000_000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m{seconds}s"),
        (hours, minutes, seconds) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_column("a\tb\nccc\tdd\n", "a     b\nccc   dd\n")]
    #[case::least("a\tb\t\n", "a    b    \n")]
    #[case::a_heading_behind_the_last_tab("Name\tReceived\nx\t1\t\n", "Name   Received\nx      1    \n")]
    #[case::empty_cells("node\ta\t\n\tb\t\n", "node   a    \n       b    \n")]
    #[case::nothing("", "")]
    fn tables_are_gos(#[case] text: &str, #[case] wanted: &str) {
        assert_eq!(laid_out(text), wanted);
    }

    #[rstest]
    #[case(0, "0s")]
    #[case(8_766_184_900, "9s")]
    #[case(499_999_999, "0s")]
    #[case(65_000_000_000, "1m5s")]
    #[case(7_200_000_000_000, "2h0m0s")]
    fn times_are_gos(#[case] nanoseconds: u64, #[case] wanted: &str) {
        assert_eq!(rounded(nanoseconds), wanted);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([a-c]{0,3}[\t\n])*") {
            let plain = |text: &str| text.chars().filter(|c| !matches!(c, '\t' | ' ')).collect::<String>();
            prop_assert_eq!(plain(&laid_out(&text)), plain(&text));
        }
    }
}
