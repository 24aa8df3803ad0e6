//! Text for people and for XML: lengths of time, counts, and what must not reach a terminal or a file.

/// A length of time as people read it: `80 ms`, `2.31 s`, `3 min 05 s`.
pub(crate) fn time(ms: f64) -> String {
    if !ms.is_finite() || ms < 0.0 {
        return "?".into();
    }
    if ms < 999.5 {
        format!("{ms:.0} ms")
    } else if ms < 59_995.0 {
        format!("{:.2} s", ms / 1_000.0)
    } else {
        let seconds = (ms / 1_000.0).round() as u64;
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// A count with its noun: `1 check`, `2 checks`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The text as a terminal can show it and XML 1.0 can carry it (section 2.2 of the recommendation): colours and control characters go, lines
/// end in a line feed alone, tabs are widened to columns of eight.
///
/// The JUnit writer cleans too, but not well enough for evidence: it drops tabs, which hold the columns of `ip`
/// and `ss` together; an escape sequence that does not end takes all text after it along; and it lets U+FFFE
/// and U+FFFF through, which no parser accepts. After this it finds nothing left to clean.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut column = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{1b}' => rest = after_sequence(rest),
            '\r' if rest.starts_with('\n') => {}
            '\n' | '\r' => {
                clean.push('\n');
                column = 0;
            }
            '\t' => {
                let width = 8 - column % 8;
                clean.extend(std::iter::repeat_n(' ', width));
                column += width;
            }
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => {
                clean.push(c);
                column += 1;
            }
        }
    }
    clean
}

/// What follows a complete control sequence (ECMA-48 section 5.4), given the text after its escape character.
/// Where there is none, nothing is skipped: a stray escape character must not hide evidence.
fn after_sequence(text: &str) -> &str {
    let Some(sequence) = text.strip_prefix('[') else { return text };
    let parameters = sequence.bytes().take_while(|byte| (0x20..=0x3f).contains(byte)).count();
    match sequence.as_bytes().get(parameters) {
        Some(0x40..=0x7e) => &sequence[parameters + 1..],
        _ => text,
    }
}

/// A name or a command, fit to stand within a line.
pub(crate) fn one_line(text: &str) -> String {
    clean(text).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0.0, "0 ms")]
    #[case(80.4, "80 ms")]
    #[case(999.6, "1.00 s")]
    #[case(2_314.0, "2.31 s")]
    #[case(59_999.0, "1 min 00 s")]
    #[case(185_000.0, "3 min 05 s")]
    #[case(f64::NAN, "?")]
    #[case(-1.0, "?")]
    fn lengths_are_readable(#[case] ms: f64, #[case] expected: &str) {
        assert_eq!(time(ms), expected);
    }

    #[rstest]
    #[case(0, "0 checks")]
    #[case(1, "1 check")]
    #[case(12, "12 checks")]
    fn counts_agree_with_their_noun(#[case] number: usize, #[case] expected: &str) {
        assert_eq!(count(number, "check"), expected);
    }

    #[rstest]
    #[case("a\tb\n\tc", "a       b\n        c")]
    #[case("a\r\nb\rc", "a\nb\nc")]
    #[case("a\u{fffe}\u{ffff}\u{0}\u{9b}b", "ab")]
    #[case("\u{1b}[1;31mred\u{1b}[0m", "red")]
    #[case("a\u{1b}]0;title", "a]0;title")]
    #[case("\u{1b}[\u{1b}[31mé", "[é")]
    fn what_xml_cannot_carry_goes(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(clean(text), expected);
    }

    proptest::proptest! {
        #[test]
        fn the_junit_writer_finds_nothing_left_to_clean(text: String) {
            let cleaned = clean(&text);
            let written = quick_junit::XmlString::new(&cleaned).into_string();
            proptest::prop_assert_eq!(written, cleaned.as_str());
            proptest::prop_assert_eq!(clean(&cleaned), cleaned);
        }
    }
}
