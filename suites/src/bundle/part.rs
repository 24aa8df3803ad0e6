//! A part of a bundle: what it is, how it is had, and what became of asking.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabric_harness::node::{Command, NodeRef};
use futures::StreamExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

/// One question has so long; what hangs is a line in the index.
const ANSWER: Duration = Duration::from_secs(8);
/// So many questions are asked at once: most of them start a program.
const AT_ONCE: usize = 12;
/// More than this of one part is cut off, and said.
const LONGEST: usize = 4 * 1024 * 1024;

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text, of which secrets are to be taken out.
    Text(String),
    /// Packets.
    Bytes(Vec<u8>),
}

/// A part that was asked for.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Its name in the bundle.
    pub path: String,
    /// What it is, in a few words.
    pub about: String,
    /// The command, the question, or the file it comes from.
    pub from: String,
    /// When it was asked for.
    pub at: DateTime<Utc>,
    /// How long that took.
    pub took: Duration,
    /// What it holds, or why it could not be had.
    pub content: Result<Content, String>,
}

impl Piece {
    /// A part that is there already.
    pub fn text(
        path: impl Into<String>,
        about: &str,
        from: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        let content = Ok(Content::Text(text.into()));
        Self {
            path: path.into(),
            about: about.into(),
            from: from.into(),
            at: Utc::now(),
            took: Duration::ZERO,
            content,
        }
    }

    /// A part that cannot be had.
    pub fn missing(
        path: impl Into<String>,
        about: &str,
        from: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        let content = Err(why.into());
        Self {
            path: path.into(),
            about: about.into(),
            from: from.into(),
            at: Utc::now(),
            took: Duration::ZERO,
            content,
        }
    }
}

/// A part that is to be asked for.
pub(super) struct Part {
    path: String,
    about: String,
    from: String,
    ask: BoxFuture<'static, Result<Content, String>>,
}

impl Part {
    /// A question of any kind.
    pub(super) fn new(
        path: impl Into<String>,
        about: impl Into<String>,
        from: impl Into<String>,
        ask: impl Future<Output = Result<Content, String>> + Send + 'static,
    ) -> Self {
        Self { path: path.into(), about: about.into(), from: from.into(), ask: Box::pin(ask) }
    }

    /// What a command in a node says. One that fails is kept with what it said.
    pub(super) fn command(path: impl Into<String>, about: &str, node: &NodeRef, argv: &[&str]) -> Self {
        let command = Command::new(argv.iter().copied()).timeout(ANSWER);
        let from = format!("{command} in {}", node.name());
        Self::said(path.into(), about, from, node, command)
    }

    /// What lines of a shell in a node say; `from` is what a person would type.
    pub(super) fn script(
        path: impl Into<String>,
        about: &str,
        node: &NodeRef,
        from: &str,
        script: &str,
    ) -> Self {
        let command = Command::new(["sh", "-c", script]).timeout(ANSWER);
        let from = format!("{from} in {}", node.name());
        Self::said(path.into(), about, from, node, command)
    }

    fn said(path: String, about: &str, from: String, node: &NodeRef, command: Command) -> Self {
        let (node, json) = (node.clone(), path.ends_with(".json"));
        Self::new(path, about, from, async move { said(&node, &command, json).await })
    }

    /// A file of this machine.
    pub(super) fn file(path: impl Into<String>, about: &str, file: &Path) -> Self {
        let (file, from) = (file.to_path_buf(), file.display().to_string());
        Self::new(path, about, from, async move {
            let bytes = tokio::fs::read(&file).await.map_err(|error| error.to_string())?;
            Ok(Content::Text(String::from_utf8_lossy(&bytes).into_owned()))
        })
    }
}

/// What a command says; JSON stays JSON, whatever is complained of beside it.
async fn said(node: &NodeRef, command: &Command, json: bool) -> Result<Content, String> {
    let output = node.exec(command).await.map_err(|error| error.to_string())?;
    let (text, error) = (output.text(), output.error_text());
    if output.success() {
        return Ok(Content::Text(if error.is_empty() || json {
            text
        } else {
            format!("{text}\n# on standard error:\n{error}")
        }));
    }
    if text.trim().is_empty() {
        return Err(format!("it ended with code {}: {}", output.code, error.trim()));
    }
    Ok(Content::Text(format!("{text}\n# it ended with code {}: {}\n", output.code, error.trim())))
}

