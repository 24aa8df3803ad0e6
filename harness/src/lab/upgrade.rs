//! `upgrade:` of a phase: Cilium is replaced by another version while everything runs.
//!
//! What lives here: what a user can say of it. What does not: the values file it names (`values`), doing it (`crate::world`).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::topology::ExecLine;
use super::values::Values;
use super::yaml::{Diagnostics, Fields, FromTree, Location, Node, Spanned, choice};
use crate::cilium::CiliumVersion;

/// An upgrade, as written: `upgrade: { to: 1.18.5, values: values-1.18.yaml }`.
#[derive(Debug, Clone, PartialEq)]
pub struct UpgradeSpec {
    /// The version it leads to, without a leading `v`; it may also be the one before.
    pub to: Spanned<String>,
    /// The helm values file; none is the one before.
    pub values: Option<Spanned<PathBuf>>,
    /// In which order things happen.
    pub roll: Roll,
    /// What upgrades a real cluster instead of `helm upgrade`: a line for `sh -c`, run in the lab's folder.
    pub command: Option<ExecLine>,
    /// Where it is written.
    pub at: Location,
}

/// In which order the parts of Cilium are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    /// How many nodes are without an agent at a time; every node at once where it is `None`. The chart's DaemonSet has
    /// `maxUnavailable: 2`.
    pub at_once: Option<usize>,
    /// Who comes first.
    pub first: First,
}

impl Default for Roll {
    fn default() -> Self {
        Self { at_once: Some(2), first: First::Both }
    }
}

/// Which part of Cilium is replaced first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum First {
    /// Operator and agents side by side, as helm does.
    #[default]
    Both,
    /// The operator, which registers the new definitions; then the agents.
    Operator,
    /// The agents, as many as may be away; the operator when those have been started.
    Agents,
}

const FIRST: [(&str, First); 3] =
    [("both", First::Both), ("operator", First::Operator), ("agents", First::Agents)];

/// An upgrade whose values are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Upgrade {
    /// The version it leads to, without a leading `v`.
    pub to: String,
    /// The helm values that hold then.
    pub values: Values,
    /// Their file, from the lab's folder.
    pub values_file: Option<PathBuf>,
    /// In which order things happen.
    pub roll: Roll,
    /// What upgrades a real cluster instead of `helm upgrade`.
    pub command: Option<String>,
    /// The lab's folder, absolute: where `command` is run.
    pub dir: PathBuf,
    /// Where it is written.
    pub at: Location,
}

impl FromTree for UpgradeSpec {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`upgrade`", ctx)?;
        let to = fields.required::<Spanned<String>>("to", ctx);
        let values = fields.optional("values", ctx);
        let at_once = fields.node("at-once").map(|node| at_once(node, ctx));
        let first = fields.node("first").map(|node| choice(node, "who comes first", &FIRST, ctx));
        let command = fields.optional("command", ctx);
        fields.finish(ctx);
        let mut to = to?;
        if let Some(plain) = to.value.strip_prefix('v') {
            to.value = plain.to_owned();
        }
        if let Err(why) = to.value.parse::<CiliumVersion>() {
            ctx.error(&to.at, format!("{:?} is not a version of Cilium: {}", to.value, why.why))
                .help("write for example `to: 1.18.5`");
            return None;
        }
        let usual = Roll::default();
        let roll = Roll {
            at_once: at_once.unwrap_or(Some(usual.at_once))?,
            first: first.unwrap_or(Some(usual.first))?,
        };
        Some(Self { to, values, roll, command, at: node.at.clone() })
    }
}

/// `at-once: 2`, or `at-once: all`.
#[allow(clippy::option_option, reason = "whether it could be read, and whether there is a limit")]
fn at_once(node: &Node, ctx: &mut Diagnostics) -> Option<Option<usize>> {
    if node.as_scalar().is_some_and(|scalar| scalar.text == "all") {
        return Some(None);
    }
    let count = usize::from_tree(node, ctx)?;
    if count == 0 {
        ctx.error(&node.at, "no agent would ever be replaced")
            .help("write `at-once: 1` or more, or `at-once: all`; the chart's own is 2");
        return None;
    }
    Some(Some(count))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::super::yaml;
    use super::*;

    fn read(text: &str) -> (Option<UpgradeSpec>, String) {
        let mut ctx = Diagnostics::new();
        let spec = yaml::parse(Path::new("lab.yaml"), text, &mut ctx)
            .and_then(|tree| UpgradeSpec::from_tree(&tree, &mut ctx));
        let said = ctx.into_sorted().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        (spec, said)
    }

    #[rstest]
    #[case("to: v1.18.5", "1.18.5", Roll::default())]
    #[case("{ to: 1.18.5, at-once: all }", "1.18.5", Roll { at_once: None, first: First::Both })]
    #[case("{ to: 1.18.5, at-once: 1, first: agents }", "1.18.5", Roll { at_once: Some(1), first: First::Agents })]
    fn what_can_be_said(#[case] text: &str, #[case] to: &str, #[case] roll: Roll) {
        let (spec, said) = read(text);
        let spec = spec.unwrap_or_else(|| panic!("{said}"));
        assert_eq!((spec.to.value.as_str(), spec.roll), (to, roll));
    }

    #[rstest]
    #[case("to: newest", "lab.yaml:1:5", "\"newest\" is not a version of Cilium")]
    #[case("values: a.yaml", "lab.yaml:1:1", "`to`")]
    #[case("{ to: 1.18.5, at-once: 0 }", "lab.yaml:1:24", "no agent would ever be replaced")]
    #[case("{ to: 1.18.5, first: crds }", "lab.yaml:1:22", "\"crds\" is not who comes first")]
    #[case("{ to: 1.18.5, form: all }", "lab.yaml:1:15", "has no key `form`")]
    fn what_makes_no_sense_is_refused(#[case] text: &str, #[case] at: &str, #[case] expected: &str) {
        let (spec, said) = read(text);
        assert!(spec.is_none() || said.contains("error"), "{spec:?}");
        assert!(said.contains(at) && said.contains(expected), "{said}");
    }
}
