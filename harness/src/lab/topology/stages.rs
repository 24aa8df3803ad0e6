//! `stages` of a node: what it runs, and whom it waits for, on its way up.

use std::collections::HashSet;

use super::types::{ExecLine, Stage, StageName, Stages, Topology, WaitFor};
use crate::lab::yaml::{Diagnostics, Fields, FromTree, Node, Value, choice};

const NAMES: &[(&str, StageName)] = &[
    ("create", StageName::Create),
    ("create-links", StageName::CreateLinks),
    ("configure", StageName::Configure),
    ("healthy", StageName::Healthy),
    ("exit", StageName::Exit),
];

impl Stages {
    /// What a less specific level says, followed by what a more specific one says.
    pub(super) fn and(mut self, more_specific: Stages) -> Stages {
        let Stages { create, create_links, configure, healthy, exit } = more_specific;
        for (own, other) in [
            (&mut self.create, create),
            (&mut self.create_links, create_links),
            (&mut self.configure, configure),
            (&mut self.healthy, healthy),
            (&mut self.exit, exit),
        ] {
            for wait in other.wait_for {
                if !own.wait_for.iter().any(|known| (&known.node, known.stage) == (&wait.node, wait.stage)) {
                    own.wait_for.push(wait);
                }
            }
            own.on_enter.extend(other.on_enter);
            own.on_exit.extend(other.on_exit);
        }
        self
    }
}

/// The `wait-for` that closes a circle, in which nobody would ever start, and those in the circle, in order.
pub(super) fn circle(topology: &Topology) -> Option<(&WaitFor, Vec<&str>)> {
    let mut safe = HashSet::new();
    let mut nodes = topology.nodes.iter();
    nodes.find_map(|node| leads_back(topology, (&node.name, StageName::Exit), &mut Vec::new(), &mut safe))
}

type Moment<'t> = (&'t str, StageName);

/// Follows what must have happened before a node has left a stage. `way` is how we came here, `safe` what has
/// been followed: it led to no circle, or we would have stopped.
fn leads_back<'t>(
    topology: &'t Topology,
    (name, stage): Moment<'t>,
    way: &mut Vec<Moment<'t>>,
    safe: &mut HashSet<Moment<'t>>,
) -> Option<(&'t WaitFor, Vec<&'t str>)> {
    let node = topology.node(name)?;
    if !safe.insert((name, stage)) {
        return None;
    }
    way.push((name, stage));
    // A stage is left after all stages before it, and after whatever any of them waits for.
    let waits = node.stages.in_order().into_iter().filter(|(earlier, _)| *earlier <= stage);
    for wait in waits.flat_map(|(_, earlier)| &earlier.wait_for) {
        let begins = way.iter().position(|(other, from)| *other == wait.node && *from <= wait.stage);
        if let Some(begins) = begins {
            let mut round: Vec<&str> = way[begins..].iter().map(|(other, _)| *other).collect();
            round.push(&wait.node);
            return Some((wait, round));
        }
        if let Some(found) = leads_back(topology, (&wait.node, wait.stage), way, safe) {
            return Some(found);
        }
    }
    way.pop();
    None
}

impl FromTree for Stages {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`stages`", ctx)?;
        let mut stage = |key, ctx: &mut Diagnostics| fields.optional::<Stage>(key, ctx).unwrap_or_default();
        let stages = Stages {
            create: stage("create", ctx),
            create_links: stage("create-links", ctx),
            configure: stage("configure", ctx),
            healthy: stage("healthy", ctx),
            exit: stage("exit", ctx),
        };
        fields.finish(ctx);
        Some(stages)
    }
}

impl FromTree for Stage {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a stage", ctx)?;
        let mut stage =
            Stage { wait_for: fields.optional("wait-for", ctx).unwrap_or_default(), ..Stage::default() };
        if let Some(exec) = fields.node("exec") {
            read_exec(exec, &mut stage, ctx);
        }
        fields.finish(ctx);
        Some(stage)
    }
}

/// Two forms: a list of commands, each with its phase (the newer form), or the two phases, each with its list.
fn read_exec(node: &Node, stage: &mut Stage, ctx: &mut Diagnostics) {
    if let Value::Sequence(items) = &node.value {
        items.iter().for_each(|item| read_command(item, stage, ctx));
    } else if let Some(mut fields) = Fields::of(node, "`exec` of a stage", ctx) {
        stage.on_enter = fields.optional("on-enter", ctx).unwrap_or_default();
        stage.on_exit = fields.optional("on-exit", ctx).unwrap_or_default();
        fields.finish(ctx);
    }
}

fn read_command(node: &Node, stage: &mut Stage, ctx: &mut Diagnostics) {
    let Some(mut fields) = Fields::of(node, "a stage's command", ctx) else { return };
    let command: Option<ExecLine> = fields.required("command", ctx);
    let entering = match fields.node("phase") {
        Some(phase) => choice(phase, "a phase", &[("on-enter", true), ("on-exit", false)], ctx),
        None => Some(true),
    };
    if let Some(target) = fields.node("target")
        && choice(target, "a target", &[("container", false), ("host", true)], ctx) == Some(true)
    {
        ctx.error(&target.at, "commands on the host are not run: a lab touches only its own nodes")
            .help("write `target: container`, or run it yourself before the lab");
    }
    fields.finish(ctx);
    if let (Some(command), Some(entering)) = (command, entering) {
        if entering { stage.on_enter.push(command) } else { stage.on_exit.push(command) }
    }
}

impl FromTree for WaitFor {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        // The old form, in which the name stands alone, waits for the node's creation.
        if node.as_scalar().is_some() {
            return Some(WaitFor {
                node: String::from_tree(node, ctx)?,
                stage: StageName::Create,
                at: node.at.clone(),
            });
        }
        let mut fields = Fields::of(node, "a wait-for", ctx)?;
        let name = fields.required("node", ctx);
        let stage = match fields.node("stage") {
            Some(stage) => choice(stage, "a stage", NAMES, ctx),
            None => Some(StageName::Create),
        };
        fields.finish(ctx);
        Some(WaitFor { node: name?, stage: stage?, at: node.at.clone() })
    }
}
