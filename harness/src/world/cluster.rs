//! What `kind create cluster` leaves behind: nodes on kind's network, an API endpoint, Node objects, NotReady.
//!
//! What lives here: the order of it, and the Node objects. What does not: the endpoint (`twin::api`), pods
//! (`twin::kubelet`, `pods`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::nodes::Births;
use super::pods::Pods;
use super::services::{NodeFronts, gate};
use super::underlay::plug;
use super::whole::{Reporter, WorldError};
use crate::lab::{IpFamily, KindCluster, KindNode, Role};
use crate::runtime::keeper::{KeeperSpec, StepReport};
use crate::twin::api::{PodRuntime, Within, install, kubernetes_version, serve};
use crate::twin::kubelet::{Kubelet, Sandboxes, run_leases};
use crate::twin::services::{Fronts, run_endpoints, run_proxy};
use crate::twin::store::Store;
use crate::wire::{Pool, RouteSpec, Wire, hosts};

/// kind's docker network, as docker hands out its first two pools: the first is docker's own bridge.
const KIND_NETWORK: [Ipv4Net; 2] = [
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(172, 18, 0, 0), 16),
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(172, 19, 0, 0), 16),
];
/// Its IPv6 network: kind derives it from the network's name.
pub(super) const KIND_NETWORK6: Ipv6Net =
    Ipv6Net::new_assert(std::net::Ipv6Addr::new(0xfc00, 0xf853, 0x0ccd, 0xe793, 0, 0, 0, 0), 64);
const KIND_BRIDGE: &str = "br-kind";

/// The cluster's control plane, once it is there.
pub(super) struct ControlPlane {
    pub(super) within: Within,
    pub(super) url: String,
    pub(super) kubeconfig: PathBuf,
}

impl std::fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlPlane").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Brings the cluster's nodes and its endpoint up.
pub(super) async fn bring_up(
    spec: &KeeperSpec,
    cluster: &KindCluster,
    births: &Arc<Births>,
    switches: &Arc<Wire>,
    pods: &Arc<Pods>,
    report: &mut StepReport,
    reporter: &Reporter,
) -> Result<ControlPlane, WorldError> {
    let started = Instant::now();
    let failed = |what: &str, why: String| WorldError::Cluster { what: what.to_owned(), why };
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.map_err(|source| {
        WorldError::Io { what: "listen on 127.0.0.1 for the API endpoint".into(), source }
    })?;
    let door = listener
        .local_addr()
        .map_err(|source| WorldError::Io { what: "find the API endpoint's port".into(), source })?;
    let runtime: Arc<dyn PodRuntime> = Arc::clone(pods) as _;
    let store = Store::new();
    install(&store, &service_subnets(cluster))
        .map_err(|error| failed("write the service subnets", error.to_string()))?;
    let (endpoint, within) = serve(store.clone(), runtime, listener)
        .await
        .map_err(|error| failed("serve the API endpoint", error.to_string()))?;
    let kubeconfig = spec.dir.join("kubeconfig");
    write_private(&kubeconfig, &endpoint.kubeconfig(&cluster.name))
        .map_err(|source| WorldError::Io { what: format!("write {}", kubeconfig.display()), source })?;
    reporter.done(report, "API endpoint".into(), started);

    let started = Instant::now();
    let members = attach(spec, cluster, births, switches).await?;
    let as_part = |name: &'static str| {
        within.client(name).map_err(|error| failed("reach the API endpoint", error.to_string()))
    };
    let kubelet = as_part("kubelet")?;
    let api: Api<Node> = Api::all(kubelet.clone());
    let podcidrs = pod_cidrs(cluster);
    let registered = cluster.nodes.iter().enumerate().map(|(number, node)| {
        let addresses = members.get(&node.name).map(Vec::as_slice).unwrap_or_default();
        let cidrs: Vec<IpNet> = podcidrs.iter().filter_map(|family| family.get(number).copied()).collect();
        let (api, object) = (api.clone(), node_object(cluster, node, addresses, &cidrs));
        async move {
            let object: Node = serde_json::from_value(object).map_err(|error| error.to_string())?;
            api.create(&PostParams::default(), &object).await.map_err(|error| error.to_string())
        }
    });
    futures::future::try_join_all(registered)
        .await
        .map_err(|why| failed("register the cluster's nodes", why))?;
    let sandboxes: Arc<dyn Sandboxes> = Arc::clone(pods) as _;
    pods.keep(Kubelet::new(kubelet.clone(), sandboxes, pods.logs().clone()).run());
    for object in kubernetes_service(cluster, &members) {
        install(&store, &object).map_err(|error| failed("make the Service of the API", error.to_string()))?;
    }
    let fronts: Arc<dyn Fronts> = Arc::new(NodeFronts::new(Arc::clone(births)));
    for plane in cluster.nodes.iter().filter(|node| node.role == Role::ControlPlane) {
        pods.keep(gate(Arc::clone(births), plane.name.clone(), door));
    }
    pods.keep(run_leases(kubelet));
    pods.keep(run_endpoints(as_part("kube-controller-manager")?));
    pods.keep(run_proxy(as_part("kube-proxy")?, fronts));
    reporter.done(report, format!("{} nodes of the cluster, NotReady", cluster.nodes.len()), started);
    Ok(ControlPlane { within, url: endpoint.url.clone(), kubeconfig })
}

