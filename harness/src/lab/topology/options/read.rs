//! One level's word on a node's container. Source: containerlab's `docs/manual/nodes.md`, `types/node_definition.go`.

use std::collections::BTreeMap;

use super::amounts::{Bytes, ProcessorSet, Processors};
use super::ports::Line;
use super::types::{CgroupNamespace, ContainerOptions, Dns, Healthcheck, PullPolicy, RestartPolicy};
use crate::lab::topology::definition::Texts;
use crate::lab::yaml::{Diagnostics, Fields, FromTree, Node, Spanned, choice};

impl ContainerOptions {
    /// Takes what is about containers from a node's keys.
    pub(in crate::lab::topology) fn take(fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Self {
        let ports: Option<Vec<Line>> = fields.optional("ports", ctx);
        let capabilities: Vec<Capability> = fields.optional("cap-add", ctx).unwrap_or_default();
        let devices: Vec<Device> = fields.optional("devices", ctx).unwrap_or_default();
        let tmpfs: Option<Texts> = fields.optional("tmpfs", ctx);
        let restart_policy: Option<Spanned<RestartPolicy>> = fields.optional("restart-policy", ctx);
        let auto_remove = fields.optional("auto-remove", ctx);
        if let (Some(policy), Some(true)) = (&restart_policy, auto_remove)
            && policy.value != RestartPolicy::No
        {
            ctx.error(&policy.at, "a container that is removed when it ends cannot be started again")
                .help("write `restart-policy: \"no\"`, or leave `auto-remove` out");
        }
        let options = Self {
            hostname: fields.optional("hostname", ctx),
            user: fields.optional("user", ctx),
            cap_add: capabilities.into_iter().map(|name| name.0).collect(),
            privileged: fields.optional("privileged", ctx),
            security_opts: fields.optional("security-opts", ctx).unwrap_or_default(),
            devices: devices.into_iter().map(|device| device.0).collect(),
            ports: ports.into_iter().flatten().flat_map(|line| line.0).collect(),
            memory: fields.optional::<Bytes>("memory", ctx).map(|bytes| bytes.0),
            cpu: fields.optional::<Processors>("cpu", ctx).map(|number| number.0),
            cpu_set: fields.optional::<ProcessorSet>("cpu-set", ctx).map(|set| set.0),
            shm_size: fields.optional::<Bytes>("shm-size", ctx).map(|bytes| bytes.0),
            tmpfs: tmpfs.map_or_else(BTreeMap::new, |texts| texts.0),
            cgroupns_mode: fields.optional("cgroupns-mode", ctx),
            pid_mode: fields.optional("pid-mode", ctx),
            dns: fields.optional("dns", ctx),
            aliases: fields.optional("aliases", ctx).unwrap_or_default(),
            restart_policy: restart_policy.map(|policy| policy.value),
            auto_remove,
            pull: fields.optional("image-pull-policy", ctx),
            healthcheck: fields.optional("healthcheck", ctx),
        };
        for (keys, why) in [
            (&["ports"][..], "nothing of a node is published on the host"),
            (
                &["image-pull-policy", "restart-policy", "auto-remove", "cgroupns-mode", "pid-mode", "tmpfs"],
                "there is no container",
            ),
            (&["cpu", "cpu-set", "memory", "shm-size"], "nodes have no limits of their own"),
            (
                &["devices", "cap-add", "privileged", "security-opts", "user"],
                "every node has the same rights",
            ),
            (&["dns", "aliases"], "names are not resolved between nodes"),
            (&["healthcheck"], "a node is healthy once its commands have run"),
        ] {
            fields.not_honoured_in_namespaces(keys, why, ctx);
        }
        options
    }
}

/// A capability of Linux, with or without `CAP_`.
struct Capability(String);

impl FromTree for Capability {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        let name = text.to_ascii_uppercase();
        let name = name.strip_prefix("CAP_").unwrap_or(&name);
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            return Some(Self(name.to_owned()));
        }
        ctx.error(&node.at, format!("{text:?} is not a capability"))
            .help("write for example `NET_ADMIN`, or `ALL`");
        None
    }
}

/// A device of the machine: `/dev/a[:/dev/b[:rwm]]`.
struct Device(String);

impl FromTree for Device {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        let rights = |text: &str| !text.is_empty() && text.bytes().all(|byte| b"rwm".contains(&byte));
        let parts: Vec<&str> = text.split(':').collect();
        let sound = match parts[..] {
            [device] => device.starts_with('/'),
            [device, second] => device.starts_with('/') && (second.starts_with('/') || rights(second)),
            [device, inside, last] => device.starts_with('/') && inside.starts_with('/') && rights(last),
            _ => false,
        };
        if sound {
            return Some(Self(text));
        }
        ctx.error(&node.at, format!("{text:?} is not a device"))
            .help("write `/dev/net/tun`, `/dev/a:/dev/b` or `/dev/a:/dev/b:rwm`");
        None
    }
}

/// The engine refuses any other word, when the lab is half made.
impl FromTree for CgroupNamespace {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        choice(node, "a cgroup namespace", &[("private", Self::Private), ("host", Self::Host)], ctx)
    }
}

impl FromTree for RestartPolicy {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let words = [
            ("no", Self::No),
            ("on-failure", Self::OnFailure),
            ("always", Self::Always),
            ("unless-stopped", Self::UnlessStopped),
        ];
        choice(node, "a restart policy", &words, ctx)
    }
}

/// As with containerlab, the case of letters is free.
impl FromTree for PullPolicy {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let words = [("Never", Self::Never), ("IfNotPresent", Self::IfNotPresent), ("Always", Self::Always)];
        let said = node.as_text().unwrap_or_default();
        match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(said)) {
            Some((_, policy)) => Some(*policy),
            None => choice(node, "a pull policy", &words, ctx),
        }
    }
}

impl FromTree for Dns {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`dns`", ctx)?;
        let dns = Self {
            servers: fields.optional("servers", ctx).unwrap_or_default(),
            search: fields.optional("search", ctx).unwrap_or_default(),
            options: fields.optional("options", ctx).unwrap_or_default(),
        };
        fields.finish(ctx);
        Some(dns)
    }
}

impl FromTree for Healthcheck {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let mut fields = Fields::of(node, "`healthcheck`", ctx)?;
        let test: Option<Spanned<Vec<String>>> = fields.required("test", ctx);
        let check = Self {
            start_period: fields.optional("start-period", ctx),
            interval: fields.optional("interval", ctx),
            timeout: fields.optional("timeout", ctx),
            retries: fields.optional("retries", ctx),
            test: Vec::new(),
        };
        fields.finish(ctx);
        let test = test?;
        let words: Vec<&str> = test.iter().map(String::as_str).collect();
        match words[..] {
            ["NONE"] | ["CMD-SHELL", _] | ["CMD", _, ..] => Some(Self { test: test.value, ..check }),
            _ => {
                ctx.error(&test.at, "this is no test of a container's health").help(
                    "write `[CMD, program, argument]`, `[CMD-SHELL, \"a line for its shell\"]` or `[NONE]`",
                );
                None
            }
        }
    }
}
