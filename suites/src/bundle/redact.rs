//! Taking secrets out of texts, so that a bundle can be given away.
//!
//! What lives here: a secret gets a number, the same everywhere, so that two that differ can still be told apart; where one was
//! found beyond doubt, it is taken out of all other texts, too. What does not: where secrets stand (`secrets`).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::secrets::{Pattern, is_secret_name};

/// Shorter secrets are taken out only where they were found: elsewhere they are parts of other words.
const WORD: usize = 4;
/// Secrets from this length on are taken out wherever they are, even inside of other words.
const ANYWHERE: usize = 8;
/// Kubernetes keeps what was applied in an annotation; of a Secret that is the secret.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes secrets out of the texts of one bundle.
#[derive(Debug, Default, Clone)]
pub struct Redactor {
    /// Secrets with their numbers.
    numbers: BTreeMap<String, usize>,
    /// What stands for the same secret in another writing.
    writings: BTreeMap<String, usize>,
}

impl Redactor {
    /// One that knows no secret yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks for secrets in a text, to take them out of all others.
    pub fn learn(&mut self, text: &str) {
        let patterns = Pattern::of(text).filter(|pattern| pattern.certain);
        let mut text = std::borrow::Cow::Borrowed(text);
        for pattern in patterns {
            // What one pattern has found is nothing for the next.
            if let Some(changed) = pattern.replace(&text, |secret| self.number(secret)) {
                text = changed.into();
            }
        }
    }

    /// Takes the values of variables with telling names and of Secrets out of an object of Kubernetes (or a list), and
    /// remembers them.
    pub fn object(&mut self, object: &mut Json) {
        match object {
            Json::Array(all) => all.iter_mut().for_each(|one| self.object(one)),
            Json::Object(fields) => {
                if fields.get("kind").and_then(Json::as_str) == Some("Secret") {
                    for key in ["data", "stringData"] {
                        let values = fields.get_mut(key).and_then(Json::as_object_mut);
                        values.into_iter().flatten().for_each(|(_, value)| self.value_of_secret(value));
                    }
                    let annotations =
                        fields.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
                    annotations.and_then(Json::as_object_mut).and_then(|all| all.remove(APPLIED));
                }
                let named = fields.get("name").and_then(Json::as_str).is_some_and(is_secret_name);
                if named && let Some(Json::String(value)) = fields.get_mut("value") {
                    *value = self.number(value);
                }
                fields.iter_mut().for_each(|(_, value)| self.object(value));
            }
            _ => {}
        }
    }

    fn value_of_secret(&mut self, value: &mut Json) {
        let Json::String(text) = value else { return };
        let known = self.number(text);
        if let Ok(bytes) = STANDARD.decode(text.as_bytes())
            && let Ok(clear) = String::from_utf8(bytes)
            && let Some(number) = self.numbers.get(text.trim()).copied()
        {
            // Of a file with several lines each is a secret.
            for line in clear.lines().map(str::trim).filter(|line| line.len() >= WORD) {
                self.writings.entry(line.to_owned()).or_insert(number);
            }
        }
        *value = Json::String(known);
    }

    /// What stands for a secret from now on.
    fn number(&mut self, secret: &str) -> String {
        let secret = secret.trim();
        if secret.starts_with("<redacted") || secret.is_empty() {
            return secret.to_owned();
        }
        if let Some(number) = self.writings.get(secret) {
            return mark(*number);
        }
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(secret.to_owned()).or_insert(next);
        // As it stands in a JSON string, in a Secret, and in a line of YAML with quotes.
        let json = Json::from(secret).to_string();
        self.writings.insert(json.trim_matches('"').to_owned(), number);
        self.writings.insert(STANDARD.encode(secret), number);
        mark(number)
    }

    /// The text without secrets, and how many were taken out.
    pub fn redact(&self, text: &str) -> (String, usize) {
        let mut text = text.to_owned();
        let mut count = 0;
        let mut known: Vec<(&str, usize)> = self
            .numbers
            .iter()
            .chain(&self.writings)
            .map(|(secret, number)| (secret.as_str(), *number))
            .collect();
        // The longest first: one secret may be a part of another.
        known.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        // A mark is no hint: what no pattern may find at first, none may find later.
        for pattern in Pattern::of(&text) {
            let changed = pattern.replace(&text, |secret| {
                count += 1;
                let trimmed = secret.trim();
                let number = self.numbers.get(trimmed).or_else(|| self.writings.get(trimmed));
                number.map_or_else(|| "<redacted>".to_owned(), |number| mark(*number))
            });
            text = changed.unwrap_or(text);
        }
        for (secret, number) in known {
            if secret.len() >= WORD && text.contains(secret) {
                text = everywhere(&text, secret, &mark(number), &mut count);
            }
        }
        (text, count)
    }
}

fn mark(number: usize) -> String {
    format!("<redacted:{number}>")
}

/// Puts a mark in the place of a secret; of a short one only where it is a word of its own.
fn everywhere(text: &str, secret: &str, mark: &str, count: &mut usize) -> String {
    let inside = |character: Option<char>| {
        character.is_some_and(|one| one.is_alphanumeric() || one == '_' || one == '-')
    };
    let mut made = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(secret) {
        let end = at + secret.len();
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(end..).unwrap_or_default());
        if secret.len() < ANYWHERE && (inside(before.chars().next_back()) || inside(after.chars().next())) {
            continue;
        }
        made.push_str(text.get(done..at).unwrap_or_default());
        made.push_str(mark);
        done = end;
        *count += 1;
    }
    made.push_str(text.get(done..).unwrap_or_default());
    made
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
