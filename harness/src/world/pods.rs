//! Pods' namespaces: made on a node, linked to it, given an address of its pod CIDR.
//!
//! What lives here: the link and the address of each pod, and the way into it for `exec`. What does not: when a pod
//! is made (`twin::kubelet`).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ipnet::IpNet;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::housing::Housing;
use super::nodes::{Births, Live};
use super::specs::{Role, Wanted};
use crate::node::NodeRef;
use crate::runtime::netns::InitSpec;
use crate::twin::api::{ApiError, LogOptions, LogStream, PodRuntime};
use crate::twin::kubelet::{Logs, PodId, Sandbox, Sandboxes};
use crate::wire::{End, LinkSpec, RouteSpec, Wire, hosts};

/// A node's addresses for pods.
#[derive(Debug, Clone)]
pub(super) struct NodeNet {
    cidrs: Vec<IpNet>,
    /// cilium_host's addresses, one for each CIDR.
    pub(super) host: Vec<IpAddr>,
    taken: HashSet<IpAddr>,
}

impl NodeNet {
    pub(super) fn new(cidrs: &[IpNet]) -> Self {
        Self { cidrs: cidrs.to_vec(), host: Vec::new(), taken: HashSet::new() }
    }

    /// A free address: anywhere in the CIDR, as Cilium does, but the same for the same name.
    pub(super) fn take(&mut self, cidr: IpNet, name: &str) -> Option<IpAddr> {
        let mut hasher = DefaultHasher::new();
        (cidr, name).hash(&mut hasher);
        // Enough to look through: an IPv6 CIDR has more than anybody could count.
        let hosts: Vec<IpAddr> = hosts(cidr).take(4096).collect();
        let first = usize::try_from(hasher.finish() % (hosts.len().max(1) as u64)).unwrap_or(0);
        let free = hosts
            .iter()
            .cycle()
            .skip(first)
            .take(hosts.len())
            .find(|ip| !self.taken.contains(ip))
            .copied()?;
        self.taken.insert(free);
        Some(free)
    }

    fn give_back(&mut self, ips: &[IpAddr]) {
        self.taken.retain(|ip| !ips.contains(ip));
    }
}

struct Place {
    live: Arc<Live>,
    on: String,
    interface: String,
    ips: Vec<IpAddr>,
}

/// All pods of the fabric.
pub(super) struct Pods {
    housing: Arc<Housing>,
    base: InitSpec,
    births: Arc<Births>,
    nets: watch::Sender<Option<BTreeMap<String, NodeNet>>>,
    places: Mutex<HashMap<PodId, Place>>,
    host_network: Mutex<HashMap<PodId, NodeRef>>,
    logs: Logs,
    tasks: Mutex<JoinSet<()>>,
}

impl std::fmt::Debug for Pods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pods").finish_non_exhaustive()
    }
}

