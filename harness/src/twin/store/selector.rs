//! Selectors: which objects a list or a watch is about.
//!
//! What lives here: parsing and matching of label selectors and field selectors as they stand in a query. What does
//! not: which fields a resource can be selected by (`api::registry`).

use serde_json::Value;

/// A selector that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unable to parse requirement: {what} in `{text}`; write for example `rack=rack0,tier in (leaf,spine),!spare`"
)]
pub struct SelectorError {
    /// What is wrong.
    pub what: String,
    /// The selector as it was given.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

/// A label selector: every requirement must hold. Empty matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>1`.
    ///
    /// # Errors
    /// [`SelectorError`] with the part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let fail = |what: String| SelectorError { what, text: text.to_owned() };
        let parts = split(text).map_err(fail)?;
        parts.into_iter().map(|part| requirement(part).map_err(fail)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the object's labels satisfy every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let label = |key: &String| labels.get(key).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => label(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Requirement::NotIn(key, values) => label(key).is_none_or(|v| values.iter().all(|w| w != v)),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Absent(key) => label(key).is_none(),
            Requirement::Greater(key, n) => number(label(key)).is_some_and(|v| v > *n),
            Requirement::Less(key, n) => number(label(key)).is_some_and(|v| v < *n),
        })
    }

    /// True when everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn number(text: Option<&str>) -> Option<i64> {
    text?.parse().ok()
}

/// Splits at commas that are not inside brackets.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let (mut start, mut inside) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' if inside => return Err("a bracket inside a bracket".into()),
            '(' => inside = true,
            ')' if !inside => return Err("a closing bracket without an opening one".into()),
            ')' => inside = false,
            ',' if !inside => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("a bracket that is not closed".into());
    }
    parts.push(&text[start..]);
    if parts.len() == 1 && parts[0].trim().is_empty() {
        return Ok(Vec::new());
    }
    Ok(parts)
}

fn requirement(part: &str) -> Result<Requirement, String> {
    let part = part.trim();
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(key_of(key)?));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key_of(key)?, vec![value_of(value)?]));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key_of(key)?, vec![value_of(value)?]));
    }
    for (sign, make) in [
        ('>', Requirement::Greater as fn(String, i64) -> Requirement),
        ('<', Requirement::Less as fn(_, _) -> _),
    ] {
        if let Some((key, value)) = part.split_once(sign) {
            let n = value.trim().parse().map_err(|_| format!("`{}` is not a whole number", value.trim()))?;
            return Ok(make(key_of(key)?, n));
        }
    }
    if let Some(open) = part.find('(') {
        let (head, tail) = part.split_at(open);
        let list = tail.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
        let list = list.ok_or_else(|| "words after a closing bracket".to_owned())?;
        let values = list.split(',').map(value_of).collect::<Result<Vec<_>, _>>()?;
        let mut words = head.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(key), Some("in"), None) => Ok(Requirement::In(key_of(key)?, values)),
            (Some(key), Some("notin"), None) => Ok(Requirement::NotIn(key_of(key)?, values)),
            _ => Err(format!("`{}` is neither `key in` nor `key notin`", head.trim())),
        };
    }
    Ok(Requirement::Exists(key_of(part)?))
}

fn key_of(text: &str) -> Result<String, String> {
    let key = text.trim();
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if key.is_empty() || !key.chars().all(fine) {
        return Err(format!("`{key}` is not a label key"));
    }
    Ok(key.to_owned())
}

fn value_of(text: &str) -> Result<String, String> {
    let value = text.trim();
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if value.len() > 63 || !value.chars().all(fine) {
        return Err(format!("`{value}` is not a label value"));
    }
    Ok(value.to_owned())
}

/// A field selector: `path=value` and `path!=value`, all of which must hold. Empty matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldTerm>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldTerm {
    path: String,
    equal: bool,
    value: String,
}

impl FieldSelector {
    /// Reads `metadata.name=a,status.phase!=Running`; `\,`, `\=` and `\\` stand for themselves in a value.
    ///
    /// # Errors
    /// [`SelectorError`] with the part that cannot be read.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let fail = |what: String| SelectorError { what, text: text.to_owned() };
        let mut terms = Vec::new();
        for part in split_escaped(text) {
            if part.trim().is_empty() {
                continue;
            }
            let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
                (path, false, value)
            } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
                (path, true, value)
            } else {
                return Err(fail(format!("`{part}` has neither `=` nor `!=`")));
            };
            terms.push(FieldTerm {
                path: path.trim().to_owned(),
                equal,
                value: unescape(value).map_err(fail)?,
            });
        }
        Ok(Self(terms))
    }

    /// The paths the selector speaks of.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|term| term.path.as_str())
    }

    /// Whether the object's fields satisfy every term. A field that is not there is empty, or `false` where the
    /// field is one of the booleans that can be selected by.
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|term| (field(object, &term.path) == term.value) == term.equal)
    }

    /// True when everything matches.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn field(object: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(object, |value, step| value.get(step));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(n)) => n.to_string(),
        _ if matches!(path, "spec.unschedulable" | "spec.hostNetwork") => "false".into(),
        _ => String::new(),
    }
}

fn split_escaped(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => out.push(escaped),
                _ => return Err(format!("a lone backslash in `{text}`")),
            },
            c => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("", true)]
    #[case("rack=rack0", true)]
    #[case("rack==rack0,!spare", true)]
    #[case("rack!=rack0", false)]
    #[case("other!=x", true)]
    #[case("rack in (rack0, rack1),tier", true)]
    #[case("rack notin (rack0)", false)]
    #[case("n>3,n<5", true)]
    #[case("n>4", false)]
    #[case("spare", false)]
    #[case("node-role.kubernetes.io/control-plane=", true)]
    fn labels_match(#[case] selector: &str, #[case] expected: bool) {
        let labels =
            json!({"rack": "rack0", "tier": "leaf", "n": "4", "node-role.kubernetes.io/control-plane": ""});
        let node = json!({"metadata": {"labels": labels}});
        assert_eq!(LabelSelector::parse(selector).unwrap().matches(&node), expected, "{selector}");
    }

    #[rstest]
    #[case("a in (b")]
    #[case("a in b)")]
    #[case("a of (b)")]
    #[case("=x")]
    #[case("a,,b")]
    #[case("a>x")]
    fn a_label_selector_that_cannot_be_read_says_what_it_is(#[case] selector: &str) {
        assert!(LabelSelector::parse(selector).unwrap_err().to_string().contains(selector));
    }

    #[rstest]
    #[case("spec.nodeName=w1,status.phase!=Failed", true)]
    #[case("spec.nodeName=", false)]
    #[case("spec.hostNetwork=false", true)]
    #[case("metadata.name=a\\,b", true)]
    fn fields_match(#[case] selector: &str, #[case] expected: bool) {
        let pod =
            json!({"metadata": {"name": "a,b"}, "spec": {"nodeName": "w1"}, "status": {"phase": "Running"}});
        assert_eq!(FieldSelector::parse(selector).unwrap().matches(&pod), expected, "{selector}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,60}") {
            let _ = LabelSelector::parse(&text);
            let _ = FieldSelector::parse(&text);
        }
    }
}
