//! Putting text, data and hashes where a page has room for them, so that none of it breaks out.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// A value as JSON inside of a `<script>` element.
///
/// A script ends at `</script`, whatever its type, and `<!--` hides its end; so no `<` stays. `>` and `&` go along, for those who
/// treat the page as XML, and so do the two line ends that JSON allows and older scripts do not. In JSON these characters
/// only stand inside of strings, where an escape means the same.
pub(super) fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(plain.len() + plain.len() / 16);
    for c in plain.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Ok(safe)
}

/// Text in an element or in a quoted attribute. Control characters, which HTML cannot carry, go.
pub(super) fn text(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

/// A script or a style as the content policy names it (CSP level 3, section 2.3.1).
pub(super) fn source(content: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(content)))
}

/// Puts the parts where the template has their names in double braces.
///
/// What was put in is not looked at again: a record that holds `{{script}}` stays as it is. A name that nobody has a part for
/// stays as well, so that a test finds it.
pub(super) fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut page =
        String::with_capacity(template.len() + parts.iter().map(|(_, part)| part.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let known = after.split_once("}}").and_then(|(name, behind)| {
            parts.iter().find(|(part, _)| *part == name).map(|(_, part)| (*part, behind))
        });
        match known {
            Some((part, behind)) => {
                page.push_str(part);
                rest = behind;
            }
            None => {
                page.push_str("{{");
                rest = after;
            }
        }
    }
    page.push_str(rest);
    page
}