/// Asks for everything, side by side, until the deadline; what is not there by then is said to be missing.
pub(super) async fn ask(parts: Vec<Part>, until: Instant) -> Vec<Piece> {
    futures::stream::iter(parts).map(|part| one(part, until)).buffer_unordered(AT_ONCE).collect().await
}

async fn one(part: Part, until: Instant) -> Piece {
    let Part { path, about, from, ask } = part;
    let (at, began) = (Utc::now(), Instant::now());
    let content = if began >= until {
        Err("the time for the whole bundle was over before this was asked".to_owned())
    } else {
        let limit = until.min(began + ANSWER);
        match tokio::time::timeout_at(limit, ask).await {
            Ok(content) => content.map(cut),
            Err(_) => Err(format!("no answer after {:.1} s", began.elapsed().as_secs_f64())),
        }
    };
    Piece { path, about, from, at, took: began.elapsed(), content }
}

/// A text that is too long keeps its beginning and its end.
fn cut(content: Content) -> Content {
    match content {
        Content::Text(text) if text.len() > LONGEST => {
            let boundary =
                |from: usize| (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
            let (head, tail) = (boundary(LONGEST / 2), boundary(text.len() - LONGEST / 2));
            let (first, last) = (text.get(..head).unwrap_or_default(), text.get(tail..).unwrap_or_default());
            Content::Text(format!("{first}\n\n# ... {} bytes are left out here ...\n\n{last}", tail - head))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fabric_harness::runtime::prefix::{ExecNode, Prefix};

    use super::*;

    #[tokio::test]
    async fn what_hangs_or_fails_is_a_line_and_keeps_nothing_else() {
        let parts = vec![
            Part::new("a", "hangs", "nobody", std::future::pending()),
            Part::new("b", "fails", "nobody", async { Err("it is broken".to_owned()) }),
            Part::new("c", "works", "somebody", async { Ok(Content::Text("yes".into())) }),
        ];
        let mut pieces = ask(parts, Instant::now() + Duration::from_millis(100)).await;
        pieces.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(pieces[0].content, Err("no answer after 0.1 s".to_owned()));
        assert_eq!(pieces[1].content, Err("it is broken".to_owned()));
        assert_eq!(pieces[2].content, Ok(Content::Text("yes".into())));
    }

    #[tokio::test]
    async fn json_stays_json_whatever_is_complained_of_beside_it() {
        let here = ExecNode::by("here", Prefix::parse("env").unwrap());
        let node: NodeRef = Arc::new(here);
        let line = "echo '{}'; echo complaint >&2";
        let of = |path: &str| Part::script(path, "words", &node, line, line);
        let mut pieces = ask(vec![of("a.json"), of("b.txt")], Instant::now() + ANSWER).await;
        pieces.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(pieces[0].content, Ok(Content::Text("{}\n".into())));
        assert_eq!(pieces[1].content, Ok(Content::Text("{}\n\n# on standard error:\ncomplaint\n".into())));
    }

    #[tokio::test]
    async fn after_the_deadline_nothing_is_asked() {
        let many = (0..100).map(|n| Part::new(n.to_string(), "hangs", "nobody", std::future::pending()));
        let pieces = ask(many.collect(), Instant::now() + Duration::from_millis(100)).await;
        assert_eq!(pieces.len(), 100);
        let never =
            pieces.iter().filter(|piece| piece.content.as_ref().is_err_and(|why| why.contains("was over")));
        assert_eq!(never.count(), 100 - AT_ONCE);
    }

    #[test]
    fn a_long_text_keeps_both_ends() {
        let long = format!("first {} last", "ä".repeat(LONGEST));
        let Content::Text(text) = cut(Content::Text(long)) else { panic!() };
        assert!(text.starts_with("first ") && text.ends_with(" last") && text.contains("bytes are left out"));
        assert!(text.len() < LONGEST + 100);
    }
}
