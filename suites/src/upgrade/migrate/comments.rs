//! The comments of a YAML text, by line: those above it, and the one behind it.

use fabric_harness::lab::yaml::{Location, Scalar, Style};

/// The comments of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Comments {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Default)]
struct Line {
    /// The comment, with its `#`, if the line has one.
    comment: Option<String>,
    /// Whether there is nothing else on it.
    alone: bool,
}

/// What belongs to one line of what was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Whole lines above, without their indentation.
    pub(super) above: Vec<String>,
    /// What stands behind.
    pub(super) behind: Option<String>,
}

impl Comments {
    /// Reads them. A `#` begins a comment at the start of a line or after a space, outside of quotes; block scalars are
    /// not looked into, because what is migrated has none.
    pub(super) fn of(text: &str) -> Self {
        Self { lines: text.lines().map(line).collect() }
    }

    /// The comments of the line at a place. Lines above count as far as there is nothing but comments.
    pub(super) fn around(&self, at: &Location) -> Around {
        let index = (at.line as usize).saturating_sub(1);
        let mut above: Vec<String> = Vec::new();
        for line in self.lines.iter().take(index).rev() {
            match (&line.comment, line.alone) {
                (Some(comment), true) => above.insert(0, comment.clone()),
                _ => break,
            }
        }
        let behind = self.lines.get(index).filter(|line| !line.alone).and_then(|line| line.comment.clone());
        Around { above, behind }
    }
}

fn line(text: &str) -> Line {
    let (mut quoted, mut before) = (None, ' ');
    for (at, c) in text.char_indices() {
        match (quoted, c) {
            (None, '\'' | '"') if before == ' ' || before == ':' || before == '[' || before == ',' => {
                quoted = Some(c)
            }
            (Some(quote), c) if c == quote => quoted = None,
            (None, '#') if before.is_whitespace() => {
                return Line {
                    comment: Some(text[at..].trim_end().to_owned()),
                    alone: text[..at].trim().is_empty(),
                };
            }
            _ => {}
        }
        before = c;
    }
    Line::default()
}

/// Text as a YAML scalar that reads back as the same text.
pub(super) fn scalar(text: &str) -> String {
    let plain = Scalar { text: text.to_owned(), style: Style::Plain };
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let fine =
        !text.is_empty() && text.chars().all(safe) && !text.starts_with('-') && plain.to_json().is_string();
    // JSON's text is YAML's double-quoted text.
    if fine { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("a: b # c", Some("# c"), false)]
    #[case("  # alone", Some("# alone"), true)]
    #[case("a: \"x # y\"", None, false)]
    #[case("a: 'x # y' # z", Some("# z"), false)]
    #[case("a: x#y", None, false)]
    #[case("a: it's # so", Some("# so"), false)]
    #[case("", None, false)]
    fn comments_are_told_from_text(#[case] text: &str, #[case] comment: Option<&str>, #[case] alone: bool) {
        let line = line(text);
        assert_eq!((line.comment.as_deref(), line.alone), (comment, alone));
    }

    #[rstest]
    #[case("tor", "tor")]
    #[case("10.0.0.1", "10.0.0.1")]
    #[case("true", "\"true\"")]
    #[case("65010", "\"65010\"")]
    #[case("a: b", "\"a: b\"")]
    #[case("", "\"\"")]
    #[case("1.5", "\"1.5\"")]
    fn scalars_read_back(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(scalar(text), expected);
    }
}
