//! The topology file as a whole: top-level keys, the levels of every node combined.

use std::collections::BTreeMap;
use std::path::Path;

use super::bind::{self, Around};
use super::definition::{Definition, Texts};
use ipnet::IpNet;

use super::types::{Bind, Link, Mgmt, NetworkMode, NodeKind, NodeSpec, Topology};
use super::{check, env, kinds};
use crate::lab::yaml::{self, Diagnostics, Entry, Fields, FromTree, Node, Spanned, nearest};

/// Reads a topology file.
///
/// `shown` is its name in messages, `dir` the absolute path of its folder (relative paths in it are taken from there),
/// `lookup` what `${NAME}` means: the process environment, as a rule. Returns `None` when something is so wrong that
/// there is no topology; `ctx` may hold errors also when there is one.
pub fn read(
    shown: &Path,
    text: &str,
    dir: &Path,
    lookup: &dyn Fn(&str) -> Option<String>,
    ctx: &mut Diagnostics,
) -> Option<Topology> {
    let mut tree = yaml::parse(shown, text, ctx)?;
    env::substitute(&mut tree, lookup);
    let mut fields = Fields::of(&tree, "a topology file", ctx)?;
    let name = fields.required::<Spanned<String>>("name", ctx);
    if let Some(name) = &name {
        check_name(name, "the lab's name", ctx);
    }
    // An empty prefix is not the same as none.
    let prefix = fields.entry("prefix").map(|entry| entry.value.as_text().unwrap_or_default().to_owned());
    let mgmt = mgmt(fields.node("mgmt"), ctx);
    fields.not_honoured(&["settings", "debug"], "it is for containerlab itself", ctx);
    let mut topology = None;
    if fields.node("topology").is_none() {
        fields.required::<Node>("topology", ctx);
    } else if let Some(inner) = fields.node("topology") {
        let lab = name.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
        topology = body(inner, lab, dir, shown, ctx);
    }
    fields.finish(ctx);
    let (nodes, links) = topology?;
    let topology = Topology { name: name?.value, prefix, mgmt: mgmt?, nodes, links };
    check::check(&topology, ctx);
    Some(topology)
}

fn mgmt(node: Option<&Node>, ctx: &mut Diagnostics) -> Option<Mgmt> {
    let absent = Node::null(yaml::Location::default());
    let mut fields = Fields::of(node.unwrap_or(&absent), "`mgmt`", ctx)?;
    // Names with an underscore are those of older versions of containerlab.
    let mut ipv4_subnet = fields.optional("ipv4-subnet", ctx).or_else(|| fields.optional("ipv4_subnet", ctx));
    let mut ipv6_subnet = fields.optional("ipv6-subnet", ctx).or_else(|| fields.optional("ipv6_subnet", ctx));
    if ipv4_subnet.is_none() && ipv6_subnet.is_none() {
        ipv4_subnet = "172.20.20.0/24".parse().ok();
        ipv6_subnet = "3fff:172:20:20::/64".parse().ok();
    }
    let gateway = fields.optional::<Spanned<std::net::Ipv4Addr>>("ipv4-gw", ctx);
    if let (Some(gateway), Some(subnet)) = (&gateway, ipv4_subnet)
        && !ipnet::Ipv4Net::contains(&subnet, &gateway.value)
    {
        ctx.error(&gateway.at, format!("the gateway {} is not in the subnet {subnet}", gateway.value))
            .help("write an address of the subnet, or remove the key: the first one is taken then");
    }
    let mgmt = Mgmt {
        network: fields.optional("network", ctx).unwrap_or_else(|| "clab".to_owned()),
        bridge: fields.optional("bridge", ctx),
        ipv4_subnet,
        ipv4_gateway: gateway.map(|gateway| gateway.value),
        ipv6_subnet,
        ipv6_gateway: fields.optional("ipv6-gw", ctx),
        mtu: fields.optional("mtu", ctx),
        ipv4_range: range("ipv4-range", ipv4_subnet, &mut fields, ctx),
        ipv6_range: range("ipv6-range", ipv6_subnet, &mut fields, ctx),
        driver_opts: fields.optional::<Texts>("driver-opts", ctx).map(|texts| texts.0).unwrap_or_default(),
    };
    let whole = "addresses are given out in the whole subnet";
    fields.not_honoured_in_namespaces(&["ipv4-range", "ipv6-range"], whole, ctx);
    fields.not_honoured_in_namespaces(&["driver-opts"], "the bridge has no driver", ctx);
    fields.not_honoured(&["external-access"], "the way out of the lab is the runtime's affair", ctx);
    fields.not_honoured(
        &["driver", "macvlan-parent", "macvlan-mode", "macvlan-aux"],
        "the management network is always a bridge",
        ctx,
    );
    fields.finish(ctx);
    Some(mgmt)
}

