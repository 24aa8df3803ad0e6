//! The seam below: how words are started somewhere else.

use std::any::Any;
use std::fmt;
use std::io;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::node::{Reader, Terminal, Writer};

/// A way to start words somewhere.
#[async_trait]
pub trait Carrier: fmt::Debug + Send + Sync + 'static {
    /// Starts a command line. Standard input is connected if `stdin`; with `terminal` there is one output stream.
    ///
    /// # Errors
    /// When it could not be started, or not on a terminal.
    async fn start(&self, argv: Vec<String>, stdin: bool, terminal: bool) -> Result<Started, CarryError>;

    /// Whether the end of standard input is carried too. Where it is not, a command that reads to the end never ends.
    fn carries_end_of_input(&self) -> bool;

    /// Where the words go, for people: `pod kube-system/cilium-x`.
    fn place(&self) -> String;
}

/// A command that was started.
pub struct Started {
    /// Its standard input, if it was asked for.
    pub stdin: Option<Writer>,
    /// Its standard output.
    pub stdout: Reader,
    /// Its standard error; none on a terminal.
    pub stderr: Option<Reader>,
    /// How it ends: its exit code.
    pub code: BoxFuture<'static, Result<i32, CarryError>>,
    /// Its terminal.
    pub terminal: Option<Box<dyn Terminal>>,
    /// What must live as long as the command.
    pub keep: Box<dyn Any + Send>,
}

/// What a carrier says when it cannot.
#[derive(Debug)]
pub enum CarryError {
    /// The place is not there any more.
    Gone,
    /// A program is missing there.
    Missing(String),
    /// It can do no such thing; why.
    Cannot(String),
    /// Anything else.
    Io(io::Error),
}

impl CarryError {
    pub(crate) fn other(why: impl Into<String>) -> Self {
        Self::Io(io::Error::other(why.into()))
    }
}
