//! Why kind, helm and containerlab fail, and what to type: a table of causes, matched on what they said and on what the machine
//! shows.
//!
//! What lives here: the table. What does not: running them (`command`), looking at the machine (`machine`). The recorded cases are
//! under `fixtures/recorded/lab-tools`, said by the real programs; a row without one says so.

use std::fmt;

use super::machine::Machine;

/// What a failure means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// What is wrong.
    pub(crate) what: String,
    /// What to type.
    pub(crate) remedy: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; type: {}", self.what, self.remedy)
    }
}

/// A row: a program's words, and what they mean.
struct Row {
    /// Whose words; empty for anybody's.
    program: &'static str,
    /// All of these are said.
    said: &'static [&'static str],
    /// And one of these, if there are any.
    one_of: &'static [&'static str],
    /// What that means on this machine; none if it means nothing here.
    means: fn(&Machine) -> Option<Cause>,
}

fn because(what: impl Into<String>, remedy: impl Into<String>) -> Option<Cause> {
    Some(Cause { what: what.into(), remedy: remedy.into() })
}

const INOTIFY: &str = "sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288";

/// The first row that fits is the cause: what is precise stands before what is general.
const TABLE: &[Row] = &[
    Row {
        program: "",
        said: &[],
        // No recorded case.
        one_of: &["Cannot connect to the Docker daemon", "Is the docker daemon running"],
        means: |_| because("the Docker daemon does not answer", "systemctl start docker"),
    },
    Row {
        program: "",
        // No recorded case.
        said: &["permission denied", "docker"],
        one_of: &["docker.sock", "daemon socket"],
        means: |_| {
            because(
                "the Docker daemon's socket is not for this user",
                "sudo -E fabric ..., or usermod -aG docker $USER",
            )
        },
    },
    Row {
        program: "",
        // No recorded case.
        said: &["no space left on device"],
        one_of: &[],
        means: |_| because("the disk is full", "docker system prune, then df -h /var/lib/docker"),
    },
    Row {
        program: "kind",
        said: &["already exist for a cluster with the name"],
        one_of: &[],
        means: |_| {
            because(
                "a cluster of that name is there already",
                "the same again with --reuse to take it as it is, or `kind delete cluster --name NAME`",
            )
        },
    },
    Row {
        program: "",
        said: &["non-overlapping IPv4 address pool"],
        one_of: &[],
        means: |_| {
            because(
                "Docker has no free subnet left for another network: too many networks, or a VPN's routes cover its pools",
                "docker network prune (and with a VPN: end it, or set default-address-pools in /etc/docker/daemon.json)",
            )
        },
    },
    Row {
        program: "",
        said: &["Pool overlaps with other one on this address space"],
        one_of: &[],
        means: |_| {
            because(
                "another Docker network has these addresses",
                "docker network inspect $(docker network ls -q) -f '{{.Name}} {{range .IPAM.Config}}{{.Subnet}} {{end}}', then docker network rm NAME",
            )
        },
    },
    Row {
        program: "",
        said: &[],
        one_of: &["port is already allocated", "address already in use"],
        means: |_| {
            because(
                "a port that the lab wants on this machine is in use (kind's apiServerPort or extraPortMappings, containerlab's ports)",
                "ss -ltnp and docker ps show whose it is; end it, or give the lab another port",
            )
        },
    },
    Row {
        program: "",
        said: &[],
        one_of: &["too many open files", "Too many open files"],
        means: |machine| {
            let few = machine.few_watches().unwrap_or_else(|| "the limits of inotify are used up".into());
            because(format!("the nodes have no inotify watches left: {few}"), INOTIFY)
        },
    },
    Row {
        program: "kind",
        said: &["could not find a log line that matches"],
        one_of: &[],
        means: |machine| match machine.few_watches() {
            Some(few) => {
                because(format!("systemd did not come up in a node, as happens where {few}"), INOTIFY)
            }
            None => because(
                "systemd did not come up in a node: an old node image on a machine with cgroup v2 alone, or another cgroup driver than it expects",
                "docker info -f '{{.CgroupDriver}} {{.CgroupVersion}}', and a newer image: --kind-image kindest/node:vX.Y.Z",
            ),
        },
    },
    Row {
        program: "",
        said: &[],
        one_of: &["unable to apply caps: operation not permitted", "unable to apply caps"],
        means: |_| {
            because(
                "the engine may not run privileged containers, and kind's nodes are privileged",
                "run this on a machine whose container engine may (not inside an unprivileged container), or `--env twin`",
            )
        },
    },
    Row {
        program: "kind",
        said: &["failed to pull image"],
        one_of: &[],
        means: |_| {
            because(
                "the image of kind's nodes is not there and could not be pulled",
                "docker pull kindest/node:vX.Y.Z where there is a network, or `docker load` it, and --kind-image NAME",
            )
        },
    },
    // Without a recorded case: we never pass `--wait`; a wrapper in kind's place may.
    Row {
        program: "kind",
        said: &["Waiting", "= Ready"],
        one_of: &["timed out waiting", "WARNING"],
        means: |_| {
            because(
                "kind waited for nodes to be Ready, which they never are without a CNI",
                "take `--wait` out of what calls kind: Cilium is installed after it",
            )
        },
    },
    Row {
        program: "kind",
        // No recorded case.
        said: &["failed to init node with kubeadm"],
        one_of: &["kubelet", "timed out waiting for the condition"],
        means: |machine| {
            let cgroups = if machine.cgroup2 { "v2" } else { "v1" };
            because(
                format!(
                    "the kubelet of the control plane did not come up (this machine has cgroup {cgroups}): mostly another cgroup driver than its own, swap, or memory"
                ),
                "kind create cluster --retain --config FILE, then docker exec NODE journalctl -u kubelet | tail",
            )
        },
    },
    Row {
        program: "kind",
        said: &[],
        // No recorded case.
        one_of: &["unable to decode config", "unknown field", "unknown apiVersion", "invalid configuration"],
        means: |_| {
            because(
                "kind refuses the cluster's configuration",
                "the line it names, in the lab's cluster.yaml",
            )
        },
    },
    Row {
        program: "helm",
        said: &["is not a valid chart repository or cannot be reached"],
        one_of: &[],
        means: |_| {
            because(
                "the chart repository cannot be reached",
                "helm pull cilium/cilium --version X.Y.Z where there is a network, then --chart FILE",
            )
        },
    },
    Row {
        program: "helm",
        said: &["execution error at ("],
        one_of: &[],
        means: |_| {
            because(
                "the chart refuses a value, in the words above",
                "the value it names, in the lab's values.yaml; `fabric test --env twin` shows the line",
            )
        },
    },
    Row {
        program: "helm",
        // No recorded case.
        said: &["values don't meet the specifications of the schema"],
        one_of: &[],
        means: |_| {
            because(
                "a value is of another type than the chart's schema wants",
                "the value it names, in the lab's values.yaml",
            )
        },
    },
    Row {
        program: "helm",
        // No recorded case.
        said: &["cannot re-use a name that is still in use"],
        one_of: &[],
        means: |_| {
            because("Cilium is installed in this cluster already", "helm uninstall -n kube-system cilium")
        },
    },
    Row {
        program: "helm",
        said: &[],
        // No recorded case.
        one_of: &["no chart version found", "chart not found", "not found in"],
        means: |_| {
            because(
                "the repository has no chart of that version",
                "helm search repo cilium/cilium --versions, and that version in lab.yaml (`cilium: { version: ... }`)",
            )
        },
    },
    Row {
        program: "helm",
        said: &["path \"", "not found"],
        one_of: &[],
        means: |_| {
            because(
                "there is no chart at that path",
                "--chart FOLDER or --chart FILE.tgz, as it is on this machine",
            )
        },
    },
    Row {
        program: "helm",
        said: &["Kubernetes cluster unreachable"],
        one_of: &[],
        means: |_| {
            because("the cluster's API does not answer", "docker ps --filter label=io.x-k8s.kind.cluster")
        },
    },
    Row {
        program: "containerlab",
        said: &["lab has already been deployed"],
        one_of: &[],
        means: |_| because("a lab of that name is deployed already", "containerlab destroy -t TOPOLOGY"),
    },
    Row {
        program: "containerlab",
        said: &["failed to Statfs"],
        one_of: &[],
        means: |_| {
            because(
                "a container ended as soon as it was started: its `cmd` does not stay",
                "docker ps -a --filter label=containerlab, then docker logs NAME",
            )
        },
    },
    Row {
        program: "containerlab",
        said: &["context deadline exceeded"],
        one_of: &[],
        means: |_| {
            because(
                "the container engine was too slow for containerlab's own limit",
                "docker ps; on a slow machine: --deployer fabric",
            )
        },
    },
    Row {
        program: "",
        said: &[],
        one_of: &["no such host", "i/o timeout", "network is unreachable", "TLS handshake timeout"],
        means: |_| {
            because(
                "there is no network to pull from",
                "docker load -i FILE for the images of the lab (docker save makes such files), or --image NAME=OTHER",
            )
        },
    },
];

/// What a program's words mean on a machine, if that is known.
pub(super) fn cause(program: &str, said: &str, machine: &Machine) -> Option<Cause> {
    let fits = |row: &&Row| {
        (row.program.is_empty() || row.program == program)
            && row.said.iter().all(|words| said.contains(words))
            && (row.one_of.is_empty() || row.one_of.iter().any(|words| said.contains(words)))
    };
    TABLE.iter().filter(fits).find_map(|row| (row.means)(machine))
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
