//! What is asked of a container, once read, and how the levels of a topology combine. How it is written is not known here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ports::PublishedPort;

/// What a topology asks of a node's container. Nodes of namespaces honour the host name alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ContainerOptions {
    /// The host name; none is the node's name.
    pub hostname: Option<String>,
    /// The user that the container's command runs as.
    pub user: Option<String>,
    /// Capabilities beside those that every node has, without `CAP_`.
    pub cap_add: Vec<String>,
    /// Every right there is; none or false is the list of capabilities.
    pub privileged: Option<bool>,
    /// Security options, in the engine's words: `seccomp=unconfined`.
    pub security_opts: Vec<String>,
    /// Devices of the machine: `/dev/a[:/dev/b[:rwm]]`.
    pub devices: Vec<String>,
    /// Ports of the container that are ports of the machine too.
    pub ports: Vec<PublishedPort>,
    /// Most memory, in bytes.
    pub memory: Option<i64>,
    /// Most processor time, in processors.
    pub cpu: Option<f64>,
    /// The processors it may run on: `0-1,4`.
    pub cpu_set: Option<String>,
    /// Size of `/dev/shm`, in bytes.
    pub shm_size: Option<i64>,
    /// File systems in memory: their options by path.
    pub tmpfs: BTreeMap<String, String>,
    /// Whose cgroup namespace it has.
    pub cgroupns_mode: Option<CgroupNamespace>,
    /// Whose processes it sees: `host`, `container:NAME`.
    pub pid_mode: Option<String>,
    /// How it resolves names.
    pub dns: Option<Dns>,
    /// Its further names on the management network. Read at the node alone, as containerlab does.
    pub aliases: Vec<String>,
    /// What the engine does when the container ends. Unlike with containerlab, none is [`RestartPolicy::No`] for every
    /// kind: a container that starts again has lost its links.
    pub restart_policy: Option<RestartPolicy>,
    /// Whether the engine removes the container when it ends.
    pub auto_remove: Option<bool>,
    /// When its image is pulled.
    pub pull: Option<PullPolicy>,
    /// How the engine finds out whether the container is well.
    pub healthcheck: Option<Healthcheck>,
}

impl ContainerOptions {
    /// This level under a more specific one, as containerlab combines them: rights and devices add up, file systems are
    /// merged by path, all else is what the most specific level says that says it.
    pub(in crate::lab::topology) fn under(mut self, specific: Self) -> Self {
        merge(&mut self.cap_add, specific.cap_add);
        merge(&mut self.security_opts, specific.security_opts);
        merge(&mut self.devices, specific.devices);
        self.tmpfs.extend(specific.tmpfs);
        Self {
            hostname: specific.hostname.or(self.hostname),
            user: specific.user.or(self.user),
            cap_add: self.cap_add,
            privileged: specific.privileged.or(self.privileged),
            security_opts: self.security_opts,
            devices: self.devices,
            ports: if specific.ports.is_empty() { self.ports } else { specific.ports },
            memory: specific.memory.or(self.memory),
            cpu: specific.cpu.or(self.cpu),
            cpu_set: specific.cpu_set.or(self.cpu_set),
            shm_size: specific.shm_size.or(self.shm_size),
            tmpfs: self.tmpfs,
            cgroupns_mode: specific.cgroupns_mode.or(self.cgroupns_mode),
            pid_mode: specific.pid_mode.or(self.pid_mode),
            dns: specific.dns.or(self.dns),
            aliases: specific.aliases,
            restart_policy: specific.restart_policy.or(self.restart_policy),
            auto_remove: specific.auto_remove.or(self.auto_remove),
            pull: specific.pull.or(self.pull),
            healthcheck: specific.healthcheck.or(self.healthcheck),
        }
    }
}

fn merge(all: &mut Vec<String>, more: Vec<String>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

/// How a container resolves names: its `/etc/resolv.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// Name servers.
    pub servers: Vec<IpAddr>,
    /// Domains in which short names are looked for.
    pub search: Vec<String>,
    /// Options of the resolver: `ndots:2`.
    pub options: Vec<String>,
}

/// Whose cgroup namespace a container has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupNamespace {
    /// Its own.
    Private,
    /// The machine's.
    Host,
}

/// What the engine does when a container ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Nothing.
    No,
    /// Starts it again when its exit code is not 0.
    OnFailure,
    /// Starts it again.
    Always,
    /// Starts it again, unless it was stopped by hand.
    UnlessStopped,
}

/// When an image is pulled. A later variant asks for more than an earlier one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// Not at all: it must be there.
    Never,
    /// When it is not there.
    #[default]
    IfNotPresent,
    /// Each time.
    Always,
}

/// How the engine finds out whether a container is well. What is left out is the engine's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// The command: `CMD` and its words, `CMD-SHELL` and a line, or `NONE`.
    pub test: Vec<String>,
    /// How long failures do not count after the start.
    pub start_period: Option<Duration>,
    /// Between two looks.
    pub interval: Option<Duration>,
    /// How long one look may take.
    pub timeout: Option<Duration>,
    /// So many failures in a row make it unwell.
    pub retries: Option<u32>,
}
