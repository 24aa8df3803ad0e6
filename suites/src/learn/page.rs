//! Lines of YAML, each with its reason.

use std::time::Duration;

/// A line of YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How deep it stands.
    pub depth: usize,
    /// The line.
    pub text: String,
    /// Why it is expected; nothing where the line only holds others.
    pub why: String,
}

impl Line {
    pub(super) fn new(depth: usize, text: impl Into<String>) -> Self {
        Self { depth, text: text.into(), why: String::new() }
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }
}

/// The lines as text. Reasons stand behind what they are about, and above it where that would be too far to the right.
pub(super) fn write(lines: &[Line]) -> String {
    let mut page = String::new();
    for Line { depth, text, why } in lines {
        let indent = "  ".repeat(*depth);
        if why.is_empty() {
            page.push_str(&format!("{indent}{text}\n"));
        } else if indent.len() + text.chars().count() + why.chars().count() < 130 {
            page.push_str(&format!("{indent}{text}  # {why}\n"));
        } else {
            page.push_str(&format!("{indent}# {why}\n{indent}{text}\n"));
        }
    }
    page
}

/// A scalar as YAML takes it, also within `{}` and `[]`: in quotes where it could be read as something else.
pub(super) fn scalar(text: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '(' | ')' | '=' | ':');
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let risky = text.ends_with(':') || text.contains("::") || text.contains(": ");
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | "~"
    );
    // Numbers, and what old readers take for numbers: 1_000, 12:30, 1e3.
    let number = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ':' | '_' | 'e' | 'x' | '-'))
        && text.parse::<std::net::IpAddr>().is_err();
    if begins && text.chars().all(plain) && !risky && !word && !number {
        return text.to_owned();
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{quoted}\"")
}

/// `{ a: 1, b: 2 }`.
pub(super) fn mapping(pairs: &[(&str, String)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}: {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

/// `[a, b]`.
pub(super) fn list<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.as_ref().to_owned()).collect();
    format!("[{}]", values.join(", "))
}

/// One value, or a list of several.
pub(super) fn one_or_list(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        all => list(all),
    }
}

/// A length of time as lab.yaml writes it.
pub(super) fn length(length: Duration) -> String {
    match length.subsec_millis() {
        0 => format!("{}s", length.as_secs()),
        _ => format!("{}ms", length.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("router0", "router0")]
    #[case("tor0:net1", "tor0:net1")]
    #[case("podCIDR(rack=rack0)", "podCIDR(rack=rack0)")]
    #[case("10.0.1.2", "10.0.1.2")]
    #[case("10.0.1.0/24", "10.0.1.0/24")]
    #[case("podCIDR(*)", "\"podCIDR(*)\"")]
    #[case("{a:lo|b:lo}", "\"{a:lo|b:lo}\"")]
    #[case("fd00::1", "\"fd00::1\"")]
    #[case("no", "\"no\"")]
    #[case("65010:100", "\"65010:100\"")]
    #[case("1e3", "\"1e3\"")]
    #[case("*", "\"*\"")]
    fn what_could_be_misread_is_quoted(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(scalar(text), expected);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_read_back(text in "[ -~]{0,12}") {
            let line = format!("{{ key: {}, list: [{}] }}\n", scalar(&text), scalar(&text));
            let read: serde_json::Value = serde_saphyr::from_str(&line).unwrap();
            proptest::prop_assert_eq!(read["key"].as_str(), Some(text.as_str()), "{}", line);
            proptest::prop_assert_eq!(read["list"][0].as_str(), Some(text.as_str()), "{}", line);
        }
    }
}
