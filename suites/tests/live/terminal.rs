//! The program on a terminal: what moves in place, what stays, and how it looks without colours.

use std::process::Command;

use super::support::{Ground, article};

/// Runs the program on a terminal of so many columns, and gives all that the terminal was sent; nothing where there is no
/// script(1) to make one.
fn on_terminal(
    ground: &Ground,
    columns: u32,
    term: &str,
    more: &[(&str, &str)],
    only: &str,
) -> Option<String> {
    if Command::new("script").arg("--version").output().is_err() {
        return None;
    }
    let (program, lab) = (env!("CARGO_BIN_EXE_fabric"), article());
    let line =
        format!("stty cols {columns} rows 40; exec '{program}' test '{}' --only {only}", lab.display());
    let mut command = ground.command("script");
    command.args(["-qefc", &line, "/dev/null"]).env("TERM", term);
    command.envs(more.iter().copied());
    Some(ground.start(command).wait().code(0).out)
}

/// What is written after the last time the line was wiped: the text without the sequences.
fn text(sent: &str) -> String {
    anstream::adapter::strip_str(sent).to_string().replace('\r', "")
}

#[test]
fn what_is_waited_for_counts_down_in_place() {
    let Some(ground) = Ground::new("what_is_waited_for_counts_down_in_place") else { return };
    let colors = [("COLORTERM", "truecolor")];
    let Some(sent) = on_terminal(&ground, 80, "xterm-256color", &colors, "policy::") else { return };
    let text = text(&sent);
    assert!(text.contains("waiting for"), "{text}");
    // GoBGP's first connect is 5 to 10 s away: the clock runs down.
    let drawn =
        (1..=10).filter(|seconds| text.contains(&format!("first connect due in {seconds} s"))).count();
    assert!(drawn >= 3, "{text}");
    assert!(sent.contains("\u{1b}[38;2;"), "24 bits of colour");
    assert!(sent.contains("\u{1b}[2K") || sent.contains("\u{1b}[1A"), "lines change in place");
    // What stays: a line for the phase, and the table that ends the run.
    assert!(text.contains("Phase policy") && text.contains("the run passed"), "{text}");
    let table: Vec<&str> = text.lines().skip_while(|line| !line.trim_start().starts_with("phase ")).collect();
    assert!(table[0].contains("protocol") && table[0].contains("own"), "{table:?}");
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{table:#?}");
}

#[test]
fn a_dumb_terminal_has_lines_alone() {
    let Some(ground) = Ground::new("a_dumb_terminal_has_lines_alone") else { return };
    let Some(sent) = on_terminal(&ground, 60, "dumb", &[], "underlay::sessions::") else { return };
    assert!(!sent.contains('\u{1b}'), "{sent:?}");
    assert!(sent.contains("Phase underlay") && sent.contains("the run passed"), "{sent}");
}

#[test]
fn no_color_is_no_color() {
    let Some(ground) = Ground::new("no_color_is_no_color") else { return };
    let wish = [("NO_COLOR", "1")];
    let Some(sent) = on_terminal(&ground, 100, "xterm", &wish, "underlay::sessions::") else { return };
    // Select Graphic Rendition ends with an m; the cursor may go up and down.
    let painted = regex::Regex::new("\u{1b}\\[[0-9;]*[1-9][0-9;]*m").unwrap();
    assert!(!painted.is_match(&sent), "{sent:?}");
    assert!(sent.contains("the run passed"), "{sent}");
}
