//! The page itself: HTML around the drawing, its style and its script, each a file of its own, so that the page's policy can forbid
//! everything that is not from where the page is.

use crate::drawing;

const HTML: &str = include_str!("page/live.html");
const STYLE: &str = include_str!("page/live.css");

/// The script: what it does when the page is told something.
pub const JS: &str = include_str!("page/live.js");

/// The style, that of drawings included.
pub fn css() -> String {
    format!("{STYLE}\n{}", drawing::CSS)
}

/// The page of a fabric of this name, with its first drawing.
pub fn page(fabric: &str, svg: &str) -> String {
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
    };
    // The drawing last: what it says is not to be taken for a place to be filled.
    let name = escaped(&crate::text::clean(fabric));
    let (before, after) = HTML.split_once("{{drawing}}").unwrap_or((HTML, ""));
    format!("{}{svg}{}", before.replace("{{fabric}}", &name), after.replace("{{fabric}}", &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_in_the_page() {
        let page = page("<script>{{drawing}}</script>", "<svg>{{fabric}}</svg>");
        assert!(page.contains("&lt;script&gt;{{drawing}}&lt;/script&gt;"));
        assert_eq!(page.matches("<script").count(), 1, "only the page's own");
        assert_eq!(page.matches("<svg>{{fabric}}</svg>").count(), 1);
    }

    #[test]
    fn the_page_asks_nobody_else_for_anything() {
        let own = [HTML, STYLE, JS, drawing::CSS].concat();
        let elsewhere = own.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !elsewhere.contains("http:") && !elsewhere.contains("https:") && !elsewhere.contains("@import")
        );
        // What a page's policy would refuse.
        assert!(!HTML.contains(" style=") && !HTML.contains(" onclick="));
    }
}