/// eth0 of every cluster node, on kind's network, with an address of each of the cluster's families; an IPv6 cluster's
/// containers have an IPv4 address too.
async fn attach(
    spec: &KeeperSpec,
    cluster: &KindCluster,
    births: &Births,
    switches: &Arc<Wire>,
) -> Result<BTreeMap<String, Vec<IpAddr>>, WorldError> {
    let mut nodes = Vec::new();
    for node in &cluster.nodes {
        nodes.push(births.get(&node.name).await.map_err(WorldError::Node)?);
    }
    if nodes.iter().all(|live| live.given.is_some()) {
        // Containers have their eth0 from the engine.
        let given = nodes.iter().map(|live| (live.name.clone(), live.given.clone().unwrap_or_default()));
        return Ok(given.collect());
    }
    let mgmt = spec.topology.mgmt.ipv4_subnet;
    let free = KIND_NETWORK
        .into_iter()
        .find(|net| mgmt.is_none_or(|mgmt| !net.contains(&mgmt) && !mgmt.contains(net)));
    let network = free.unwrap_or(KIND_NETWORK[0]);
    let switches = Arc::clone(switches);
    let mut pools = vec![Pool::new(network, None)];
    if cluster.ip_family != IpFamily::Ipv4 {
        pools.push(Pool::new(KIND_NETWORK6, None));
    }
    let wired = tokio::task::spawn_blocking(move || {
        switches.bridge(KIND_BRIDGE)?;
        for pool in &pools {
            switches.address(KIND_BRIDGE, pool.on_link(pool.gateway()))?;
        }
        let mut members = BTreeMap::new();
        for (number, live) in nodes.iter().enumerate() {
            plug(&switches, KIND_BRIDGE, &format!("k{number}"), &live.wire, "eth0", None)?;
            let mut addresses = Vec::new();
            for pool in &mut pools {
                let address = pool.next(&live.name)?;
                live.wire.address("eth0", pool.on_link(address))?;
                live.wire.route(&RouteSpec::default(pool.gateway(), "eth0"))?;
                addresses.push(address);
            }
            let first = addresses.first().map(IpAddr::to_string);
            *live.mgmt.lock().unwrap_or_else(PoisonError::into_inner) = first;
            members.insert(live.name.clone(), addresses);
        }
        Ok::<_, WorldError>(members)
    });
    wired.await.map_err(WorldError::panicked)?
}

/// The subnets of Services, as kube-apiserver writes them down.
fn service_subnets(cluster: &KindCluster) -> Value {
    let cidrs: Vec<String> = cluster.service_subnets.iter().map(ToString::to_string).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": cidrs},
    })
}

/// The Service of the API itself, which is there before anybody makes one: the first address of the first subnet, and
/// behind it the control planes.
fn kubernetes_service(cluster: &KindCluster, members: &BTreeMap<String, Vec<IpAddr>>) -> Vec<Value> {
    let first = cluster.service_subnets.first().and_then(|subnet| hosts(*subnet).next());
    let labels = json!({"component": "apiserver", "provider": "kubernetes"});
    let v6 = first.is_some_and(|ip| ip.is_ipv6());
    let planes = cluster.nodes.iter().filter(|node| node.role == Role::ControlPlane);
    let addresses: Vec<IpAddr> = planes
        .filter_map(|node| {
            let own = node.node_ips.iter().chain(members.get(&node.name).into_iter().flatten());
            own.copied().find(|ip| ip.is_ipv6() == v6)
        })
        .collect();
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"clusterIP": first, "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]},
    });
    let endpoints: Vec<Value> =
        addresses.iter().map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}})).collect();
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": if v6 { "IPv6" } else { "IPv4" },
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "endpoints": endpoints, "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}],
    });
    let listed: Vec<Value> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    let old = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"name": "kubernetes", "namespace": "default",
            "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": listed, "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]}],
    });
    vec![service, slice, old]
}

