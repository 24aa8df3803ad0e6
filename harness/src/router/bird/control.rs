//! BIRD's control socket: what `birdc` speaks, without starting `birdc` for each question.
//!
//! A command is a line. An answer is lines that begin with four digits, and `-` while more follow; a line that begins with
//! a space belongs to the code before it (BIRD's documentation, "Remote control"). Codes from 8000 on are refusals. Where
//! the node offers no unix sockets (seen only through exec) the same questions go through `birdc -v`, which prints the codes.

use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

use crate::node::{Command, NodeError, NodeRef};
use crate::router::error::RouterError;

/// Where packages (Debian and Fedora, older ones) and BIRD's own build put the socket.
pub(in crate::router) const SOCKETS: [&str; 3] =
    ["/run/bird/bird.ctl", "/run/bird.ctl", "/usr/local/var/run/bird.ctl"];

/// The name in errors.
const DAEMON: &str = "bird";
/// A daemon answers in a millisecond; one that took this long is stopped.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// The first code of a refusal: 8000 and up at run time, 9000 and up for a command that was not understood.
const REFUSED: u16 = 8000;

/// An answer: its lines, each with the code it stands under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::router) struct Reply(pub(super) Vec<(u16, String)>);

impl Reply {
    /// The lines under one of some codes.
    pub(super) fn under<'a>(&'a self, codes: &'a [u16]) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(|(code, _)| codes.contains(code)).map(|(_, text)| text.as_str())
    }

    /// Reads what `birdc -v` printed (a line that goes on is indented by five there, by one on the socket).
    pub(in crate::router) fn of_birdc(text: &str) -> Self {
        let mut reply = Reader::new("     ");
        text.lines().for_each(|line| reply.take(line));
        // The first line greets.
        reply.lines.retain(|(code, _)| *code != 1);
        Self(reply.lines)
    }
}

/// An answer that is being read, line by line.
#[derive(Debug)]
struct Reader {
    lines: Vec<(u16, String)>,
    /// What a line begins with that goes on with the code of the one before.
    indent: &'static str,
    code: u16,
    ended: bool,
}

impl Reader {
    fn new(indent: &'static str) -> Self {
        Self { lines: Vec::new(), indent, code: 0, ended: false }
    }

    fn take(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix(self.indent) {
            self.lines.push((self.code, text.trim_end().to_owned()));
            return;
        }
        let (Some(digits), Some(mark)) = (line.get(..4), line.as_bytes().get(4)) else { return };
        let (Ok(code), b' ' | b'-') = (digits.parse(), mark) else { return };
        self.code = code;
        self.ended = *mark == b' ';
        self.lines.push((code, line.get(5..).unwrap_or_default().trim_end().to_owned()));
    }
}

/// A conversation with the daemon. One question at a time; callers queue.
#[derive(Debug)]
pub(super) struct Control {
    node: NodeRef,
    sockets: Vec<PathBuf>,
    stream: Mutex<Option<Stream>>,
}

impl Control {
    /// A conversation; nothing is connected before the first question.
    pub(super) fn new(node: NodeRef, sockets: Vec<PathBuf>) -> Self {
        Self { node, sockets, stream: Mutex::new(None) }
    }

    pub(super) fn node(&self) -> &NodeRef {
        &self.node
    }

