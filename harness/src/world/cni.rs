//! What installing Cilium leaves behind: its CRDs, cilium_host on every node, an agent each, and nodes that are Ready.
//!
//! What lives here: the order of it. What does not: the agent (`twin::agent`), running it (`parts`), a pod's own link (`pods`). The eBPF
//! datapath is not modelled: the kernel's routing does the forwarding.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use ipnet::IpNet;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::sync::watch;

use super::cluster::{NOT_READY, conditions};
use super::nodes::{Births, Live};
use super::parts::Part;
use super::pods::{NodeNet, Pods};
use super::whole::{Reporter, WorldError};
use crate::cilium::{BgpSettings, CiliumVersion, crds};
use crate::runtime::keeper::StepReport;
use crate::runtime::netns::socket::inside;
use crate::twin::api::Within;
use crate::wire::{End, LinkSpec, RouteSpec, Wire, WireError};

/// Installs Cilium on every node of the cluster.
pub(super) async fn bring_up(
    version: &str,
    bgp: Option<&BgpSettings>,
    within: &Within,
    births: &Births,
    pods: &Arc<Pods>,
    report: &mut StepReport,
    reporter: &Reporter,
) -> Result<Vec<Part>, WorldError> {
    let failed = |what: &str, why: String| WorldError::Cluster { what: what.to_owned(), why };
    let version: CiliumVersion =
        version.parse().map_err(|error| failed("read Cilium's version", format!("{error}")))?;

    let as_part = |name: &'static str| {
        within.client(name).map_err(|error| failed("reach the API endpoint", error.to_string()))
    };
    // The name of the binary the chart's default image has.
    let (client, operator) = (as_part("cilium-agent")?, as_part("cilium-operator-generic")?);
    let (client, operator) = (&client, &operator);
    let started = Instant::now();
    let definitions: Api<CustomResourceDefinition> = Api::all(operator.clone());
    for definition in crds(&version) {
        let made = definitions.create(&PostParams::default(), &definition).await;
        made.map_err(|error| failed("create Cilium's CRDs", error.to_string()))?;
    }
    secrets_namespace(client, bgp).await?;
    let nodes: Api<Node> = Api::all(client.clone());
    let listed = nodes
        .list(&ListParams::default())
        .await
        .map_err(|error| failed("list the nodes", error.to_string()))?;
    let mut lives = Vec::new();
    for node in &listed {
        lives.push((births.get(&node.name_any()).await.map_err(WorldError::Node)?, cidrs(node)));
    }
    let wiring = lives.clone();
    let wired = tokio::task::spawn_blocking(move || {
        wiring
            .iter()
            .map(|(live, cidrs)| Ok((live.name.clone(), cilium_host(live, cidrs)?)))
            .collect::<Result<_, WorldError>>()
    });
    let nets: BTreeMap<String, NodeNet> = wired.await.map_err(WorldError::panicked)??;
    pods.network_is_up(nets);
    reporter.done(report, "cilium_host on every node".into(), started);

    let started = Instant::now();
    let mut parts = vec![Part::pools(operator, version)];
    for (live, _) in &lives {
        parts.push(Part::agent(client, live, version, bgp, watch::Sender::default()));
    }
    if let Some(settings) = bgp {
        parts.push(Part::operator(operator, version, settings, watch::Sender::default()));
    }
    let ready = listed.iter().map(|node| ready(&nodes, node));
    futures::future::try_join_all(ready)
        .await
        .map_err(|error| failed("make the nodes Ready", error.to_string()))?;
    reporter.done(report, format!("{} agents, nodes Ready", lives.len()), started);
    Ok(parts)
}

/// What the chart does with `bgpControlPlane.secretsNamespace.create`. A namespace that is there is left as it is.
pub(super) async fn secrets_namespace(client: &Client, bgp: Option<&BgpSettings>) -> Result<(), WorldError> {
    let Some(settings) = bgp.filter(|settings| settings.creates_secrets_namespace) else { return Ok(()) };
    let name = settings.secrets_namespace.as_str();
    if name.is_empty() {
        return Ok(());
    }
    let labels = [("app.kubernetes.io/part-of".to_owned(), "cilium".to_owned())];
    let metadata =
        ObjectMeta { name: Some(name.to_owned()), labels: Some(labels.into()), ..ObjectMeta::default() };
    let made = Namespace { metadata, ..Namespace::default() };
    match Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &made).await {
        Err(kube::Error::Api(refused)) if refused.code == 409 => Ok(()),
        Err(error) => Err(WorldError::Cluster {
            what: "create the namespace of passwords".to_owned(),
            why: error.to_string(),
        }),
        Ok(_) => Ok(()),
    }
}

fn cidrs(node: &Node) -> Vec<IpNet> {
    let all = node.spec.as_ref().and_then(|spec| spec.pod_cidrs.clone()).unwrap_or_default();
    all.iter().filter_map(|cidr| cidr.parse().ok()).collect()
}

/// cilium_host and cilium_net, the node's own address among its pods, and the route to its pods.
fn cilium_host(live: &Live, cidrs: &[IpNet]) -> Result<NodeNet, WorldError> {
    let mut net = NodeNet::new(cidrs);
    Wire::connect(&LinkSpec {
        a: End { wire: &live.wire, interface: "cilium_net", mac: None },
        b: End { wire: &live.wire, interface: "cilium_host", mac: None },
        mtu: None,
    })?;
    // A packet for a pod that is not there ends here instead of going round the pair.
    inside(live.wire.namespace(), || std::fs::write("/proc/sys/net/ipv4/conf/cilium_net/forwarding", "0"))
        .map_err(|source| WorldError::Io {
            what: format!("{}: stop forwarding on cilium_net", live.name),
            source,
        })?;
    for cidr in cidrs {
        let Some(address) = net.take(*cidr, "cilium_host") else {
            return Err(WireError::NoAddress { network: cidr.to_string(), node: live.name.clone() }.into());
        };
        live.wire.address("cilium_host", IpNet::from(address))?;
        live.wire.route(&RouteSpec {
            to: *cidr,
            via: None,
            interface: "cilium_host",
            source: Some(address),
        })?;
        net.host.push(address);
    }
    Ok(net)
}

async fn ready(api: &Api<Node>, node: &Node) -> Result<(), kube::Error> {
    let name = node.name_any();
    let kept: Vec<_> = node
        .spec
        .iter()
        .flat_map(|spec| spec.taints.iter().flatten())
        .filter(|taint| taint.key != NOT_READY)
        .cloned()
        .collect();
    let status = json!({"status": {"conditions": conditions(true)}});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    let spec =
        json!({"spec": {"taints": if kept.is_empty() { serde_json::Value::Null } else { json!(kept) }}});
    api.patch(&name, &PatchParams::default(), &Patch::Merge(spec)).await?;
    Ok(())
}
