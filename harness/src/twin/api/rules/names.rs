//! Names, label keys and label values.
//!
//! What lives here: RFC 1123 and RFC 1035 names, qualified names, and what a Kubernetes server says of a bad one. What does
//! not: which kind of name a resource takes (`check`).

use serde_json::Value;

use crate::twin::api::Cause;

/// What a name may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// RFC 1123 subdomain, at most 253 characters.
    Subdomain,
    /// RFC 1123 label, at most 63 characters.
    Label,
    /// RFC 1035 label: an RFC 1123 label that begins with a letter.
    Rfc1035,
}

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
    must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and \
    end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const RFC1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
    character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
    '[a-z]([-a-z0-9]*[a-z0-9])?')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
    alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

fn label(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(fine) && !text.starts_with('-') && !text.ends_with('-')
}

fn word(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(fine) && end(text.chars().next()) && end(text.chars().next_back())
}

/// What is wrong with a name, in a server's words.
pub(super) fn wrong_name(form: Form, name: &str) -> Option<String> {
    let (most, good, words) = match form {
        Form::Subdomain => (253, name.split('.').all(label), SUBDOMAIN),
        Form::Label => (63, label(name), LABEL),
        Form::Rfc1035 => (63, label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()), RFC1035),
    };
    if name.len() > most {
        return Some(format!("must be no more than {most} bytes"));
    }
    (!good).then(|| words.to_owned())
}

/// What is wrong with the keys and values of labels.
pub(super) fn wrong_labels(labels: &Value, field: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        if let Some(words) = wrong_key(key) {
            causes.push(Cause::invalid(field, &Value::String(key.clone()), &words));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid(field, value, "must be no more than 63 bytes"));
        } else if !text.is_empty() && !word(text) {
            causes.push(Cause::invalid(field, value, VALUE));
        }
    }
    causes
}

/// What is wrong with the keys of annotations, and with their size.
pub(super) fn wrong_annotations(annotations: &Value, field: &str) -> Vec<Cause> {
    const LIMIT: usize = 256 << 10;
    let mut causes = Vec::new();
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        if let Some(words) = wrong_key(&key.to_lowercase()) {
            causes.push(Cause::invalid(field, &Value::String(key.clone()), &words));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > LIMIT {
        let message = format!("Too long: may not be more than {LIMIT} bytes");
        causes.push(Cause { field: field.to_owned(), reason: "FieldValueTooLong", message });
    }
    causes
}

fn wrong_key(key: &str) -> Option<String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix
        && let Some(words) = wrong_name(Form::Subdomain, prefix)
    {
        return Some(format!("prefix part {words}"));
    }
    if name.is_empty() {
        return Some("name part must be non-empty".into());
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes".into());
    }
    (!word(name)).then(|| QUALIFIED.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(Form::Subdomain, "rack0.example", true)]
    #[case(Form::Subdomain, "Rack0", false)]
    #[case(Form::Subdomain, "a..b", false)]
    #[case(Form::Subdomain, "-a", false)]
    #[case(Form::Label, "a.b", false)]
    #[case(Form::Label, "0a", true)]
    #[case(Form::Rfc1035, "0a", false)]
    #[case(Form::Rfc1035, "a0", true)]
    fn named(#[case] form: Form, #[case] name: &str, #[case] good: bool) {
        assert_eq!(wrong_name(form, name).is_none(), good, "{name}");
    }

    #[rstest]
    #[case(json!({"rack": "rack0", "node-role.kubernetes.io/control-plane": ""}), 0)]
    #[case(json!({"rack": "rack 0"}), 1)]
    #[case(json!({"ra ck": "rack0"}), 1)]
    #[case(json!({"/a": "b"}), 1)]
    #[case(json!({"a/": "b-"}), 2)]
    fn labelled(#[case] labels: Value, #[case] wrong: usize) {
        assert_eq!(wrong_labels(&labels, "metadata.labels").len(), wrong);
    }

    proptest! {
        #[test]
        fn a_name_of_any_letters_is_judged(name in ".{0,300}") {
            let _ = wrong_name(Form::Subdomain, &name);
            let _ = wrong_labels(&json!({name.clone(): name.clone()}), "x");
            let _ = wrong_annotations(&json!({name: ""}), "x");
        }
    }
}
