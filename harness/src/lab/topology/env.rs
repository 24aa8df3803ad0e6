//! Environment variables: those written into a topology file as `${NAME}`, and those of env-files.

use std::collections::BTreeMap;
use std::path::Path;

use crate::lab::yaml::{Diagnostics, Location, Mapping, Node, Value};

/// How variables are looked up: the process environment, or a table in tests.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces variables in every key and every scalar of a tree, as containerlab does in the whole file: `$NAME`, `${NAME}`,
/// and with a default `${NAME:=text}`, `${NAME:-text}`, `${NAME=text}`, `${NAME-text}`. A variable that is not set and
/// has no default stays as it is written.
pub(super) fn substitute(node: &mut Node, lookup: Lookup<'_>) {
    match &mut node.value {
        Value::Scalar(scalar) => {
            if scalar.text.contains('$') {
                scalar.text = replaced(&scalar.text, lookup);
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| substitute(item, lookup)),
        Value::Mapping(Mapping { entries }) => {
            for entry in entries {
                if entry.key.contains('$') {
                    entry.key = replaced(&entry.key, lookup);
                }
                substitute(&mut entry.value, lookup);
            }
        }
    }
}

/// A text with its variables replaced, as [`substitute`] does in each scalar.
pub(crate) fn replaced(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let (value, used) = match after.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (braced(&inner[..end], lookup), end + 2),
                None => (None, 0),
            },
            None => {
                let end = name_length(after);
                ((end > 0).then(|| lookup(&after[..end])).flatten(), end)
            }
        };
        match value {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[dollar..dollar + 1 + used]),
        }
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}

/// The length of the variable's name at the start of a text; 0 when there is none. A digit does not start one.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn braced(inner: &str, lookup: Lookup<'_>) -> Option<String> {
    let end = name_length(inner);
    if end == 0 {
        return None;
    }
    let (name, operator) = inner.split_at(end);
    let value = lookup(name);
    if operator.is_empty() {
        return value;
    }
    for colon in [":=", ":-"] {
        if let Some(default) = operator.strip_prefix(colon) {
            return Some(value.filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned()));
        }
    }
    for plain in ["=", "-"] {
        if let Some(default) = operator.strip_prefix(plain) {
            return Some(value.unwrap_or_else(|| default.to_owned()));
        }
    }
    None
}

/// Reads an env-file: `NAME=value` lines, `#` comments, an optional `export`, values bare or in quotes.
pub(super) fn read_file(shown: &Path, text: &str, ctx: &mut Diagnostics) -> BTreeMap<String, String> {
    ctx.add_source(shown, text);
    let mut variables = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let said = line.trim();
        if said.is_empty() || said.starts_with('#') {
            continue;
        }
        let said = said.strip_prefix("export ").unwrap_or(said);
        let pair = said.split_once('=').map(|(name, value)| (name.trim_end(), value.trim()));
        match pair {
            Some((name, value)) if !name.is_empty() && name_length(name) == name.len() => {
                variables.insert(name.to_owned(), unquoted(value).to_owned());
            }
            _ => {
                let indent = line.chars().take_while(|c| c.is_whitespace()).count() as u32;
                let width = line.trim().chars().count() as u32;
                let at = Location { file: shown.to_path_buf(), line: number, column: indent + 1, width };
                ctx.error(&at, "this line of an env-file is not `NAME=value`")
                    .help("write `NAME=value`, or begin the line with `#`");
            }
        }
    }
    variables
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    // Outside quotes a comment may follow.
    value.find(" #").map_or(value, |at| value[..at].trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn table(name: &str) -> Option<String> {
        match name {
            "ASN" => Some("65000".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[rstest]
    #[case("router bgp ${ASN}", "router bgp 65000")]
    #[case("$ASN", "65000")]
    #[case("$ASN/x", "65000/x")]
    #[case("${NONE:=7}", "7")]
    #[case("${NONE:-7}", "7")]
    #[case("${NONE=7}", "7")]
    #[case("${EMPTY:=7}", "7")]
    #[case("${EMPTY=7}", "")]
    #[case("${NONE}", "${NONE}")]
    #[case("$NONE", "$NONE")]
    #[case("P4s$w0rd", "P4s$w0rd")]
    #[case("$1 $$ ${ ${} $", "$1 $$ ${ ${} $")]
    #[case("${ASN:?no}", "${ASN:?no}")]
    fn variables(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(replaced(text, &table), expected);
    }

    #[test]
    fn env_files() {
        let mut ctx = Diagnostics::new();
        let text = "# comment\nA=1\nexport B = \"two words\"\nC='x' \n\n  bad line\nD=v # said\n";
        let read = read_file(Path::new("a.env"), text, &mut ctx);
        let expected = [("A", "1"), ("B", "two words"), ("C", "x"), ("D", "v")];
        assert_eq!(read, expected.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
        let lines: Vec<String> = ctx.iter().map(|noted| format!("{noted:#}")).collect();
        assert_eq!(lines, ["a.env:6:3: error: this line of an env-file is not `NAME=value`"]);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,80}", dollars in "[${}A-Z:=-]{0,30}") {
            replaced(&text, &table);
            replaced(&dollars, &table);
            read_file(Path::new("x"), &text, &mut Diagnostics::new());
        }

        #[test]
        fn text_without_dollars_stays(text in "[^$]{0,40}") {
            prop_assert_eq!(replaced(&text, &table), text);
        }
    }
}