    /// Asks one command. The connection leaves its place while in use, so that a caller that gives up halfway does not
    /// leave half an answer behind for the next one; a kept one that is dead is made again once.
    pub(super) async fn ask(&self, command: &str) -> Result<Reply, RouterError> {
        let mut held = self.stream.lock().await;
        if let Some(mut stream) = held.take() {
            match self.limited(&mut stream, command).await {
                Ok(reply) => {
                    *held = Some(stream);
                    return self.judge(command, reply);
                }
                Err(RouterError::Lost { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        let Some(mut stream) = self.connect().await? else {
            let reply = self.through_birdc(command).await?;
            return self.judge(command, reply);
        };
        self.greeted(&mut stream, command).await?;
        let reply = self.limited(&mut stream, command).await?;
        *held = Some(stream);
        self.judge(command, reply)
    }

    /// Takes the greeting, and gives up the right to change anything.
    async fn greeted(&self, stream: &mut Stream, command: &str) -> Result<(), RouterError> {
        match tokio::time::timeout(ANSWER_LIMIT, stream.reply()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(self.lost(command, &error)),
            Err(_) => return Err(self.silent(command)),
        }
        self.limited(stream, "restrict").await.map(drop)
    }

    async fn limited(&self, stream: &mut Stream, command: &str) -> Result<Reply, RouterError> {
        match tokio::time::timeout(ANSWER_LIMIT, stream.speak(command)).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(self.lost(command, &error)),
            Err(_) => Err(self.silent(command)),
        }
    }

    fn lost(&self, command: &str, error: &std::io::Error) -> RouterError {
        RouterError::Lost {
            node: self.node.name().to_owned(),
            daemon: DAEMON,
            command: command.to_owned(),
            why: error.to_string(),
        }
    }

    fn silent(&self, command: &str) -> RouterError {
        RouterError::Silent {
            node: self.node.name().to_owned(),
            daemon: DAEMON,
            command: command.to_owned(),
            limit: ANSWER_LIMIT,
        }
    }

    fn judge(&self, command: &str, reply: Reply) -> Result<Reply, RouterError> {
        match reply.0.iter().find(|(code, _)| *code >= REFUSED) {
            None => Ok(reply),
            Some((code, said)) => Err(RouterError::BirdRefused {
                node: self.node.name().to_owned(),
                command: command.to_owned(),
                code: *code,
                said: said.clone(),
            }),
        }
    }

    /// A connection to the first socket that takes one; `None` when the node offers no unix sockets at all.
    async fn connect(&self) -> Result<Option<Stream>, RouterError> {
        let mut why = String::from("no such file");
        for socket in &self.sockets {
            match self.node.unix(socket).await {
                Ok(stream) => return Ok(Some(Stream { stream, rest: Vec::new() })),
                Err(NodeError::Unsupported { .. }) => return Ok(None),
                Err(NodeError::Io { source, .. }) => why = source.to_string(),
                Err(other) => return Err(other.into()),
            }
        }
        Err(self.not_running(why))
    }

    fn not_running(&self, why: String) -> RouterError {
        let looked: Vec<String> = self.sockets.iter().map(|socket| socket.display().to_string()).collect();
        RouterError::BirdNotRunning { node: self.node.name().to_owned(), looked: looked.join(", "), why }
    }

    async fn through_birdc(&self, command: &str) -> Result<Reply, RouterError> {
        let argv = ["birdc", "-v", "-r"].into_iter().chain(command.split(' '));
        let output = self.node.exec(&Command::new(argv).timeout(ANSWER_LIMIT)).await?;
        if output.success() {
            return Ok(Reply::of_birdc(&output.text()));
        }
        Err(self.not_running(format!("{}{}", output.text(), output.error_text()).trim().to_owned()))
    }
}

#[derive(Debug)]
struct Stream {
    stream: UnixStream,
    /// What was read beyond the last answer; nothing, unless BIRD says something unasked.
    rest: Vec<u8>,
}

impl Stream {
    async fn speak(&mut self, command: &str) -> std::io::Result<Reply> {
        self.stream.write_all(format!("{command}\n").as_bytes()).await?;
        self.reply().await
    }

    /// Reads lines up to the one that ends an answer.
    async fn reply(&mut self) -> std::io::Result<Reply> {
        let mut reader = Reader::new(" ");
        let mut read = 0;
        loop {
            while let Some(length) = self.rest[read..].iter().position(|byte| *byte == b'\n') {
                reader.take(&String::from_utf8_lossy(&self.rest[read..read + length]));
                read += length + 1;
                if reader.ended {
                    self.rest.drain(..read);
                    return Ok(Reply(reader.lines));
                }
            }
            if self.stream.read_buf(&mut self.rest).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}
