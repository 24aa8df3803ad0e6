//! What each node of a lab is to be made of: its first process, its files, its sysctls.
//!
//! What lives here: from the lab's words to [`InitSpec`]s, without touching the system (the host's user list apart).
//! What does not: starting them (`nodes`).

use std::path::Path;

use super::containers;
use super::gates::Maker;
use crate::lab::{IpFamily, KindCluster, KindNode, NetworkMode, NodeKind, NodeSpec, Routing};
use crate::outside::Deployer;
use crate::runtime::docker::{ContainerSpec, ImageMap};
use crate::runtime::keeper::{KeeperSpec, RuntimeSpec};
use crate::runtime::netns::{FileSpec, InitSpec, MountSpec};

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A node of the topology with a network of its own.
    Router,
    /// A node of the topology that stands for a bridge.
    Bridge,
    /// A node of the topology in another node's network.
    Server,
    /// A node of the cluster.
    Cluster,
    /// A pod.
    Pod,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Bridge => "bridge",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Pod => "pod",
        }
    }
}

/// A node to be made.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) container: String,
    pub(crate) role: Role,
    pub(crate) init: InitSpec,
    /// What it is as a container, where nodes are containers and this one can be one.
    pub(crate) container_spec: Option<ContainerSpec>,
    /// Name of the node whose network it shares.
    pub(crate) joins: Option<String>,
    /// Who makes it, if not we.
    pub(crate) after: Option<Maker>,
}

/// Every node of the lab, those whose network others share first.
pub(crate) fn wanted(spec: &KeeperSpec, userns: bool) -> Vec<Wanted> {
    let base = base(spec, userns);
    let cluster = spec
        .cluster
        .iter()
        .flat_map(|cluster| cluster.nodes.iter().map(|node| cluster_node(spec, &base, cluster, node)));
    let mut all: Vec<Wanted> = cluster.collect();
    let names: Vec<String> = all.iter().map(|node| node.name.clone()).collect();
    // A node of the cluster that the topology calls by its container's name is there already.
    for node in own_nodes(spec).filter(|node| !names.contains(&node.name)) {
        all.push(topology_node(spec, &base, node, &names));
    }
    all.sort_by_key(|node| node.joins.is_some());
    all
}

/// The nodes of the topology that are boxes. One of kind `k8s-kind` is a whole cluster: it is brought up as such.
pub(crate) fn own_nodes(spec: &KeeperSpec) -> impl Iterator<Item = &NodeSpec> {
    spec.topology.nodes.iter().filter(|node| node.kind != NodeKind::K8sKind)
}

/// What every node has.
pub(crate) fn base(spec: &KeeperSpec, userns: bool) -> InitSpec {
    InitSpec {
        hostname: String::new(),
        root: spec.dir.join("root"),
        layers: spec.layers.clone(),
        userns,
        etc: userns.then(|| spec.dir.join(crate::runtime::keeper::ETC)),
        join_network_of: None,
        sysctls: sysctls(),
        mounts: Vec::new(),
        files: users(),
    }
}

fn cluster_node(spec: &KeeperSpec, base: &InitSpec, cluster: &KindCluster, node: &KindNode) -> Wanted {
    let mut init = InitSpec { hostname: node.name.clone(), ..base.clone() };
    if cluster.ip_family != IpFamily::Ipv4 {
        // kind sets it on the nodes of a cluster that has IPv6; topologies say it of their own nodes.
        init.sysctls.push(("net.ipv6.conf.all.forwarding".to_owned(), "1".to_owned(), true));
    }
    let mut container_spec = images(spec).map(|map| containers::of_cluster(spec, map, &node.name));
    let after = spec.outside.as_ref().map(|_| Maker::Cluster);
    if let Some(container) = container_spec.as_mut().filter(|_| after.is_some()) {
        container.adopted = true;
    }
    let (name, container) = (node.name.clone(), node.name.clone());
    Wanted { name, container, role: Role::Cluster, init, container_spec, joins: None, after }
}