/// The range of addresses under a key: a part of the subnet.
fn range<N>(key: &'static str, subnet: Option<N>, fields: &mut Fields<'_>, ctx: &mut Diagnostics) -> Option<N>
where
    N: FromTree + Copy + Into<IpNet> + std::fmt::Display,
{
    let range: Spanned<N> = fields.optional(key, ctx)?;
    let within = subnet.is_some_and(|subnet| subnet.into().contains(&range.value.into()));
    if !within {
        let subnet = subnet.map_or_else(|| "none".to_owned(), |subnet| subnet.to_string());
        ctx.error(&range.at, format!("the range {} is not in the subnet, {subnet}", range.value))
            .help("write a part of the subnet, or remove the key");
    }
    within.then_some(range.value)
}

type Body = (Vec<NodeSpec>, Vec<Link>);

fn body(node: &Node, lab: &str, dir: &Path, shown: &Path, ctx: &mut Diagnostics) -> Option<Body> {
    let mut fields = Fields::of(node, "`topology`", ctx)?;
    let defaults: Definition = fields.optional("defaults", ctx).unwrap_or_default();
    let kinds: BTreeMap<String, Definition> = fields.optional("kinds", ctx).unwrap_or_default();
    let groups: BTreeMap<String, Definition> = fields.optional("groups", ctx).unwrap_or_default();
    let entries: &[Entry] = match fields.node("nodes") {
        Some(nodes) => match nodes.as_mapping() {
            Some(mapping) => &mapping.entries,
            None => {
                ctx.error(&nodes.at, format!("expected nodes by name, found {}", nodes.describe()))
                    .help("write `name:` and, indented below it, what the node is");
                &[]
            }
        },
        None => {
            ctx.error(fields.at(), "a topology without nodes")
                .help("add `nodes:`, and each node by its name");
            &[]
        }
    };
    let levels = Levels { defaults, kinds, groups, lab, dir, shown };
    let nodes: Vec<Option<NodeSpec>> = entries.iter().map(|entry| levels.node(entry, ctx)).collect();
    let links = fields.optional::<Vec<Link>>("links", ctx);
    let links_said = fields.node("links").is_some();
    fields.finish(ctx);
    let nodes: Option<Vec<NodeSpec>> = nodes.into_iter().collect();
    let links = if links_said { links? } else { Vec::new() };
    Some((nodes?, links))
}

struct Levels<'a> {
    defaults: Definition,
    kinds: BTreeMap<String, Definition>,
    groups: BTreeMap<String, Definition>,
    lab: &'a str,
    dir: &'a Path,
    shown: &'a Path,
}