/// A pod's `/etc/hosts`, as the kubelet writes it: the loopback's names, and the pod's own for each of its addresses.
fn hosts_file(pod: &PodId, ips: &[IpAddr]) -> String {
    const LOOPBACK: &str = "# Kubernetes-managed hosts file.\n\
        127.0.0.1\tlocalhost\n\
        ::1\tlocalhost ip6-localhost ip6-loopback\n\
        fe00::0\tip6-localnet\n\
        fe00::0\tip6-mcastprefix\n\
        fe00::1\tip6-allnodes\n\
        fe00::2\tip6-allrouters\n";
    let own: String = ips.iter().map(|ip| format!("{ip}\t{}\n", pod.name)).collect();
    format!("{LOOPBACK}{own}")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pods {
    pub(super) fn new(housing: Arc<Housing>, base: InitSpec, births: Arc<Births>) -> Arc<Self> {
        Arc::new(Self {
            housing,
            base,
            births,
            nets: watch::Sender::new(None),
            places: Mutex::default(),
            host_network: Mutex::default(),
            logs: Logs::default(),
            tasks: Mutex::default(),
        })
    }

    pub(super) fn logs(&self) -> &Logs {
        &self.logs
    }

    /// Keeps a task running until the fabric ends.
    pub(super) fn keep(&self, task: impl Future<Output = ()> + Send + 'static) {
        locked(&self.tasks).spawn(task);
    }

    /// From now on pods can have addresses.
    pub(super) fn network_is_up(&self, nets: BTreeMap<String, NodeNet>) {
        self.nets.send_replace(Some(nets));
    }

    /// The pods that live.
    pub(super) fn living(&self) -> Vec<Arc<Live>> {
        locked(&self.places).values().map(|place| Arc::clone(&place.live)).collect()
    }

    /// Stops following the API.
    pub(super) fn stop(&self) {
        locked(&self.tasks).abort_all();
    }

    async fn node(&self, name: &str) -> Result<Arc<Live>, String> {
        self.births.get(name).await
    }

    async fn link(&self, pod: &PodId, live: &Arc<Live>, on: &str) -> Result<(Vec<IpAddr>, String), String> {
        let mut nets = self.nets.subscribe();
        // Without a CNI a pod waits, as it would for a real kubelet.
        let seen = nets.wait_for(Option::is_some).await;
        drop(seen.map_err(|_| "the fabric is ending".to_string())?);
        let mut given: Vec<(IpAddr, IpAddr)> = Vec::new();
        let mut error = None;
        self.nets.send_modify(|nets| {
            let Some(net) = nets.as_mut().and_then(|nets| nets.get_mut(on)) else {
                error = Some(format!("{on} has no pod network"));
                return;
            };
            for (cidr, host) in net.cidrs.clone().into_iter().zip(net.host.clone()) {
                match net.take(cidr, &pod.to_string()) {
                    Some(ip) => given.push((ip, host)),
                    None => error = Some(format!("no address is left in {cidr}")),
                }
            }
        });
        if let Some(error) = error {
            return Err(error);
        }
        let mut hasher = DefaultHasher::new();
        pod.hash(&mut hasher);
        let interface = format!("lxc{:011x}", hasher.finish() & 0xfff_ffff_ffff);
        let node = self.node(on).await?;
        let ips = given.iter().map(|(ip, _)| *ip).collect();
        let (live, name) = (Arc::clone(live), interface.clone());
        let wired = tokio::task::spawn_blocking(move || -> Result<(), crate::wire::WireError> {
            Wire::connect(&LinkSpec {
                a: End { wire: &node.wire, interface: &name, mac: None },
                b: End { wire: &live.wire, interface: "eth0", mac: None },
                mtu: None,
            })?;
            let mac = node.wire.mac(&name)?;
            for (ip, host) in given {
                live.wire.address("eth0", IpNet::from(ip))?;
                live.wire.route(&RouteSpec {
                    to: IpNet::from(host),
                    via: None,
                    interface: "eth0",
                    source: None,
                })?;
                let everywhere =
                    if ip.is_ipv4() { IpNet::V4(Default::default()) } else { IpNet::V6(Default::default()) };
                live.wire.route(&RouteSpec {
                    to: everywhere,
                    via: Some(host),
                    interface: "eth0",
                    source: None,
                })?;
                // cilium_host answers no ARP on this link: Cilium pins it too.
                live.wire.neighbor("eth0", host, &mac)?;
                // ICMP errors to the pod come from cilium_host, as they do with Cilium.
                node.wire.route(&RouteSpec {
                    to: IpNet::from(ip),
                    via: None,
                    interface: &name,
                    source: Some(host),
                })?;
            }
            Ok(())
        });
        wired.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok((ips, interface))
    }
}

#[async_trait]
impl Sandboxes for Pods {
    async fn make(&self, pod: &PodId, on: &str, host_network: bool) -> Result<Sandbox, String> {
        if host_network {
            let node = self.node(on).await?;
            locked(&self.host_network).insert(pod.clone(), Arc::clone(&node.node));
            let address = locked(&node.mgmt).clone();
            let ips = address.and_then(|ip| ip.parse().ok()).into_iter().collect();
            return Ok(Sandbox { ips, node: Arc::clone(&node.node) });
        }
        let name = pod.to_string();
        let init = InitSpec { hostname: pod.name.clone(), ..self.base.clone() };
        let container_spec = self.housing.pod(&name, &pod.name);
        let wanted = Wanted {
            name: name.clone(),
            container: name,
            role: Role::Pod,
            init,
            container_spec,
            joins: None,
            after: None,
        };
        let live = Arc::new(Live::start(&self.housing, wanted, None).await?);
        let (ips, interface) = self.link(pod, &live, on).await?;
        // A pod without it works all the same.
        let written =
            live.node.write_file(Path::new("/etc/hosts"), hosts_file(pod, &ips).as_bytes(), 0o644).await;
        if let Err(error) = written {
            tracing::warn!(%pod, %error, "a pod's /etc/hosts could not be written");
        }
        let sandbox = Sandbox { ips: ips.clone(), node: Arc::clone(&live.node) };
        locked(&self.places).insert(pod.clone(), Place { live, on: on.to_owned(), interface, ips });
        Ok(sandbox)
    }

    async fn remove(&self, pod: &PodId) {
        locked(&self.host_network).remove(pod);
        let place = locked(&self.places).remove(pod);
        let Some(place) = place else { return };
        if let Ok(node) = self.node(&place.on).await {
            let interface = place.interface.clone();
            // The pair goes with the pod's namespace; gone already is as good as removed.
            let _ = tokio::task::spawn_blocking(move || node.wire.remove(&interface)).await;
        }
        if let Err(error) = place.live.end().await {
            tracing::warn!(%pod, %error, "a pod did not end cleanly");
        }
        self.nets.send_modify(|nets| {
            if let Some(net) = nets.as_mut().and_then(|nets| nets.get_mut(&place.on)) {
                net.give_back(&place.ips);
            }
        });
    }
}

#[async_trait]
impl PodRuntime for Pods {
    async fn node(&self, namespace: &str, name: &str, _container: Option<&str>) -> Result<NodeRef, ApiError> {
        let pod = PodId { namespace: namespace.to_owned(), name: name.to_owned() };
        let own = locked(&self.places).get(&pod).map(|place| Arc::clone(&place.live.node));
        let found = own.or_else(|| locked(&self.host_network).get(&pod).cloned());
        found.ok_or_else(|| {
            ApiError::bad_request(format!("pod {pod} does not run: it has no namespaces to enter"))
        })
    }

    async fn log(&self, namespace: &str, name: &str, options: &LogOptions) -> Result<LogStream, ApiError> {
        self.logs.read(namespace, name, options).ok_or_else(|| {
            let container = options.container.as_deref().unwrap_or_default();
            ApiError::bad_request(if options.previous {
                format!("previous terminated container \"{container}\" in pod \"{name}\" not found")
            } else {
                format!("container \"{container}\" in pod \"{name}\" is waiting to start: ContainerCreating")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_finds_itself_by_its_name() {
        let pod = PodId { namespace: "default".to_owned(), name: "nettool-1".to_owned() };
        let text = hosts_file(&pod, &["10.1.1.5".parse().unwrap(), "fd00::5".parse().unwrap()]);
        assert!(text.starts_with("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"), "{text}");
        assert!(text.ends_with("\n10.1.1.5\tnettool-1\nfd00::5\tnettool-1\n"), "{text}");
    }
}