fn topology_node(spec: &KeeperSpec, base: &InitSpec, node: &NodeSpec, cluster: &[String]) -> Wanted {
    let joins = match &node.network_mode {
        NetworkMode::Container(other) => spec
            .topology
            .resolve_container(spec.cluster.as_ref(), other)
            .map(|found| lab_name(spec, &found, cluster)),
        _ => None,
    };
    let role = match (&node.kind, &joins) {
        (_, Some(_)) => Role::Server,
        (NodeKind::Bridge, None) => Role::Bridge,
        _ => Role::Router,
    };
    let hostname = node.options.hostname.clone().unwrap_or_else(|| node.name.clone());
    let mut init = InitSpec { hostname, ..base.clone() };
    init.sysctls.extend(node.sysctls.iter().map(|(name, value)| (name.clone(), value.clone(), true)));
    init.mounts.extend(node.binds.iter().map(|bind| MountSpec {
        source: bind.source.clone(),
        target: bind.target.clone(),
        read_only: bind.read_only,
    }));
    init.files.extend(router_files());
    if let Some(joined) = &joins {
        init.hostname.clone_from(joined);
        // The network is the other node's: its sysctls are its own.
        init.sysctls.clear();
    }
    let mut container_spec = images(spec).and_then(|map| containers::of_topology(spec, map, node, role));
    let deployed = spec.outside.as_ref().is_some_and(|lab| lab.deployer == Deployer::Containerlab);
    let after = (deployed && node.is_container()).then_some(Maker::Topology);
    if let Some(container) = container_spec.as_mut().filter(|_| after.is_some()) {
        container.adopted = true;
    }
    let (name, container) = (node.name.clone(), spec.topology.container_name(&node.name));
    Wanted { name, container, role, init, container_spec, joins, after }
}

/// The images that stand for others, where nodes are containers.
fn images(spec: &KeeperSpec) -> Option<&ImageMap> {
    match &spec.runtime {
        RuntimeSpec::Netns => None,
        RuntimeSpec::Docker { images, .. } => Some(images),
    }
}

/// A container's name back to the name the lab knows the node by.
fn lab_name(spec: &KeeperSpec, container: &str, cluster: &[String]) -> String {
    if cluster.iter().any(|name| name == container) {
        return container.to_owned();
    }
    let node = spec.topology.nodes.iter().find(|node| spec.topology.container_name(&node.name) == container);
    node.map_or_else(|| container.to_owned(), |node| node.name.clone())
}

/// Network settings of every node; `true` marks those without which nothing works.
fn sysctls() -> Vec<(String, String, bool)> {
    [
        ("net.ipv4.ip_forward", "1", true),
        ("net.ipv4.conf.all.rp_filter", "0", false),
        ("net.ipv4.conf.default.rp_filter", "0", false),
        ("net.ipv6.conf.all.disable_ipv6", "0", false),
        ("net.ipv6.conf.default.disable_ipv6", "0", false),
        // Without a wait for duplicates the link-local address, and unnumbered BGP with it, is there at once.
        ("net.ipv6.conf.all.accept_dad", "0", false),
        ("net.ipv6.conf.default.accept_dad", "0", false),
        // A limit on ICMP errors would make holes in a traceroute that are not holes.
        ("net.ipv4.icmp_ratelimit", "0", false),
        ("net.ipv6.icmp.ratelimit", "0", false),
        // ECMP by ports too, as routers do.
        ("net.ipv4.fib_multipath_hash_policy", "1", false),
        ("net.ipv6.fib_multipath_hash_policy", "1", false),
    ]
    .into_iter()
    .map(|(name, value, needed)| (name.to_owned(), value.to_owned(), needed))
    .collect()
}

/// The host's users and groups, with FRR's and BIRD's as id 0: in a user namespace there is no other id to run it as. No
/// user has a password: the host's are none of a node's business, and Ubuntu's PAM wants a file it can read, or vtysh
/// complains at every start.
fn users() -> Vec<FileSpec> {
    let host = |path: &str| {
        std::fs::read_to_string(path).unwrap_or_else(|_| "root:x:0:0:root:/root:/bin/sh\n".into())
    };
    let without = |text: String, names: &[&str]| -> String {
        let kept =
            text.lines().filter(|line| !names.iter().any(|name| line.starts_with(&format!("{name}:"))));
        kept.map(|line| format!("{line}\n")).collect()
    };
    let passwd = without(host("/etc/passwd"), &["frr", "bird"])
        + "frr:x:0:0:FRR:/run/frr:/usr/sbin/nologin\nbird:x:0:0:BIRD:/run/bird:/usr/sbin/nologin\n";
    let group =
        without(host("/etc/group"), &["frr", "frrvty", "bird"]) + "frr:x:0:\nfrrvty:x:0:frr\nbird:x:0:\n";
    let names = passwd.lines().filter_map(|line| line.split(':').next());
    // `*` is nobody's password; a change of it is asked for in no year (shadow(5)).
    let shadow = names.map(|name| format!("{name}:*:1::::::\n")).collect();
    vec![
        FileSpec { path: "/etc/passwd".into(), mode: 0o644, text: passwd },
        FileSpec { path: "/etc/shadow".into(), mode: 0o600, text: shadow },
        FileSpec { path: "/etc/group".into(), mode: 0o644, text: group },
    ]
}

