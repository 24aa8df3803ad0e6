//! YAML lines with their comments: a writer that knows indentation and nothing else.

use serde_json::Value as Json;

use super::comments::{Around, scalar};

/// Lines of YAML under way.
#[derive(Debug, Default)]
pub(super) struct Emit {
    lines: Vec<String>,
}

impl Emit {
    /// A line at a depth, with the comments of the line that it comes from.
    pub(super) fn line(&mut self, depth: usize, text: &str, around: &Around) {
        let indent = "  ".repeat(depth);
        for comment in &around.above {
            self.lines.push(format!("{indent}{comment}"));
        }
        let behind = around.behind.as_ref().map(|comment| format!(" {comment}")).unwrap_or_default();
        self.lines.push(format!("{indent}{text}{behind}"));
    }

    /// A line of our own.
    pub(super) fn plain(&mut self, depth: usize, text: &str) {
        self.line(depth, text, &Around::default());
    }

    /// A key with any value, in block style.
    pub(super) fn value(&mut self, depth: usize, key: &str, value: &Json) {
        match value {
            Json::Object(map) if !map.is_empty() => {
                self.plain(depth, &format!("{key}:"));
                map.iter().for_each(|(key, value)| self.value(depth + 1, &scalar(key), value));
            }
            Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                self.plain(depth, &format!("{key}:"));
                items.iter().for_each(|item| self.item(depth, item));
            }
            other => self.plain(depth, &format!("{key}: {}", flow(other))),
        }
    }

    fn item(&mut self, depth: usize, item: &Json) {
        let Json::Object(map) = item else { return self.plain(depth, &format!("- {}", flow(item))) };
        if map.is_empty() {
            return self.plain(depth, "- {}");
        }
        let first = self.lines.len();
        map.iter().for_each(|(key, value)| self.value(depth + 1, &scalar(key), value));
        // The first line of an item has the dash where its indentation ends.
        if let Some(line) = self.lines.get_mut(first) {
            let indent = "  ".repeat(depth);
            *line = format!("{indent}- {}", line.trim_start());
        }
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.lines.join("\n") + "\n"
    }
}

fn flow(value: &Json) -> String {
    match value {
        Json::String(text) => scalar(text),
        Json::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let all: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            if all.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", all.join(", ")) }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use fabric_harness::lab::yaml::{Diagnostics, parse};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Json {
        let mut noted = Diagnostics::new();
        let tree = parse(std::path::Path::new("x.yaml"), text, &mut noted);
        assert!(!noted.has_errors(), "{text}");
        tree.unwrap().to_json()
    }

    #[test]
    fn lists_of_objects_have_their_dashes() {
        let mut emit = Emit::default();
        emit.value(0, "a", &json!([{"b": 1, "c": [{"d": "x"}]}, 2]));
        assert_eq!(emit.finish(), "a:\n- b: 1\n  c:\n  - d: x\n- 2\n");
    }

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i32>().prop_map(Json::from),
            "[ -~]{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            let objects = prop::collection::btree_map("[a-z]{1,5}", inner.clone(), 0..4);
            prop_oneof![
                // A list of empty objects and lists is written as such.
                prop::collection::vec(inner, 0..4).prop_map(Json::from),
                objects.prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in any_json()) {
            let mut emit = Emit::default();
            emit.value(0, "root", &value);
            let text = emit.finish();
            prop_assert_eq!(&read(&text)["root"], &value, "{}", text);
        }
    }
}
