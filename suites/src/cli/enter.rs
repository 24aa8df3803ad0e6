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
    if let Some(note) = speakers(&args).await {
        eprintln!("{note}");
    }
    interact(&args.name, &args.node, Command::new(args.command)).await
}

/// Where the speakers of a node listen, for a `gobgp` that was not told: by itself it asks a port of the loopback, where
/// nobody is, as with Cilium's own GoBGP, and gives up after seconds without a word of that.
async fn speakers(args: &ExecArgs) -> Option<String> {
    let mut words = args.command.iter();
    let gobgp = words.next().is_some_and(|program| program == "gobgp" || program.ends_with("/gobgp"));
    let told = |word: &String| {
        ["--target", "--host", "--port", "-u", "-p"].iter().any(|flag| word.starts_with(flag))
            || word == "help"
            || word.ends_with("--help")
            || word == "--version"
    };
    if !gobgp || words.any(told) {
        return None;
    }
    let node = pick::fabric(&args.name).ok()?.node(&args.node).await.ok()?;
    let list = Command::new(["sh", "-c", "ls /run/gobgp/*/api-*.sock 2>/dev/null"]);
    let output = node.exec(&list).await.ok()?;
    let rest: Vec<&str> = args.command.iter().skip(1).map(String::as_str).collect();
    let lines: Vec<String> = output
        .text()
        .lines()
        .map(|socket| format!("\n  gobgp --target unix://{socket} {}", rest.join(" ")))
        .collect();
    let none = "; none runs now: no policy selects the node";
    let lines = if lines.is_empty() { none.to_owned() } else { lines.concat() };
    Some(format!(
        "note: Cilium's speakers listen at sockets, not at gobgp's port (`fabric cilium bgp peers` asks them all){lines}"
    ))
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