impl Levels<'_> {
    fn node(&self, entry: &Entry, ctx: &mut Diagnostics) -> Option<NodeSpec> {
        let name = Spanned { value: entry.key.clone(), at: entry.key_at.clone() };
        check_name(&name, "a node's name", ctx);
        if matches!(name.as_str(), "host" | "mgmt-net" | "macvlan" | "vxlan" | "vxlan-stitch" | "dummy") {
            ctx.error(
                &name.at,
                format!("a node cannot be called `{}`: it has a meaning in links", name.value),
            )
            .help("give it another name");
        }
        let own = Definition::from_tree(&entry.value, ctx)?;
        let said = self.combined(own, &name, ctx)?;
        let Some(word) = &said.kind else {
            ctx.error(&name.at, format!("the node `{}` has no kind", name.value))
                .help("write `kind: linux`, here or under `defaults`");
            return None;
        };
        let around = Around { dir: self.dir, lab: self.lab, node: &name.value };
        let kind = kinds::kind(word, ctx);
        // Only a box of its own has files of its own; a bridge inherits binds it has no use for.
        let binds = if kind == Some(NodeKind::Linux) { binds(&said.binds, &around, ctx) } else { Vec::new() };
        let mut env = BTreeMap::new();
        for file in &said.env_files {
            env.extend(self.env_file(file, &around, ctx));
        }
        env.extend(said.env);
        let network_mode_at = said.network_mode.as_ref().map_or(&name.at, |mode| &mode.at).clone();
        let network_mode = network_mode(said.network_mode.as_ref(), ctx);
        Some(NodeSpec {
            kind: kind?,
            group: said.group.map(|group| group.value),
            image: said.image,
            cmd: said.cmd,
            entrypoint: said.entrypoint,
            exec: said.exec,
            binds,
            env,
            labels: said.labels,
            sysctls: said.sysctls,
            mgmt_ipv4: said.mgmt_ipv4.map(|address| address.value),
            mgmt_ipv6: said.mgmt_ipv6.map(|address| address.value),
            network_mode: network_mode?,
            network_mode_at,
            startup_delay: said.startup_delay.unwrap_or_default(),
            startup_config: said.startup_config.map(|path| around.path(&path.value.to_string_lossy())),
            stages: said.stages,
            options: said.options,
            name: name.value,
            at: name.at,
        })
    }

    /// The four levels in one. A node's kind is its own, its group's or the defaults'; its group its own, its kind's or
    /// the defaults'.
    fn combined(&self, own: Definition, name: &Spanned<String>, ctx: &mut Diagnostics) -> Option<Definition> {
        let kind_of_group = |group: &Option<Spanned<String>>| {
            group
                .as_ref()
                .and_then(|group| self.groups.get(&group.value))
                .and_then(|group| group.kind.clone())
        };
        let kind = own
            .kind
            .clone()
            .or_else(|| kind_of_group(&own.group))
            .or_else(|| kind_of_group(&self.defaults.group))
            .or_else(|| self.defaults.kind.clone());
        let of_kind = kind.as_ref().and_then(|kind| self.kinds.get(&kind.value)).cloned().unwrap_or_default();
        let group =
            own.group.clone().or_else(|| of_kind.group.clone()).or_else(|| self.defaults.group.clone());
        // A group that is not described is free text for drawings; one that nearly is described is a mistake.
        let of_group = match &group {
            Some(group) => match self.groups.get(&group.value) {
                Some(definition) => definition.clone(),
                None => {
                    if let Some(near) = nearest(&group.value, self.groups.keys().map(String::as_str)) {
                        ctx.warning(
                            &group.at,
                            format!("the node `{}` is in a group that is not described", name.value),
                        )
                        .help(format!("did you mean `{near}`?"));
                    }
                    Definition::default()
                }
            },
            None => Definition::default(),
        };
        Some(Definition { kind, group, ..self.defaults.clone().under(of_kind).under(of_group).under(own) })
    }

    fn env_file(
        &self,
        file: &Spanned<String>,
        around: &Around<'_>,
        ctx: &mut Diagnostics,
    ) -> BTreeMap<String, String> {
        let path = around.path(file);
        let shown = self.shown.parent().unwrap_or(Path::new("")).join(&file.value);
        match std::fs::read_to_string(&path) {
            Ok(text) => env::read_file(&shown, &text, ctx),
            Err(error) => {
                ctx.error(&file.at, format!("cannot read the env-file {}: {error}", path.display()))
                    .help("paths are taken from the folder of the topology file");
                BTreeMap::new()
            }
        }
    }
}

/// Each target once: the most specific level's bind, which comes last, is the one that counts.
fn binds(texts: &[Spanned<String>], around: &Around<'_>, ctx: &mut Diagnostics) -> Vec<Bind> {
    let mut binds: Vec<Bind> = Vec::new();
    for bind in texts.iter().filter_map(|text| bind::read(text, around, ctx)) {
        match binds.iter_mut().find(|known| known.target == bind.target) {
            Some(known) => *known = bind,
            None => binds.push(bind),
        }
    }
    binds
}

fn network_mode(word: Option<&Spanned<String>>, ctx: &mut Diagnostics) -> Option<NetworkMode> {
    let Some(word) = word else { return Some(NetworkMode::Bridge) };
    match word.as_str() {
        "bridge" => Some(NetworkMode::Bridge),
        "none" => Some(NetworkMode::None),
        "host" => Some(NetworkMode::Host),
        other => match other.strip_prefix("container:").map(str::trim) {
            Some(name) if !name.is_empty() => Some(NetworkMode::Container(name.to_owned())),
            _ => {
                ctx.error(&word.at, format!("{other:?} is not a network mode"))
                    .help("write `bridge` (the default), `none`, `host` or `container:NAME`");
                None
            }
        },
    }
}

/// Names become parts of container names and host names.
fn check_name(name: &Spanned<String>, what: &str, ctx: &mut Diagnostics) {
    let sound = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !sound {
        ctx.error(&name.at, format!("{:?} cannot be {what}", name.value))
            .help("write letters, digits, `-`, `_` and `.`, a letter or a digit first");
    }
}