/// The pod CIDRs of each pod subnet, in the order in which nodes get them, as kube-controller-manager cuts them: /24s,
/// and /64s of IPv6, unless the lab tells it otherwise.
fn pod_cidrs(cluster: &KindCluster) -> Vec<Vec<IpNet>> {
    let cut = |subnet: &IpNet| -> Vec<IpNet> {
        let v4 = subnet.addr().is_ipv4();
        let length = if v4 { cluster.node_cidr_mask_v4 } else { cluster.node_cidr_mask_v6 };
        match subnet.subnets(length) {
            Ok(subnets) => subnets.take(cluster.nodes.len()).collect(),
            Err(_) => vec![*subnet],
        }
    };
    cluster.pod_subnets.iter().map(cut).collect()
}

/// A Node object as a kubelet registers it before there is a CNI.
fn node_object(cluster: &KindCluster, node: &KindNode, kind_addresses: &[IpAddr], cidrs: &[IpNet]) -> Value {
    let control_plane = node.role == Role::ControlPlane;
    let mut labels: BTreeMap<String, String> = node.labels.clone();
    for (key, value) in [
        ("beta.kubernetes.io/arch", ARCH),
        ("beta.kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", ARCH),
        ("kubernetes.io/os", "linux"),
    ] {
        labels.insert(key.into(), value.into());
    }
    labels.insert("kubernetes.io/hostname".into(), node.name.clone());
    if control_plane {
        labels.insert("node-role.kubernetes.io/control-plane".into(), String::new());
        labels.insert("node.kubernetes.io/exclude-from-external-load-balancers".into(), String::new());
    }
    let mut taints: Vec<Value> = node
        .taints
        .iter()
        .map(|taint| json!({"key": taint.key, "value": taint.value, "effect": taint.effect}))
        .collect();
    taints.push(json!({"key": NOT_READY, "effect": "NoSchedule"}));
    let of_cluster = |ip: &&IpAddr| match cluster.ip_family {
        IpFamily::Ipv4 => ip.is_ipv4(),
        IpFamily::Ipv6 => ip.is_ipv6(),
        IpFamily::Dual => true,
    };
    let addresses: Vec<IpAddr> = if node.node_ips.is_empty() {
        kind_addresses.iter().filter(of_cluster).copied().collect()
    } else {
        node.node_ips.clone()
    };
    let mut listed: Vec<Value> =
        addresses.iter().map(|ip| json!({"type": "InternalIP", "address": ip})).collect();
    listed.push(json!({"type": "Hostname", "address": node.name}));
    let cidrs: Vec<String> = cidrs.iter().map(ToString::to_string).collect();
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": node.name, "labels": labels},
        "spec": {
            "podCIDR": cidrs.first(), "podCIDRs": cidrs, "taints": taints,
            "providerID": format!("kind://fabric/{}/{}", cluster.name, node.name),
        },
        "status": {
            "addresses": listed,
            "conditions": conditions(false),
            "capacity": capacity(), "allocatable": capacity(),
            "nodeInfo": {
                "architecture": ARCH, "bootID": "", "containerRuntimeVersion": "fabric://namespaces",
                "kernelVersion": kernel(), "kubeProxyVersion": kubernetes_version(), "kubeletVersion": kubernetes_version(), "machineID": "",
                "operatingSystem": "linux", "osImage": os(), "systemUUID": "",
            },
        },
    })
}

/// The taint of a node without a CNI.
pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// A kubelet's conditions, with and without a CNI.
pub(super) fn conditions(ready: bool) -> Value {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let (status, reason, message) = if ready {
        ("True", "KubeletReady", "kubelet is posting ready status")
    } else {
        let why = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady \
                   message:Network plugin returns error: cni plugin not initialized";
        ("False", "KubeletNotReady", why)
    };
    json!([
        condition(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        condition("Ready", status, reason, message),
    ])
}

const ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// What each node has: this machine, all of it, as nodes made by kind say too.
fn capacity() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    json!({"cpu": cores.to_string(), "memory": format!("{}Ki", memory.unwrap_or("0")), "pods": "110"})
}

fn kernel() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    text.trim().to_owned()
}

fn os() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    pretty.map_or_else(|| "Linux".into(), |name| name.trim_matches('"').to_owned())
}

/// Writes what only the user may read.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())
}
