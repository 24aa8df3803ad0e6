//! YAML as a diagnostic block has it: maps, lists, and text of several lines as it stands.

use serde_json::Value;

use crate::text::clean;

/// A map as the lines of a block, each with this many spaces before it.
pub(super) fn block(map: &[(&str, Value)], indent: usize) -> String {
    map.iter().map(|(key, value)| entry(key, value, indent)).collect()
}

fn entry(key: &str, value: &Value, indent: usize) -> String {
    let before = " ".repeat(indent);
    match value {
        Value::String(text) if text.trim_end().contains('\n') => {
            let lines: String = clean(text)
                .trim_end()
                .lines()
                .map(|line| format!("{}\n", indented(line, indent + 2)))
                .collect();
            // The number says how far the text is indented, whatever its first line begins with.
            format!("{before}{key}: |2\n{lines}")
        }
        Value::Array(all) if !all.is_empty() => {
            let lines: String = all.iter().map(|one| format!("{before}  - {}\n", flow(one))).collect();
            format!("{before}{key}:\n{lines}")
        }
        Value::Object(map) if !map.is_empty() => {
            let inner: String = map.iter().map(|(key, value)| entry(key, value, indent + 2)).collect();
            format!("{before}{key}:\n{inner}")
        }
        other => format!("{before}{key}: {}\n", flow(other)),
    }
}

fn indented(line: &str, indent: usize) -> String {
    if line.is_empty() { String::new() } else { format!("{:indent$}{line}", "") }
}

/// A value in one line: JSON, which YAML contains. Characters that are neither printable nor escaped by JSON go.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => Value::String(clean(text)).to_string(),
        other => clean(&other.to_string()),
    }
}
