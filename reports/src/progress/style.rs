//! Colours, and their absence: the only place that knows which colour means what.
//!
//! A terminal shows as many as it says it can: 16 million, 256, 16, or none.

use std::fmt::Display;

use anstyle::{Ansi256Color, AnsiColor, Color, RgbColor, Style};

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// None.
    None,
    /// The 16 whose shades the user chose.
    Sixteen,
    /// The 256 of xterm.
    Many,
    /// 24 bits.
    All,
}

impl Depth {
    /// What a terminal says of itself (COLORTERM, TERM), where colours are wanted at all.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = |name: &str| variable(name).unwrap_or_default().to_ascii_lowercase();
        let (color, term) = (said("COLORTERM"), said("TERM"));
        if matches!(color.as_str(), "truecolor" | "24bit") || term.ends_with("-direct") {
            Self::All
        } else if term.contains("256color") {
            Self::Many
        } else {
            Self::Sixteen
        }
    }
}

/// One meaning in each depth.
struct Shade {
    sixteen: AnsiColor,
    many: u8,
    all: RgbColor,
}

/// Readable on black and on white.
const GOOD: Shade = Shade { sixteen: AnsiColor::Green, many: 35, all: RgbColor(31, 157, 85) };
const BAD: Shade = Shade { sixteen: AnsiColor::Red, many: 167, all: RgbColor(218, 72, 72) };
const DOUBTFUL: Shade = Shade { sixteen: AnsiColor::Yellow, many: 172, all: RgbColor(201, 124, 0) };
const NAME: Shade = Shade { sixteen: AnsiColor::Cyan, many: 37, all: RgbColor(14, 148, 160) };

/// Paints text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    depth: Depth,
}

impl Paint {
    /// With colours as the terminal has them, or without.
    pub(crate) fn new(on: bool) -> Self {
        let depth = if on { Depth::of(|name| std::env::var(name).ok()) } else { Depth::None };
        Self { depth }
    }

    /// With colours where standard error shows them, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
    pub(crate) fn for_stderr() -> Self {
        Self::new(anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never)
    }

    /// The same for standard output.
    pub(crate) fn for_stdout() -> Self {
        Self::new(anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never)
    }

    /// Whether it paints.
    pub(crate) fn is_on(self) -> bool {
        self.depth > Depth::None
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.with(self.shade(&GOOD).bold(), text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.with(self.shade(&BAD).bold(), text)
    }

    pub(crate) fn doubtful(self, text: impl Display) -> String {
        self.with(self.shade(&DOUBTFUL).bold(), text)
    }

    pub(crate) fn name(self, text: impl Display) -> String {
        self.with(self.shade(&NAME), text)
    }

    pub(crate) fn strong(self, text: impl Display) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn faint(self, text: impl Display) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn shade(self, shade: &Shade) -> Style {
        let color = match self.depth {
            Depth::None => return Style::new(),
            Depth::Sixteen => Color::Ansi(shade.sixteen),
            Depth::Many => Color::Ansi256(Ansi256Color(shade.many)),
            Depth::All => Color::Rgb(shade.all),
        };
        Style::new().fg_color(Some(color))
    }

    fn with(self, style: Style, text: impl Display) -> String {
        if self.is_on() { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("xterm-256color", "truecolor", Depth::All)]
    #[case("xterm", "24bit", Depth::All)]
    #[case("xterm-direct", "", Depth::All)]
    #[case("xterm-256color", "", Depth::Many)]
    #[case("screen.xterm-256color", "yes", Depth::Many)]
    #[case("xterm", "", Depth::Sixteen)]
    #[case("", "", Depth::Sixteen)]
    fn a_terminal_says_how_many(#[case] term: &str, #[case] color: &str, #[case] expected: Depth) {
        let said = |name: &str| Some(if name == "TERM" { term } else { color }.to_owned());
        assert_eq!(Depth::of(said), expected);
    }

    #[rstest]
    #[case(Depth::None, "ok")]
    #[case(Depth::Sixteen, "\u{1b}[1m\u{1b}[32mok\u{1b}[0m")]
    #[case(Depth::Many, "\u{1b}[1m\u{1b}[38;5;35mok\u{1b}[0m")]
    #[case(Depth::All, "\u{1b}[1m\u{1b}[38;2;31;157;85mok\u{1b}[0m")]
    fn colours_degrade(#[case] depth: Depth, #[case] expected: &str) {
        assert_eq!(Paint { depth }.good("ok"), expected);
    }
}
