//! A node reached by the user's own words: `ssh router0`, `docker exec router0`, `fabric exec router0 --`.
//!
//! What lives here: starting a program of this machine that runs its arguments somewhere else. What does not: the node
//! over it (`carried`).

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use async_trait::async_trait;
use tokio::process::Command as Program;

use super::carried::{Carried, Carrier, CarryError, Started};

/// Words that run the words after them in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    words: Vec<String>,
}

/// A node reached by a prefix.
pub type ExecNode = Carried<Prefix>;

impl Prefix {
    /// A prefix as a shell would split it.
    ///
    /// # Errors
    /// When quotes are not closed, or there is no word; the text says so.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = shell_words::split(text).map_err(|error| format!("`{text}`: {error}"))?;
        if words.is_empty() {
            return Err("it names no program".to_owned());
        }
        Ok(Self { words })
    }

    /// The prefix with a command line behind it, for people to type.
    pub fn typed(&self, line: &str) -> String {
        let words = shell_words::join(&self.words);
        if self.wants_one_word() {
            format!("{words} {}", shell_words::quote(line))
        } else {
            format!("{words} {line}")
        }
    }

    /// ssh joins its arguments with spaces and gives them to a shell at the other end; so does whatever ends in `-c`.
    fn wants_one_word(&self) -> bool {
        let base = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
        self.words.iter().any(|word| base(word) == "ssh")
            || self.words.last().is_some_and(|word| word == "-c")
    }

    fn line(&self, argv: Vec<String>) -> Vec<String> {
        let mut line = self.words.clone();
        if self.wants_one_word() {
            line.push(shell_words::join(argv));
        } else {
            line.extend(argv);
        }
        line
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shell_words::join(&self.words))
    }
}

#[async_trait]
impl Carrier for Prefix {
    async fn start(&self, argv: Vec<String>, stdin: bool, terminal: bool) -> Result<Started, CarryError> {
        if terminal {
            return Err(CarryError::Cannot(format!("`{self}` is given no terminal; type it in your own")));
        }
        let line = self.line(argv);
        let Some((program, arguments)) = line.split_first() else {
            return Err(CarryError::other("it names no program"));
        };
        let mut command = Program::new(program);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command.stdin(if stdin { Stdio::piped() } else { Stdio::null() });
        // A Ctrl-C at the terminal is ours to act on, not theirs.
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                CarryError::other(format!("this machine has no program `{program}`"))
            }
            _ => CarryError::Io(error),
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdout), Some(stderr)) = (stdout, stderr) else {
            return Err(CarryError::other("it has no pipes"));
        };
        let code = async move {
            let status = child.wait().await.map_err(CarryError::Io)?;
            Ok(status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1))
        };
        Ok(Started {
            stdin: stdin.map(|stream| Box::new(stream) as _),
            stdout: Box::new(stdout),
            stderr: Some(Box::new(stderr)),
            code: Box::pin(code),
            terminal: None,
            keep: Box::new(()),
        })
    }

    fn carries_end_of_input(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        format!("what `{self}` reaches")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::ssh("ssh -p 22 root@router0", "ssh -p 22 root@router0 'vtysh -c '\\''show bgp'\\'''")]
    #[case::docker("docker exec router0", "docker exec router0 vtysh -c 'show bgp'")]
    #[case::shell("su frr -c", "su frr -c 'vtysh -c '\\''show bgp'\\'''")]
    #[case::jump(
        "sshpass -p x /usr/bin/ssh r0",
        "sshpass -p x /usr/bin/ssh r0 'vtysh -c '\\''show bgp'\\'''"
    )]
    fn words_are_joined_for_those_who_split_them_again(#[case] prefix: &str, #[case] line: &str) {
        let prefix = Prefix::parse(prefix).unwrap();
        let argv = ["vtysh", "-c", "show bgp"].map(str::to_owned).to_vec();
        assert_eq!(shell_words::join(prefix.line(argv)), line);
        assert_eq!(prefix.typed("vtysh -c 'show bgp'"), line);
    }

    #[rstest]
    #[case("")]
    #[case("ssh 'router0")]
    fn what_is_no_prefix_is_refused(#[case] text: &str) {
        assert!(Prefix::parse(text).is_err());
    }
}
