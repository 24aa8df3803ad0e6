//! `fabric discover`: what others brought up that could be judged, and the flags that select it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use fabric_harness::cluster::connect;
use fabric_harness::found::{ClusterSeen, LabSeen, clabernetes, containerlab, kept};
use fabric_harness::runtime::docker::Engine;
use serde::Serialize;

use super::args::{DiscoverArgs, Format};
use super::{exit, pick};

/// Everything that was found.
#[derive(Debug, Default, Serialize)]
struct Seen {
    kubeconfig: Option<String>,
    cluster: Option<ClusterSeen>,
    labs: Vec<LabSeen>,
    /// What was looked for and not found, a sentence each.
    missing: Vec<String>,
}

pub(super) async fn run(args: DiscoverArgs) -> Result<ExitCode> {
    let seen = look(args.kubeconfig).await;
    match args.format {
        Format::Json => say!("{}", serde_json::to_string_pretty(&seen)?),
        Format::Text => tell(&seen),
    }
    let nothing = seen.cluster.is_none() && seen.labs.is_empty();
    Ok(ExitCode::from(if nothing { exit::ENVIRONMENT } else { exit::OK }))
}

async fn look(kubeconfig: Option<PathBuf>) -> Seen {
    let mut seen = Seen::default();
    let kubeconfig = kubeconfig.or_else(usual);
    match &kubeconfig {
        None => seen.missing.push("a kubeconfig: name one with `--kubeconfig`, or set KUBECONFIG".to_owned()),
        Some(kubeconfig) => match connect(kubeconfig).await {
            Err(error) => seen.missing.push(format!("a cluster: {error}")),
            Ok(client) => match ClusterSeen::look(&client).await {
                Err(error) => seen.missing.push(format!("a cluster: {}: {error}", kubeconfig.display())),
                Ok(cluster) => {
                    seen.cluster = Some(cluster);
                    match clabernetes(&client).await {
                        Ok(labs) => seen.labs.extend(labs),
                        Err(error) => seen.missing.push(format!("clabernetes' labs: {error}")),
                    }
                }
            },
        },
    }
    seen.kubeconfig = kubeconfig.map(|path| path.display().to_string());
    match Engine::connect().await {
        Ok(engine) => match engine.running().await {
            Ok(running) => {
                // kind's nodes are containers of their names.
                let runs = |name: &str| running.iter().any(|one| one.name == name);
                let nodes = seen.cluster.iter_mut().flat_map(|cluster| &mut cluster.nodes);
                for node in nodes.filter(|node| runs(&node.name)) {
                    node.way = Some(format!("docker:{}", node.name));
                }
                seen.labs.extend(containerlab(&running));
            }
            Err(error) => seen.missing.push(format!("containers: {error}")),
        },
        Err(error) => seen.missing.push(format!("containers: {error}")),
    }
    seen.labs.extend(kept(pick::program()));
    seen.missing.extend(lacks(&seen));
    seen
}

/// Where kubectl looks: KUBECONFIG's first file, else the one at home.
fn usual() -> Option<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").and_then(|all| std::env::split_paths(&all).next());
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    [named, home].into_iter().flatten().find(|path| path.is_file())
}

/// What is not there, of what a Cilium BGP fabric has.
fn lacks(seen: &Seen) -> Vec<String> {
    let mut lacks = Vec::new();
    if let Some(cluster) = &seen.cluster {
        if cluster.cilium.is_none() {
            lacks.push("Cilium's agents: no DaemonSet has the label k8s-app=cilium".to_owned());
        }
        if cluster.bgp.is_empty() {
            lacks.push("Cilium's BGP API: the cluster serves none of its kinds".to_owned());
        } else if cluster.bgp.iter().all(|api| api.objects == 0) {
            lacks.push(
                "an object that switches BGP on: of the kinds that are served there is none".to_owned(),
            );
        }
        let blind: Vec<&str> =
            cluster.nodes.iter().filter(|node| node.way.is_none()).map(|node| node.name.as_str()).collect();
        if let [first, ..] = blind.as_slice() {
            lacks.push(format!(
                "a way into the nodes {}: say how, as `--router {first}=docker:{first}`",
                blind.join(", ")
            ));
        }
    }
    if seen.labs.is_empty() {
        lacks.push(
            "a lab with routers: say how to get into each, as `--router router0='exec:ssh router0'`"
                .to_owned(),
        );
    }
    lacks
}

fn tell(seen: &Seen) {
    if let (Some(cluster), Some(kubeconfig)) = (&seen.cluster, &seen.kubeconfig) {
        say!("Cluster: Kubernetes {}", cluster.version);
        say!("  --kubeconfig {kubeconfig}");
        for node in &cluster.nodes {
            let ready = if node.ready { "Ready" } else { "NotReady" };
            let way =
                node.way.as_ref().map(|way| format!("  --router {}='{way}'", node.name)).unwrap_or_default();
            say!("  node {:<40} {ready:<8}{way}", node.name);
        }
        say!("  Cilium {}", cluster.cilium.as_deref().unwrap_or("not found"));
        for api in &cluster.bgp {
            let used = if api.objects == 0 { "not in use" } else { "in use" };
            say!("  BGP {} cilium.io/{}: {} objects, {used}", api.kind, api.version, api.objects);
        }
        say!("");
    }
    for lab in &seen.labs {
        say!("Lab {}, brought up by {}", lab.name, lab.by);
        if let Some(kubeconfig) = &lab.kubeconfig {
            say!("  --kubeconfig {kubeconfig}");
        }
        for way in &lab.routers {
            say!("  --router {}", quoted(&way.to_string()));
        }
        say!("");
    }
    for missing in &seen.missing {
        say!("Not found: {missing}");
    }
    if seen.cluster.is_some() || !seen.labs.is_empty() {
        say!("");
        say!("Try next: {} test LAB --env attach, with the flags above", pick::program());
    }
}

/// A word of a command line, quoted where a shell would take it apart.
fn quoted(word: &str) -> String {
    shell_words::quote(word).into_owned()
}
