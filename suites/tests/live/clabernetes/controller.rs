//! A stand-in for clabernetes' controller on a twin.
//!
//! What lives here: its Topology's definition, and making of each Topology what clabernetes makes of it: a pod for each node, labelled
//! as clabernetes labels them, files where binds want them, links by VXLAN between the pods, the `exec` lines, and a status. What does
//! not: anything of the program under test but its reader of topologies and its way into pods.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fabric_harness::cluster::connect;
use fabric_harness::lab::{self, Endpoint, Lab, Topology};
use fabric_harness::node::{Command, Node};
use fabric_harness::runtime::kubectl::{KubeNode, PodContainer};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node as ClusterNode, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The controller, until it is dropped.
pub(super) struct Controller {
    runtime: Arc<Runtime>,
    client: Client,
    seen: Arc<Mutex<Vec<String>>>,
    stopped: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Controller {
    /// Installs the definition and begins to act on what is applied. `room` is a folder of its own.
    pub(super) fn start(kubeconfig: &str, room: &Path) -> Self {
        let runtime = Arc::new(Runtime::new().unwrap());
        let client = runtime.block_on(async {
            let client = connect(Path::new(kubeconfig)).await.unwrap();
            install(&client).await;
            client
        });
        let (seen, stopped) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
        let acting = act(client.clone(), room.to_path_buf(), Arc::clone(&seen));
        let (end, on) = (stopped.clone(), Arc::clone(&runtime));
        let thread = std::thread::spawn(move || {
            on.block_on(async {
                tokio::select! { () = acting => {}, () = end.cancelled() => {} }
            });
        });
        Self { runtime, client, seen, stopped, thread: Some(thread) }
    }

    /// The namespaces in which it has made something of a Topology, once each.
    pub(super) fn namespaces(&self) -> Vec<String> {
        let mut all = self.seen.lock().unwrap().clone();
        all.dedup();
        all
    }

    pub(super) fn is_gone(&self, namespace: &str) -> bool {
        let api: Api<Namespace> = Api::all(self.client.clone());
        self.runtime.block_on(api.get_opt(namespace)).unwrap().is_none()
    }

    pub(super) fn make_namespace(&self, name: &str) {
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        let api: Api<Namespace> = Api::all(self.client.clone());
        self.runtime.block_on(api.create(&PostParams::default(), &namespace)).unwrap();
    }

    pub(super) fn make_topology(&self, namespace: &str, name: &str) {
        let object = json!({
            "apiVersion": "c9s.run/v1alpha1", "kind": "Topology", "metadata": {"name": name},
            "spec": {"definition": {"containerlab": "name: other\ntopology: {nodes: {}}"}},
        });
        let api = topologies(self.client.clone(), Some(namespace));
        let object = serde_json::from_value(object).unwrap();
        self.runtime.block_on(api.create(&PostParams::default(), &object)).unwrap();
    }

    pub(super) fn make_files(&self, namespace: &str, name: &str) {
        let map = json!({"metadata": {"name": name}, "data": {"whose": "somebody's"}});
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        self.runtime
            .block_on(api.create(&PostParams::default(), &serde_json::from_value(map).unwrap()))
            .unwrap();
    }

    pub(super) fn files(&self, namespace: &str, name: &str) -> BTreeMap<String, String> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        self.runtime.block_on(api.get(name)).unwrap().data.unwrap()
    }

    pub(super) fn topologies(&self, namespace: &str) -> Vec<String> {
        let api = topologies(self.client.clone(), Some(namespace));
        let all = self.runtime.block_on(api.list(&ListParams::default())).unwrap();
        all.iter().map(ResourceExt::name_any).collect()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.stopped.cancel();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn topologies(client: Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let kind = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("c9s.run", "v1alpha1", "Topology"),
        "topologies",
    );
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &kind),
        None => Api::all_with(client, &kind),
    }
}

async fn install(client: &Client) {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "topologies.c9s.run"},
        "spec": {
            "group": "c9s.run", "scope": "Namespaced",
            "names": {"kind": "Topology", "listKind": "TopologyList", "plural": "topologies", "singular": "topology"},
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}},
            }],
        },
    });
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.create(&PostParams::default(), &serde_json::from_value(definition).unwrap()).await.unwrap();
    let established = conditions::is_crd_established();
    await_condition(api, "topologies.c9s.run", established).await.unwrap();
}

/// Makes of each Topology what it asks for, as it comes.
async fn act(client: Client, room: PathBuf, seen: Arc<Mutex<Vec<String>>>) {
    let mut events = watcher(topologies(client.clone(), None), Config::default()).boxed();
    while let Some(event) = events.next().await {
        let (Ok(Event::Apply(topology)) | Ok(Event::InitApply(topology))) = event else { continue };
        if topology.data.get("status").is_none() && topology.metadata.deletion_timestamp.is_none() {
            let namespace = topology.namespace().unwrap();
            seen.lock().unwrap().push(namespace.clone());
            let (client, room) = (client.clone(), room.join(topology.uid().unwrap()));
            // One that fails never is ready, and its test says so; one that is taken away meanwhile fails, too.
            tokio::spawn(async move { make(&client, &namespace, &topology, &room).await });
        }
    }
}

