//! What the ladders of routes and packets have looked at, kept for all the checks that fail at the same time.

use std::net::IpAddr;
use std::time::Duration;

use fabric_harness::node::Command;
use ipnet::IpNet;

use super::Kept;
use super::packets::{Trial, Walk};
use crate::ladder::Finding;
use crate::run::observe::Context;

/// Programs that only look answer in milliseconds; one that took this long hangs.
const ANSWER: Duration = Duration::from_secs(3);

/// How many lines of an output are evidence; the rest can be had by the line beside it.
const LINES: usize = 40;

/// What was seen lately.
#[derive(Debug, Default)]
pub(in crate::run) struct Facts {
    /// By box and command line.
    said: Kept<(String, String), Result<String, String>>,
    /// Why a router lacks a prefix.
    pub(super) lacks: Kept<(String, IpNet), Finding>,
    /// Why a router's kernel lacks a prefix.
    pub(super) kernel_lacks: Kept<(String, IpNet), Finding>,
    /// The way from a box, as a source, to a target.
    pub(super) walks: Kept<(String, Option<IpAddr>, IpAddr), Walk>,
    /// What became of packets that were sent to see who drops them.
    pub(super) trials: Kept<(String, IpAddr, Option<u16>), Trial>,
}

impl Facts {
    /// A new phase has begun.
    pub(in crate::run) fn clear(&self) {
        self.said.clear();
        self.lacks.clear();
        self.kernel_lacks.clear();
        self.walks.clear();
        self.trials.clear();
    }
}

/// What a line says in a box: its standard output, if it succeeded. It must change nothing.
pub(super) async fn said(context: &Context, node: &str, line: &str) -> Result<String, String> {
    let key = (node.to_owned(), line.to_owned());
    context.facts.said.or_look(key, || now_said(context, node, line)).await
}

/// The same, and never an answer from before.
pub(super) async fn now_said(context: &Context, node: &str, line: &str) -> Result<String, String> {
    let words = shell_words::split(line).map_err(|error| error.to_string())?;
    let node = context.fabric.node(node).await.map_err(|error| error.to_string())?;
    let output = node.exec(&Command::new(words).timeout(ANSWER)).await.map_err(|error| error.to_string())?;
    // What it could say counts: a program that was asked for several things may not have all of them.
    if output.success() || !output.stdout.is_empty() { Ok(output.text()) } else { Err(output.error_text()) }
}

/// What a line says, as evidence: cut where it is long, and why not where it says nothing.
pub(super) async fn shown(context: &Context, node: &str, line: &str) -> String {
    match said(context, node, line).await {
        Ok(text) => cut(&text),
        Err(why) => format!("(could not be looked at: {})", why.trim()),
    }
}

/// The lines of a text that are about something; all of it where none is.
pub(super) fn about(text: &str, what: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(what)).collect();
    if lines.is_empty() { format!("(nothing about {what})") } else { lines.join("\n") }
}

fn cut(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    match lines.get(..LINES) {
        Some(first) if lines.len() > LINES => {
            format!("{}\n[... {} more lines]", first.join("\n"), lines.len() - LINES)
        }
        _ => lines.join("\n"),
    }
}
