//! `fabric exec` and `fabric shell`: a command in a node, on the caller's own terminal.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Result;
use fabric_harness::node::{Command, NodeError};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{ExecArgs, NameArg, ShellArgs};
use super::pick;

/// Exit code of a shell for a program that is not there.
const NOT_FOUND: u8 = 127;

pub(super) async fn exec(args: ExecArgs) -> Result<ExitCode> {
    interact(&args.name, &args.node, Command::new(args.command)).await
}

pub(super) async fn shell(args: ShellArgs) -> Result<ExitCode> {
    // What comes through a pipe is a script: a shell that takes it for a person complains of the missing terminal.
    let words: &[&str] = if std::io::stdin().is_terminal() { &["bash", "--norc", "-i"] } else { &["bash"] };
    let mut command = Command::new(words.iter().copied());
    command.env.insert("PS1".into(), format!("{}:\\w# ", args.node));
    interact(&args.name, &args.node, command).await
}

async fn interact(name: &NameArg, node: &str, command: Command) -> Result<ExitCode> {
    let node = pick::fabric(name)?.netns_node(node).await?;
    // The command shares our terminal: Ctrl-C is for it, and we end when it does.
    let _interrupt = signal(SignalKind::interrupt())?;
    let _quit = signal(SignalKind::quit())?;
    match node.interact(&command).await {
        Ok(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        Err(error @ NodeError::NotFound { .. }) => {
            eprintln!("error: {error}");
            Ok(ExitCode::from(NOT_FOUND))
        }
        Err(error) => Err(error.into()),
    }
}