async fn make(client: &Client, namespace: &str, object: &DynamicObject, room: &Path) {
    let spec = &object.data["spec"];
    let files = files(client, namespace, spec, room).await;
    std::fs::write(room.join("topo.clab.yml"), spec["definition"]["containerlab"].as_str().unwrap()).unwrap();
    let lab: Lab<()> = lab::load(&room.join("topo.clab.yml")).unwrap();
    let nodes = pods(client, namespace, &lab.topology).await;
    for (name, node) in &nodes {
        for bind in &lab.topology.node(name).unwrap().binds {
            assert!(
                files.contains(&bind.source),
                "{} is bound, and no ConfigMap has it",
                bind.source.display()
            );
            let mut put = Command::new(["sh", "-c", "cat > \"$0\"", bind.target.to_str().unwrap()]);
            put.stdin = std::fs::read(&bind.source).unwrap();
            run(node, put).await;
        }
    }
    wire(&lab.topology, &nodes, client, namespace).await;
    for (name, node) in &nodes {
        let spec = lab.topology.node(name).unwrap();
        if spec.image.as_ref().is_some_and(|image| image.contains("frr")) {
            run(node, Command::new(["/usr/lib/frr/frrinit.sh", "start"])).await;
        }
        for line in spec.lines() {
            run(node, Command::new(line.argv.clone())).await;
        }
    }
    let status = json!({"status": {
        "kind": "containerlab", "conditions": [], "observedGeneration": object.metadata.generation,
        "topologyReady": true, "topologyState": "running",
    }});
    let api = topologies(client.clone(), Some(namespace));
    api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
}

/// Lays the files of the ConfigMaps where the definition looks for them.
async fn files(client: &Client, namespace: &str, spec: &Value, room: &Path) -> Vec<PathBuf> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let mut all = Vec::new();
    std::fs::create_dir_all(room).unwrap();
    let room = room.canonicalize().unwrap();
    let mounted = spec["deployment"]["filesFromConfigMap"].as_object().cloned().unwrap_or_default();
    for mount in mounted.values().flat_map(|each| each.as_array().unwrap()) {
        let map = maps.get(mount["configMapName"].as_str().unwrap()).await.unwrap();
        let path = room.join(mount["filePath"].as_str().unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &map.data.unwrap()[mount["configMapPath"].as_str().unwrap()]).unwrap();
        all.push(path);
    }
    all
}

/// A pod for each node, all on one node of the cluster: no route between nodes is needed for that.
async fn pods(client: &Client, namespace: &str, topology: &Topology) -> BTreeMap<String, KubeNode> {
    let cluster: Api<ClusterNode> = Api::all(client.clone());
    let all = cluster.list(&ListParams::default()).await.unwrap();
    let on = all.iter().map(ResourceExt::name_any).find(|name| name.ends_with("worker")).unwrap();
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut nodes = BTreeMap::new();
    for node in &topology.nodes {
        let labels = json!({"c9s.run/topologyOwner": topology.name, "c9s.run/topologyNode": node.name});
        let pod = json!({"metadata": {"name": node.name, "labels": labels}, "spec": {
            "nodeName": on, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "device", "image": node.image, "command": ["sleep", "infinity"]}],
        }});
        api.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        let running = await_condition(api.clone(), &node.name, conditions::is_pod_running());
        tokio::time::timeout(Duration::from_secs(60), running).await.unwrap().unwrap();
        let place = PodContainer::new(client.clone(), namespace, &node.name, None);
        nodes.insert(node.name.clone(), KubeNode::by(&node.name, place));
    }
    nodes
}

async fn wire(topology: &Topology, nodes: &BTreeMap<String, KubeNode>, client: &Client, namespace: &str) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    for (number, link) in (1..).zip(&topology.links) {
        for (here, there) in [(&link.a, &link.b), (&link.b, &link.a)] {
            let (Endpoint::Node { node, interface, .. }, Endpoint::Node { node: other, .. }) = (here, there)
            else {
                panic!("a link to something else than a node");
            };
            let remote = api.get(other).await.unwrap().status.unwrap().pod_ip.unwrap();
            let line = format!(
                "ip link add {interface} type vxlan id {number} remote {remote} dstport 14790 && ip link set {interface} up"
            );
            run(&nodes[node], Command::new(["sh", "-c", &line])).await;
        }
    }
}

async fn run(node: &KubeNode, command: Command) {
    let done = node.exec(&command).await.unwrap();
    assert_eq!(done.code, 0, "{command:?}: {}{}", done.text(), done.error_text());
}
