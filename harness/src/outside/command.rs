//! One run of a program of others: its command line, its lines as they come, its limit, and what its failure means.
//!
//! What lives here: running. What does not: which command lines there are (`kind`, `helm`, `containerlab`), what failures mean
//! (`known`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::known::{self, Cause};
use super::limits::Limit;
use super::machine::Machine;
use crate::tools::child::{self, Line};

/// How many of the last lines an error repeats.
const TAIL: usize = 12;

/// A command line of another program's.
#[derive(Debug, Clone)]
pub(crate) struct Outside {
    program: PathBuf,
    args: Vec<String>,
    dir: PathBuf,
    env: Vec<(String, String)>,
    limit: Limit,
    secret: bool,
}

/// What a program said that ended well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its standard output.
    pub(crate) out: String,
    /// Both its streams, in the order in which their lines came.
    pub(crate) all: Vec<String>,
}

/// A program of others did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OutsideError {
    /// It could not be started.
    #[error("`{line}` could not be started: {source}")]
    Start {
        /// The command line.
        line: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// It ended badly.
    #[error("`{line}` ended with {how}{}", told(.cause.as_ref(), .tail))]
    Failed {
        /// The command line.
        line: String,
        /// Its exit code, or the signal.
        how: String,
        /// What it means, where that is known.
        cause: Option<Cause>,
        /// The last it said.
        tail: Vec<String>,
    },
    /// It took too long.
    #[error("`{line}` was not done after {} s ({limit}) and was ended{}", .limit.time().as_secs(), told(.cause.as_ref(), .tail))]
    TooLong {
        /// The command line.
        line: String,
        /// What it was given.
        limit: Limit,
        /// What it means, where that is known.
        cause: Option<Cause>,
        /// The last it said.
        tail: Vec<String>,
    },
}

fn told(cause: Option<&Cause>, tail: &[String]) -> String {
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    if tail.is_empty() {
        return format!("{cause}\n  it said nothing");
    }
    format!("{cause}\n  it said: {}", tail.join("\n           "))
}

impl Outside {
    /// A command line, run in `dir`, that may take as long as `limit`.
    pub(crate) fn new<S: Into<String>>(
        program: &Path,
        args: impl IntoIterator<Item = S>,
        dir: &Path,
        limit: Limit,
    ) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        Self { program: program.to_owned(), args, dir: dir.to_owned(), env: Vec::new(), limit, secret: false }
    }

    /// With a variable in its environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// What it writes to its standard output is nobody's business but ours: it is not told.
    pub(crate) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The command line as one would type it, without where the program is.
    pub(crate) fn line(&self) -> String {
        let name = self.program.file_name().map(|name| name.to_string_lossy().into_owned());
        let words = name.into_iter().chain(self.args.iter().cloned());
        shell_words::join(words)
    }

    /// How long it may take.
    pub(crate) fn limit(&self) -> &Limit {
        &self.limit
    }

    /// The program's name.
    fn name(&self) -> String {
        self.program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Runs it to its end; `each` hears every line of either stream as it comes. Dropping the future kills it, and everything in
    /// its process group.
    pub(crate) async fn run(&self, mut each: impl FnMut(&str)) -> Result<Said, OutsideError> {
        let began = Instant::now();
        let mut said = Said::default();
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(&self.dir).envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = child::lines(command, |line| {
            let (text, out) = match line {
                Line::Out(text) => (text, true),
                Line::Err(text) => (text, false),
            };
            let text = uncoloured(&text);
            if out {
                said.out.push_str(&text);
                said.out.push('\n');
            }
            let hidden = out && self.secret;
            if !hidden && !text.trim().is_empty() {
                each(&text);
                said.all.push(text);
            }
        });
        let ended = tokio::time::timeout(self.limit.time(), running).await;
        let line = self.line();
        let status = match ended {
            Ok(Ok(status)) if status.success() => return Ok(said),
            Ok(Err(source)) => return Err(OutsideError::Start { line, source }),
            Ok(Ok(status)) => Some(status),
            Err(_) => None,
        };
        let cause = known::cause(&self.name(), &said.all.join("\n"), &Machine::here());
        let tail = said.all.iter().skip(said.all.len().saturating_sub(TAIL)).cloned().collect();
        tracing::info!(%line, took = ?began.elapsed(), "a program of others failed");
        Err(match status {
            Some(status) => OutsideError::Failed { line, how: how(status), cause, tail },
            None => OutsideError::TooLong { line, limit: self.limit.clone(), cause, tail },
        })
    }
}

fn how(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no code".to_owned(),
    }
}

/// A line without a terminal's colours.
fn uncoloured(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\u{1b}' {
            plain.push(char);
            continue;
        }
        if chars.next() == Some('[') {
            // A control sequence ends with its first letter.
            chars.find(|char| ('@'..='~').contains(char));
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(text: &str, seconds: u64) -> Outside {
        let limit = Limit::of(Duration::from_secs(seconds), "for the test");
        Outside::new(Path::new("/bin/sh"), ["-c", text], Path::new("/"), limit)
    }

    #[tokio::test]
    async fn lines_are_handed_on_and_kept() {
        let mut heard = Vec::new();
        let script = "echo a; printf '\\033[1mb\\033[0m\\n' >&2; pwd; echo $X";
        let said = shell(script, 10).env("X", "set").run(|line| heard.push(line.to_owned())).await.unwrap();
        assert_eq!(said.out, "a\n/\nset\n");
        let mut all = said.all.clone();
        all.sort();
        assert_eq!((all, said.all), (vec!["/".into(), "a".into(), "b".into(), "set".to_owned()], heard));
    }

    #[tokio::test]
    async fn a_secret_is_for_us_alone() {
        let mut heard = Vec::new();
        let said = shell("echo token; echo told >&2", 10).secret();
        let said = said.run(|line| heard.push(line.to_owned())).await.unwrap();
        assert_eq!(
            (said.out.as_str(), said.all, heard),
            ("token\n", vec!["told".to_owned()], vec!["told".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_failure_says_line_code_and_last_words() {
        let error = shell("echo no >&2; exit 7", 10).run(|_| ()).await.unwrap_err();
        assert_eq!(error.to_string(), "`sh -c 'echo no >&2; exit 7'` ended with code 7\n  it said: no");
        let error = Outside::new(
            Path::new("/nowhere/kind"),
            ["version"],
            Path::new("/"),
            Limit::of(Duration::from_secs(1), "x"),
        );
        let error = error.run(|_| ()).await.unwrap_err();
        assert!(error.to_string().starts_with("`kind version` could not be started: "), "{error}");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended_and_its_limit_told() {
        // No sleep of ours: the command never ends by itself.
        let error = shell("echo begun; exec tail -f /dev/null", 1).run(|_| ()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("not done after 1 s (1 s for the test) and was ended"), "{text}");
        assert!(text.ends_with("it said: begun"), "{text}");
    }
}
