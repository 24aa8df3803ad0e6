//! The JSON paths of custom columns.
//!
//! What lives here: the part of JSON path that definitions use: `.a.b`, `.a\.b`, `['a.b']`, `[0]`, `[-1]`, `[*]`, `.*` and
//! `[?(@.type=="Ready")]`. What does not: unions, slices and recursion, which no column needs; such a path finds nothing.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    At(i64),
    All,
    Where(Vec<String>, String),
}

/// A path that has been read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// Reads a path; `None` for one that is not understood.
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let end = closing(after)?;
                steps.push(bracket(after.get(..end)?)?);
                rest = after.get(end + 1..)?;
            } else {
                let (name, after) = field(rest.strip_prefix('.').unwrap_or(rest));
                match name.as_str() {
                    // A lone dot at the end names the object itself; elsewhere it would be recursion.
                    "" if after.is_empty() => break,
                    "" => return None,
                    "*" => steps.push(Step::All),
                    _ => steps.push(Step::Field(name)),
                }
                rest = after;
            }
        }
        Some(Self(steps))
    }

    /// Every value at the path.
    pub(super) fn find<'a>(&self, object: &'a Value) -> Vec<&'a Value> {
        let mut found = vec![object];
        for step in &self.0 {
            found = found.into_iter().flat_map(|value| follow(step, value)).collect();
        }
        found
    }
}

fn follow<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match (step, value) {
        (Step::Field(name), Value::Object(map)) => map.get(name).into_iter().collect(),
        (Step::At(at), Value::Array(list)) => {
            let at = if *at < 0 { i64::try_from(list.len()).unwrap_or(0) + at } else { *at };
            usize::try_from(at).ok().and_then(|at| list.get(at)).into_iter().collect()
        }
        (Step::All, Value::Array(list)) => list.iter().collect(),
        (Step::All, Value::Object(map)) => map.values().collect(),
        (Step::Where(path, wanted), Value::Array(list)) => {
            let is = |item: &&Value| {
                let found = path.iter().try_fold(*item, |value, step| value.get(step));
                found.is_some_and(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned) == *wanted)
            };
            list.iter().filter(is).collect()
        }
        _ => Vec::new(),
    }
}

/// A field name up to a dot or a bracket; a backslash takes the next character as it is.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, text.get(at..).unwrap_or_default()),
            c => name.push(c),
        }
    }
    (name, "")
}

/// Where the bracket ends, quotes minded.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (']', None) => return Some(at),
            _ => {}
        }
    }
    None
}

fn bracket(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::All);
    }
    if let Some(condition) = inside.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        let (left, right) = condition.split_once("==")?;
        let mut rest = left.trim().strip_prefix('@')?;
        let mut path = Vec::new();
        while !rest.is_empty() {
            let (name, after) = field(rest.strip_prefix('.')?);
            path.push(name);
            rest = after;
        }
        return Some(Step::Where(path, unquoted(right.trim()).to_owned()));
    }
    if inside.starts_with(['\'', '"']) {
        return Some(Step::Field(unquoted(inside).to_owned()));
    }
    inside.parse().ok().map(Step::At)
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(".metadata.name", json!(["a"]))]
    #[case(".metadata.labels.io\\.kubernetes\\.pod\\.namespace", json!(["ns"]))]
    #[case("$.metadata.labels['io.kubernetes.pod.namespace']", json!(["ns"]))]
    #[case(".status.networking.addressing[0].ipv4", json!(["10.1.1.1"]))]
    #[case(".status.networking.addressing[-1].ipv4", json!(["10.1.1.2"]))]
    #[case(".status.networking.addressing[*].ipv4", json!(["10.1.1.1", "10.1.1.2"]))]
    #[case(".status.conditions[?(@.type==\"Ready\")].status", json!(["True"]))]
    #[case("{.status.conditions[?(@.type=='Other')].status}", json!([]))]
    #[case(".nowhere.at.all", json!([]))]
    fn a_path_finds(#[case] path: &str, #[case] expected: Value) {
        let object = json!({
            "metadata": {"name": "a", "labels": {"io.kubernetes.pod.namespace": "ns"}},
            "status": {
                "networking": {"addressing": [{"ipv4": "10.1.1.1"}, {"ipv4": "10.1.1.2"}]},
                "conditions": [{"type": "Disk", "status": "False"}, {"type": "Ready", "status": "True"}],
            },
        });
        let path = Path::read(path).unwrap();
        assert_eq!(json!(path.find(&object)), expected);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[.a\\[\\]?()@='\"*$\\\\{}0-9é-]{0,24}") {
            if let Some(path) = Path::read(&text) {
                let _ = path.find(&json!({"a": [{"a": 1}]}));
            }
        }
    }
}
