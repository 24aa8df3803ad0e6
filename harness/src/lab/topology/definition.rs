//! What can be said of a node, at any of the four levels (defaults, kind, group, node), and how the levels combine.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::options::ContainerOptions;
use super::types::{ExecLine, Stages, WaitFor};
use crate::lab::yaml::{Diagnostics, Fields, FromTree, Node, Spanned};

/// One level's word on a node; nothing is said unless it is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Definition {
    pub(super) kind: Option<Spanned<String>>,
    pub(super) group: Option<Spanned<String>>,
    pub(super) image: Option<String>,
    pub(super) cmd: Option<String>,
    pub(super) entrypoint: Option<String>,
    pub(super) exec: Vec<ExecLine>,
    pub(super) binds: Vec<Spanned<String>>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) env_files: Vec<Spanned<String>>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) sysctls: BTreeMap<String, String>,
    pub(super) mgmt_ipv4: Option<Spanned<Ipv4Addr>>,
    pub(super) mgmt_ipv6: Option<Spanned<Ipv6Addr>>,
    pub(super) network_mode: Option<Spanned<String>>,
    pub(super) startup_delay: Option<Duration>,
    pub(super) startup_config: Option<Spanned<PathBuf>>,
    pub(super) stages: Stages,
    pub(super) options: ContainerOptions,
}

impl Definition {
    /// This level under a more specific one, as containerlab combines them: single values are replaced, commands, binds,
    /// env-files and stages are added behind, mappings are merged key by key.
    pub(super) fn under(mut self, specific: Definition) -> Definition {
        self.exec.extend(specific.exec);
        self.binds.extend(specific.binds);
        self.env_files.extend(specific.env_files);
        self.env.extend(specific.env);
        self.labels.extend(specific.labels);
        self.sysctls.extend(specific.sysctls);
        Definition {
            kind: specific.kind.or(self.kind),
            group: specific.group.or(self.group),
            image: specific.image.or(self.image),
            cmd: specific.cmd.or(self.cmd),
            entrypoint: specific.entrypoint.or(self.entrypoint),
            mgmt_ipv4: specific.mgmt_ipv4.or(self.mgmt_ipv4),
            mgmt_ipv6: specific.mgmt_ipv6.or(self.mgmt_ipv6),
            network_mode: specific.network_mode.or(self.network_mode),
            startup_delay: specific.startup_delay.or(self.startup_delay),
            startup_config: specific.startup_config.or(self.startup_config),
            stages: self.stages.and(specific.stages),
            options: self.options.under(specific.options),
            exec: self.exec,
            binds: self.binds,
            env: self.env,
            env_files: self.env_files,
            labels: self.labels,
            sysctls: self.sysctls,
        }
    }
}

/// Text by key. A value left out is empty text, as in containerlab.
pub(super) struct Texts(pub(super) BTreeMap<String, String>);

impl FromTree for Texts {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let values = BTreeMap::<String, Node>::from_tree(node, ctx)?;
        let read: Vec<Option<(String, String)>> = values
            .into_iter()
            .map(|(key, value)| {
                let text = if value.is_null() { Some(String::new()) } else { String::from_tree(&value, ctx) };
                Some((key, text?))
            })
            .collect();
        Some(Texts(read.into_iter().collect::<Option<_>>()?))
    }
}

impl FromTree for Definition {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "a node", ctx)?;
        let mut texts = |key, ctx: &mut Diagnostics| {
            fields.optional::<Texts>(key, ctx).map(|texts| texts.0).unwrap_or_default()
        };
        let (env, labels, sysctls) = (texts("env", ctx), texts("labels", ctx), texts("sysctls", ctx));
        if env.contains_key("__IMPORT_ENVS")
            && let Some(entry) = node.get("env").and_then(|env| env.as_mapping()?.entry("__IMPORT_ENVS"))
        {
            ctx.warning(
                &entry.key_at,
                "`__IMPORT_ENVS` is not honoured: a lab does not see the whole environment",
            )
            .help("name the variables that are needed: `NAME: ${NAME}`");
        }
        // Names with an underscore are those of older versions of containerlab.
        let mgmt_ipv4 = fields.optional("mgmt-ipv4", ctx).or_else(|| fields.optional("mgmt_ipv4", ctx));
        let mgmt_ipv6 = fields.optional("mgmt-ipv6", ctx).or_else(|| fields.optional("mgmt_ipv6", ctx));
        let mut stages: Stages = fields.optional("stages", ctx).unwrap_or_default();
        // The list that `stages` replaced: names of nodes to be there first.
        stages.create.wait_for.extend(fields.optional::<Vec<WaitFor>>("wait-for", ctx).unwrap_or_default());
        let definition = Definition {
            kind: fields.optional("kind", ctx),
            group: fields.optional("group", ctx),
            image: fields.optional("image", ctx),
            cmd: fields.optional("cmd", ctx),
            entrypoint: fields.optional("entrypoint", ctx),
            exec: fields.optional("exec", ctx).unwrap_or_default(),
            binds: fields.optional("binds", ctx).unwrap_or_default(),
            env,
            env_files: fields.optional("env-files", ctx).unwrap_or_default(),
            labels,
            sysctls,
            mgmt_ipv4,
            mgmt_ipv6,
            network_mode: fields.optional("network-mode", ctx),
            startup_delay: fields.optional("startup-delay", ctx),
            startup_config: fields.optional("startup-config", ctx),
            stages,
            options: ContainerOptions::take(&mut fields, ctx),
        };
        not_honoured(&mut fields, ctx);
        fields.finish(ctx);
        Some(definition)
    }
}

fn not_honoured(fields: &mut Fields<'_>, ctx: &mut Diagnostics) {
    for (keys, why) in [
        (
            &[
                "license",
                "type",
                "enforce-startup-config",
                "suppress-startup-config",
                "config",
                "extras",
                "components",
            ][..],
            "it is for vendors' images",
        ),
        (&["certificate", "SANs"], "no certificates are made"),
        (&["publish"], "nothing of a node is published beyond the host"),
        (&["runtime", "sandbox", "kernel"], "`--runtime` says where all nodes live"),
        (&["credentials", "username", "password"], "nobody logs in to a node"),
        (&["link-apply-mode"], "a lab that is up is not changed by its file"),
        (&["position"], "nothing is drawn from it"),
    ] {
        fields.not_honoured(keys, why, ctx);
    }
}
