//! Text of others inside Markdown: nothing in it may become markup, a mention or the end of a table's cell.

use crate::text::clean;

/// The text on one line, as it reads, in a paragraph or a cell.
pub(crate) fn inline(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '\n' => safe.push(' '),
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // A name behind it would be told of this run, a number would become a link.
            '@' => safe.push_str("&#64;"),
            '#' => safe.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '~' | '|' | '[' | ']' | '!' | '$' | '(' | ')' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
    }
    safe
}

/// The text on one line inside an element of HTML, where Markdown is not read.
pub(crate) fn html(text: &str) -> String {
    let text = clean(text).replace('\n', " ").replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;").replace('@', "&#64;")
}

/// The text as a block of code: the fence is longer than any in it.
pub(crate) fn block(text: &str) -> String {
    let text = clean(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}
