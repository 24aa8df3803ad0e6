//! Text in a picture: how wide it will be, what is cut, what is escaped, what an id is made of.

/// About how wide a text is in a sans-serif face of this size, in pixels. Faces differ; this is on the safe side of the
/// common ones.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| ems(c) * size).sum()
}

fn ems(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.32,
        'f' | 'r' | 't' | '-' | '/' | '(' | ')' | '[' | ']' | ' ' | 'I' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' => 0.74,
        c if c.is_ascii() => 0.63,
        c => match console::measure_text_width(c.encode_utf8(&mut [0; 4])) {
            0 => 0.0,
            1 => 0.75,
            _ => 1.1,
        },
    }
}

/// The text, cut with an ellipsis where it is wider than this.
pub(super) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = width("\u{2026}", size);
    for c in text.chars() {
        used += ems(c) * size;
        if used > room {
            break;
        }
        cut.push(c);
    }
    cut.push('\u{2026}');
    cut
}

/// The text as XML carries it, in content and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let clean = crate::text::clean(text);
    let mut escaped = String::with_capacity(clean.len());
    for c in clean.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("&#10;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The text as a part of an id: ASCII letters, digits and `-` stay, everything else becomes `_` and its bytes in hex, so
/// that different texts have different ids.
pub fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            slug.push(char::from(byte));
        } else {
            slug.push_str(&format!("_{byte:02x}"));
        }
    }
    slug
}

/// A coordinate as SVG carries it: a tenth of a pixel is enough, and a picture is the same on every machine.
pub(super) fn number(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let text = format!("{rounded:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("tor0", "tor0")]
    #[case("a_b", "a_5fb")]
    #[case("net0.100", "net0_2e100")]
    #[case("\"><script>", "_22_3e_3cscript_3e")]
    #[case("ü", "_c3_bc")]
    fn ids_are_made_of_plain_characters(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(slug(text), expected);
    }

    #[rstest]
    #[case("a<b & \"c\" 'd'>", "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;")]
    #[case("a\u{0}\u{1b}[31mb", "ab")]
    fn what_xml_cannot_carry_is_gone(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(escaped(text), expected);
    }

    #[rstest]
    #[case(1.0, "1")]
    #[case(1.25, "1.3")]
    #[case(-0.01, "0")]
    fn numbers_are_short(#[case] value: f64, #[case] expected: &str) {
        assert_eq!(number(value), expected);
    }

    #[test]
    fn what_is_too_wide_is_cut() {
        let cut = fitted("a-name-that-nobody-would-write-but-somebody-does", 13.0, 120.0);
        assert!(cut.ends_with('\u{2026}') && width(&cut, 13.0) <= 120.0, "{cut}");
        assert_eq!(fitted("tor0", 13.0, 120.0), "tor0");
    }
}
