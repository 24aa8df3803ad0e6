//! The keys of a mapping, taken one by one: what was asked for is what is known, so a key nobody asked for is a mistake,
//! and the nearest one that was asked for is what the user probably meant.

use super::diagnostic::{Diagnostics, Scope};
use super::from_tree::FromTree;
use super::location::Location;
use super::tree::{Entry, Mapping, Node, Value};

/// The mapping being read, and which of its keys were asked for.
#[derive(Debug)]
#[must_use = "call `finish`, or unknown keys go unnoticed"]
pub struct Fields<'a> {
    entries: &'a [Entry],
    at: &'a Location,
    what: String,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Begins to read a mapping. `what` names it in messages, with its article: `a phase`. A node that says nothing is
    /// an empty mapping; a list or a text is an error.
    pub fn of(node: &'a Node, what: impl Into<String>, ctx: &mut Diagnostics) -> Option<Self> {
        let what = what.into();
        let entries: &[Entry] = match &node.value {
            Value::Mapping(Mapping { entries }) => entries,
            Value::Scalar(scalar) if scalar.is_null() => &[],
            _ => {
                ctx.error(&node.at, format!("expected {what} as a mapping, found {}", node.describe()))
                    .help("write `key: value` lines, indented below it");
                return None;
            }
        };
        Some(Self { entries, at: &node.at, what, asked: Vec::new() })
    }

    /// Where the mapping starts.
    pub fn at(&self) -> &'a Location {
        self.at
    }

    /// The value of a key, unless it is absent or says nothing.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value).filter(|value| !value.is_null())
    }

    /// The entry of a key, also when it says nothing.
    pub fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key as a type. `None` when it is absent, says nothing, or is wrong (which is then noted).
    pub fn optional<T: FromTree>(&mut self, key: &'static str, ctx: &mut Diagnostics) -> Option<T> {
        T::from_tree(self.node(key)?, ctx)
    }

    /// The value of a key as a type. `None`, with an error noted, when it is absent, says nothing, or is wrong.
    pub fn required<T: FromTree>(&mut self, key: &'static str, ctx: &mut Diagnostics) -> Option<T> {
        match self.node(key) {
            Some(node) => T::from_tree(node, ctx),
            None => {
                let at =
                    self.entries.iter().find(|entry| entry.key == key).map_or(self.at, |entry| &entry.key_at);
                ctx.error(at, format!("{} needs the key `{key}`", self.what))
                    .help(format!("add `{key}: ...`"));
                None
            }
        }
    }

    /// Keys that the format knows and this program does not honour: each one there is a warning that names it. `why`
    /// completes "is not honoured: ".
    pub fn not_honoured(&mut self, keys: &[&'static str], why: &str, ctx: &mut Diagnostics) {
        for key in keys {
            if let Some(entry) = self.entry(key) {
                ctx.warning(&entry.key_at, format!("`{key}` of {} is not honoured: {why}", self.what));
            }
        }
    }

    /// Keys that containers honour and nodes of namespaces do not: each one there is a warning for those. `why` completes
    /// "is not honoured in namespaces: ".
    pub fn not_honoured_in_namespaces(&mut self, keys: &[&'static str], why: &str, ctx: &mut Diagnostics) {
        for key in keys {
            if let Some(entry) = self.entry(key) {
                let message = format!("`{key}` of {} is not honoured in namespaces: {why}", self.what);
                ctx.warning(&entry.key_at, message).scope = Scope::Namespaces;
            }
        }
    }

    /// Keys that the format knows and that change nothing here: accepted in silence.
    pub fn of_no_effect(&mut self, keys: &[&'static str]) {
        self.asked.extend_from_slice(keys);
    }

    /// The entries nobody asked for so far: for mappings that have free keys besides fixed ones.
    pub fn rest(&self) -> impl Iterator<Item = &'a Entry> + use<'a, '_> {
        self.entries.iter().filter(|entry| !self.asked.contains(&entry.key.as_str()))
    }

    /// Ends the reading: every key nobody asked for is an error, with the nearest one that was asked for.
    pub fn finish(self, ctx: &mut Diagnostics) {
        for entry in self.rest() {
            let help = match nearest(&entry.key, self.asked.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.asked.len() <= 16 => format!("it has {}", listed(&self.asked)),
                None => "remove it".to_owned(),
            };
            ctx.error(&entry.key_at, format!("{} has no key `{}`", self.what, entry.key)).help(help);
        }
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The word of `known` that `word` was probably meant to be, if any is near enough.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let wanted = plain(word);
    let reach = (wanted.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
