//! Colours, and their absence: the only place that knows which colour means what.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// Paints text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// With colours or without.
    pub(crate) fn new(on: bool) -> Self {
        Self { on }
    }

    /// With colours where standard error shows them, as NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM say.
    pub(crate) fn for_stderr() -> Self {
        Self { on: anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never }
    }

    /// The same for standard output.
    pub(crate) fn for_stdout() -> Self {
        Self { on: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never }
    }

    /// Whether it paints.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.with(AnsiColor::Green.on_default().bold(), text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.with(AnsiColor::Red.on_default().bold(), text)
    }

    pub(crate) fn doubtful(self, text: impl Display) -> String {
        self.with(AnsiColor::Yellow.on_default().bold(), text)
    }

    pub(crate) fn name(self, text: impl Display) -> String {
        self.with(AnsiColor::Cyan.on_default(), text)
    }

    pub(crate) fn strong(self, text: impl Display) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(crate) fn faint(self, text: impl Display) -> String {
        self.with(Style::new().dimmed(), text)
    }

    fn with(self, style: Style, text: impl Display) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}
