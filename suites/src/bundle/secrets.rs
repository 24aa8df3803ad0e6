//! Where secrets stand in texts: the patterns.
//!
//! What lives here: finding them. What does not: taking them out everywhere (`redact`).

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// A pattern, and whether what it finds is to be looked for in all other texts, too: only where the place leaves no doubt
/// that it is a secret.
pub(super) struct Pattern {
    regex: Regex,
    family: Family,
    pub(super) certain: bool,
}

/// Patterns whose secrets are near the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Named,
    Key,
    Likely,
}

impl Family {
    /// Words of which a text has one, in small letters, if there is anything to find: most texts are long and have none.
    fn hints(self) -> &'static [&'static str] {
        match self {
            Self::Named => &HINTS,
            Self::Key => &["private key"],
            Self::Likely => &["authorization", "eyj", "://", "community"],
        }
    }
}

/// What can stand around the value of a key: quotes, or nothing up to the next blank.
const VALUE: &str =
    r#"(?:"(?P<a>(?:[^"\\\n]|\\.)*)"|'(?P<b>[^'\n]*)'|\\"(?P<c>(?:[^"\\\n])*)\\"|(?P<d>[^\s"'\\,;{}\[\]]+))"#;

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let key = r#"(?i:[\w.\-/]*(?:passwo?r?d|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|key-data|credentials?))"#;
    let certain = [
        // FRR, a line of its own: the rest of it is the password, whatever it holds.
        r"(?m)^[ \t]*neighbor[ \t]+\S+[ \t]+password[ \t]+(?P<a>\S[^\r\n]*?)[ \t]*\r?$".to_owned(),
        // The same in a command line, or in a JSON string.
        r#"neighbor[ \t]+[^\s'"\\]+[ \t]+password[ \t]+(?:8[ \t]+)?(?P<a>[^\s'"\\]+)"#.to_owned(),
        r#"(?:message-digest-key[ \t]+\d+[ \t]+md5|ip ospf authentication-key|(?:isis|area-|domain-)[ \t]?password[ \t]+(?:clear|md5)|key-string|ip rip authentication string)[ \t]+(?P<a>[^\s'"\\]+)"#.to_owned(),
        // BIRD.
        r#"\bpassword[ \t]+"(?P<a>[^"\n]+)"[ \t]*[;{]"#.to_owned(),
        // FRR's own terminal.
        r#"(?m)^[ \t]*(?:enable[ \t]+)?password[ \t]+(?:8[ \t]+)?(?P<a>[^\s"';]+)[ \t]*\r?$"#.to_owned(),
        // GoBGP's configuration, and what it answers.
        format!(r#"(?i:\\?"?auth[_-]?password\\?"?)[ \t]*[:=][ \t]*{VALUE}"#),
        // Keys that are called so: a line of YAML whose value may have blanks; then JSON, TOML, variables of an environment.
        format!(r#"(?m)^[ \t\-]*{key}:[ \t]+(?P<a>[^\s"'{{}}\[\]|>&*,][^\r\n,]*?)[ \t]*\r?$"#),
        format!(r#"(?:\b|_){key}\\?"?[ \t]*[:=][ \t]*{VALUE}"#),
        format!(r#"--(?i:password|token|secret|api-key)[ =]{VALUE}"#),
        // A variable of a container's: its name, then its value.
        format!(r#"(?i:"?name"?[ \t]*:[ \t]*"?[\w.\-]*(?:password|passwd|secret|token|api_?key|private_?key|access_?key|credentials?)"?[ \t]*,?\s*(?:-[ \t]*)?"?value"?[ \t]*:[ \t]*){VALUE}"#),
    ];
    let likely = [
        r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<a>.*?)-----END [A-Z ]*PRIVATE KEY-----",
        r#"(?i)authorization\\?"?[ \t]*:[ \t]*\\?"?(?:bearer|basic)[ \t]+(?P<a>[A-Za-z0-9._~+/\-]+=*)"#,
        r"(?P<a>\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*)",
        r"://[^/\s:@]+:(?P<a>[^/\s@]+)@",
        r"(?i)snmp-server community (?P<a>\S+)",
    ];
    let made = |(text, certain): (&str, bool)| {
        let family = match certain {
            _ if text.contains("PRIVATE") => Family::Key,
            true => Family::Named,
            false => Family::Likely,
        };
        Regex::new(text).ok().map(|regex| Pattern { regex, family, certain })
    };
    let certain = certain.iter().map(|text| (text.as_str(), true));
    certain.chain(likely.into_iter().map(|text| (text, false))).filter_map(made).collect()
});

/// What is near every secret that is found by its name.
const HINTS: [&str; 14] = [
    "passw",
    "pasword",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "private",
    "access",
    "key-",
    "credential",
    "message-digest",
    "authentication",
];

/// Words in a secret's place that are none: what switches something, and what says that nothing is there.
const HARMLESS: [&str; 12] =
    ["true", "false", "null", "none", "yes", "no", "on", "off", "required", "optional", "nil", "~"];

impl Pattern {
    /// The patterns that may find something in a text, those first that know best.
    pub(super) fn of(text: &str) -> impl Iterator<Item = &'static Pattern> + use<> {
        // Each text is searched for hints once, not once for each pattern.
        let small = text.to_ascii_lowercase();
        let hinted = |family: &Family| family.hints().iter().any(|hint| small.contains(hint));
        let there: Vec<Family> =
            [Family::Named, Family::Key, Family::Likely].into_iter().filter(hinted).collect();
        PATTERNS.iter().filter(move |pattern| there.contains(&pattern.family))
    }

    /// Calls `change` for each secret and puts what it gives in the secret's place.
    pub(super) fn replace(&self, text: &str, mut change: impl FnMut(&str) -> String) -> Option<String> {
        let mut made = String::new();
        let mut done = 0;
        for found in self.regex.captures_iter(text) {
            let Some(value) = value(&found) else { continue };
            if is_harmless(value.as_str()) {
                continue;
            }
            made.push_str(text.get(done..value.start()).unwrap_or_default());
            made.push_str(&change(value.as_str()));
            done = value.end();
        }
        if done == 0 {
            return None;
        }
        made.push_str(text.get(done..).unwrap_or_default());
        Some(made)
    }
}

fn value<'a>(found: &Captures<'a>) -> Option<regex::Match<'a>> {
    // A pattern without alternatives has only the first name.
    ["a", "b", "c", "d"].iter().find_map(|name| found.name(name))
}

/// Nothing, a switch, a small number, a place that is filled in elsewhere, or what stands for a secret already.
fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || HARMLESS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || value.starts_with("<redacted")
        || (value.starts_with("${") && value.ends_with('}'))
        || value.starts_with("{{")
        || value == "$"
        || value == "|"
        || value == ">"
}

/// Whether a variable of this name holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    static NAMES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)(password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|access[_-]?key|credentials?)$").ok()
    });
    NAMES.as_ref().is_some_and(|names| names.is_match(name))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_pattern_is_one() {
        assert_eq!(super::PATTERNS.len(), 15);
    }
}