/// FRR's daemons beside zebra, mgmtd and staticd, which always run.
const DAEMONS: [&str; 17] = [
    "bgpd", "ospfd", "ospf6d", "ripd", "ripngd", "isisd", "pimd", "pim6d", "ldpd", "nhrpd", "eigrpd",
    "babeld", "sharpd", "pbrd", "bfdd", "fabricd", "vrrpd",
];

/// `/etc/frr` as FRR's image has it before a lab changes it (every daemon off, vtysh's integrated configuration on), and
/// the folders in which FRR and BIRD keep what is of a run.
fn router_files() -> Vec<FileSpec> {
    let mut daemons: String = DAEMONS.iter().map(|daemon| format!("{daemon}=no\n")).collect();
    daemons.push_str(
        "vtysh_enable=yes\nzebra_options=\"  -A 127.0.0.1 -s 90000000\"\nmgmtd_options=\"  -A 127.0.0.1\"\n",
    );
    daemons.push_str("staticd_options=\"-A 127.0.0.1\"\n");
    for daemon in DAEMONS {
        let local = if daemon.contains('6') || daemon == "ripngd" { "::1" } else { "127.0.0.1" };
        daemons.push_str(&format!("{daemon}_options=\"   -A {local}\"\n"));
    }
    let folder =
        |name: &str| FileSpec { path: Path::new(name).join(".keep"), mode: 0o644, text: String::new() };
    vec![
        FileSpec { path: "/etc/frr/daemons".into(), mode: 0o640, text: daemons },
        // Without it vtysh complains at every start. What it says is vtysh's default.
        FileSpec {
            path: "/etc/frr/vtysh.conf".into(),
            mode: 0o640,
            text: "! frr.conf is used where there is one.\n".into(),
        },
        folder("/run/frr"),
        folder("/var/log/frr"),
        folder("/var/tmp/frr"),
        // BIRD's control socket stands there; its packages' start scripts would make the folder.
        folder("/run/bird"),
    ]
}

/// FRR's own start script, which FRR's image runs when a lab gives no command.
pub(crate) const START_FRR: &str = "/usr/lib/frr/frrinit.sh";

/// What an image of BIRD's runs, with the configuration where packages put it.
pub(crate) const START_BIRD: &str = "bird";

/// The command that a node's image would run at start, if the twin knows it.
pub(crate) fn start_command(node: &NodeSpec) -> Option<Vec<String>> {
    match (&node.cmd, &node.entrypoint) {
        (None, None) => {
            let image = node.image.as_deref().and_then(Routing::of_image)?;
            Some(match image {
                Routing::Frr => vec![START_FRR.to_owned(), "start".to_owned()],
                Routing::Bird => vec![START_BIRD.to_owned()],
            })
        }
        (cmd, entrypoint) => {
            let words =
                |text: &Option<String>| text.as_deref().and_then(|text| shell_words::split(text).ok());
            let mut argv = words(entrypoint).unwrap_or_default();
            argv.extend(words(cmd).unwrap_or_default());
            // A shell or a sleep alone only keeps a container alive; a node needs no such thing.
            let idle = argv.first().is_none_or(|program| {
                let name = Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned());
                matches!(name.as_deref(), Some("sleep" | "tini"))
                    || (argv.len() == 1 && is_shell(name.as_deref()))
            });
            (!idle).then_some(argv)
        }
    }
}

fn is_shell(name: Option<&str>) -> bool {
    matches!(name, Some("bash" | "sh" | "ash" | "zsh" | "dash"))
}
