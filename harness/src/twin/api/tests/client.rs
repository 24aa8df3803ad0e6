//! The endpoint through kube-rs, the client every part of this program uses.

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::core::{GroupVersionKind, Status};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{nettool, served};

fn policies(client: &kube::Client) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("cilium.io", "v2alpha1", "CiliumBGPPeeringPolicy");
    let resource = ApiResource::from_gvk_with_plural(&kind, "ciliumbgppeeringpolicies");
    Api::all_with(client.clone(), &resource)
}

fn policy(asn: &Value) -> DynamicObject {
    let object = json!({
        "apiVersion": "cilium.io/v2alpha1", "kind": "CiliumBGPPeeringPolicy", "metadata": {"name": "rack0"},
        "spec": {
            "nodeSelector": {"matchLabels": {"rack": "rack0"}},
            "virtualRouters": [{
                "localASN": asn, "exportPodCIDR": true,
                "neighbors": [{"peerAddress": "10.0.0.1/32", "peerASN": 65010}],
            }],
        },
    });
    serde_json::from_value(object).unwrap()
}

fn refused<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> Box<Status> {
    match result {
        Err(kube::Error::Api(status)) => status,
        other => panic!("expected a Status, got {other:?}"),
    }
}

#[tokio::test]
async fn nodes_are_listed_selected_labelled_and_given_a_status() {
    let (_, endpoint) = served().await;
    let client = endpoint.client().unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().minor, "33");
    let nodes: Api<Node> = Api::all(client);
    assert_eq!(nodes.list(&ListParams::default()).await.unwrap().items.len(), 2);
    let rack1 = nodes.list(&ListParams::default().labels("rack=rack1")).await.unwrap();
    assert_eq!(rack1.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["worker2"]);
    let named = nodes.list(&ListParams::default().fields("metadata.name=worker")).await.unwrap();
    assert_eq!(named.items.len(), 1);

    let label = json!({"metadata": {"labels": {"rack": "rack1"}}});
    let node = nodes.patch("worker", &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    assert_eq!(node.labels()["rack"], "rack1");

    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let node = nodes.patch_status("worker", &PatchParams::default(), &Patch::Strategic(ready)).await.unwrap();
    let conditions = node.status.unwrap().conditions.unwrap();
    assert_eq!((conditions.len(), conditions[0].status.as_str()), (1, "False"));
    assert_eq!(conditions[0].reason.as_deref(), Some("KubeletReady"), "merged by type, not replaced");
}

#[tokio::test]
async fn a_policy_lives_from_apply_to_delete() {
    let (_, endpoint) = served().await;
    let policies = policies(&endpoint.client().unwrap());
    let apply = PatchParams::apply("fabric");
    let made = policies.patch("rack0", &apply, &Patch::Apply(policy(&json!(65010)))).await.unwrap();
    let again = policies.patch("rack0", &apply, &Patch::Apply(policy(&json!(65010)))).await.unwrap();
    assert_eq!(again.resource_version(), made.resource_version(), "applying the same changes nothing");

    let other = PatchParams::apply("someone");
    let conflict = refused(policies.patch("rack0", &other, &Patch::Apply(policy(&json!(65099)))).await);
    assert_eq!((conflict.code, conflict.reason.as_str()), (409, "Conflict"));
    let expected = "Apply failed with 1 conflict: conflict with \"fabric\": .spec.virtualRouters";
    assert_eq!(conflict.message, expected);
    let forced = policies.patch("rack0", &other.force(), &Patch::Apply(policy(&json!(65099)))).await.unwrap();
    assert_eq!(forced.data["spec"]["virtualRouters"][0]["localASN"], 65099);
    assert_eq!(forced.metadata.generation, Some(2));

    policies.delete("rack0", &DeleteParams::default()).await.unwrap();
    assert_eq!(refused(policies.get("rack0").await).code, 404);
}

#[tokio::test]
async fn a_wrong_policy_is_refused_with_the_field() {
    let (_, endpoint) = served().await;
    let policies = policies(&endpoint.client().unwrap());
    let error = refused(policies.create(&PostParams::default(), &policy(&json!("65010"))).await);
    assert_eq!((error.code, error.reason.as_str()), (422, "Invalid"));
    let cause = &error.details.as_ref().unwrap().causes[0];
    assert_eq!(cause.field, "spec.virtualRouters[0].localASN");
    assert!(
        error
            .message
            .starts_with("CiliumBGPPeeringPolicy.cilium.io \"rack0\" is invalid: spec.virtualRouters[0]")
    );
}

#[tokio::test]
async fn a_watch_begins_with_what_is_there_and_resumes_where_it_was() {
    let (_, endpoint) = served().await;
    let pods: Api<Pod> = Api::default_namespaced(endpoint.client().unwrap());
    let make = async |name: &str| {
        let pod = serde_json::from_value(nettool(name)).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap()
    };
    let first = make("one").await;
    let mut watch = pods.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let Some(WatchEvent::Added(seen)) = watch.try_next().await.unwrap() else { panic!("an addition") };
    assert_eq!(seen.resource_version(), first.resource_version());
    make("two").await;
    let Some(WatchEvent::Added(seen)) = watch.try_next().await.unwrap() else { panic!("an addition") };
    assert_eq!(seen.name_any(), "two");
    let at = seen.resource_version().unwrap();
    pods.delete("one", &DeleteParams::default()).await.unwrap();
    let Some(WatchEvent::Deleted(gone)) = watch.try_next().await.unwrap() else { panic!("a deletion") };
    assert_eq!(gone.name_any(), "one");

    let mut resumed = pods.watch(&WatchParams::default().timeout(1), &at).await.unwrap().boxed();
    assert!(matches!(resumed.try_next().await.unwrap(), Some(WatchEvent::Deleted(_))));
    let ahead =
        pods.watch(&WatchParams::default(), "999999").await.unwrap().boxed().try_next().await.unwrap();
    assert!(matches!(ahead, Some(WatchEvent::Error(status)) if status.code == 504));
}

#[tokio::test]
async fn a_selector_sees_a_change_of_label_as_coming_and_going() {
    let (_, endpoint) = served().await;
    let nodes: Api<Node> = Api::all(endpoint.client().unwrap());
    let since = nodes.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut watch = nodes.watch(&WatchParams::default().labels("rack=rack0"), &since).await.unwrap().boxed();
    for (rack, added) in [("rack1", false), ("rack0", true)] {
        let label = json!({"metadata": {"labels": {"rack": rack}}});
        nodes.patch("worker", &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
        let event = watch.try_next().await.unwrap().unwrap();
        let is_added = matches!(&event, WatchEvent::Added(_));
        assert!(is_added == added && (added || matches!(&event, WatchEvent::Deleted(_))), "{event:?}");
    }
}

#[tokio::test]
async fn a_watcher_that_fell_behind_is_told_so() {
    use crate::twin::store::{Collection, Store};
    let store = Store::with_history(2);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let runtime = std::sync::Arc::new(super::node::ThisMachine);
    let (endpoint, _) = super::serve(store.clone(), runtime, listener).await.unwrap();
    let begin = store.revision();
    let maps = Collection::new("", "configmaps");
    for n in 0..4 {
        let name = format!("m{n}");
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}});
        store.create(&maps.key("default", &name), map).unwrap();
    }
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> =
        Api::default_namespaced(endpoint.client().unwrap());
    let mut watch = maps.watch(&WatchParams::default(), &begin.to_string()).await.unwrap().boxed();
    let event = watch.try_next().await.unwrap();
    assert!(
        matches!(event, Some(WatchEvent::Error(status)) if status.code == 410 && status.reason == "Expired")
    );
    assert!(watch.try_next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_reflector_follows_by_streaming_lists_too() {
    let (_, endpoint) = served().await;
    let nodes: Api<Node> = Api::all(endpoint.client().unwrap());
    let config = kube::runtime::watcher::Config::default().streaming_lists();
    let mut events = kube::runtime::watcher(nodes, config).boxed();
    let mut names = Vec::new();
    loop {
        match events.try_next().await.unwrap().unwrap() {
            kube::runtime::watcher::Event::InitApply(node) => names.push(node.name_any()),
            kube::runtime::watcher::Event::InitDone => break,
            _ => {}
        }
    }
    assert_eq!(names, ["worker", "worker2"]);
}

#[tokio::test]
async fn pages_of_a_list_make_the_list() {
    let (_, endpoint) = served().await;
    let pods: Api<Pod> = Api::default_namespaced(endpoint.client().unwrap());
    for n in 0..5 {
        let pod = serde_json::from_value(nettool(&format!("p{n}"))).unwrap();
        pods.create(&PostParams::default(), &pod).await.unwrap();
    }
    let mut names = Vec::new();
    let mut params = ListParams::default().limit(2);
    let mut revision = None;
    loop {
        let page = pods.list(&params).await.unwrap();
        names.extend(page.items.iter().map(ResourceExt::name_any));
        assert!(revision.is_none() || revision == page.metadata.resource_version);
        revision = page.metadata.resource_version;
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = ListParams::default().limit(2).continue_token(&token),
            None => break,
        }
    }
    assert_eq!(names, ["p0", "p1", "p2", "p3", "p4"]);
    let deleted =
        pods.delete_collection(&DeleteParams::default(), &ListParams::default().labels("run=p3")).await;
    assert_eq!(deleted.unwrap().left().unwrap().items.len(), 1);
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 4);
}

#[tokio::test]
async fn refusals_have_the_reason_and_the_code_of_a_real_server() {
    let (_, endpoint) = served().await;
    let client = endpoint.client().unwrap();
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = |name| serde_json::from_value::<Pod>(nettool(name)).unwrap();
    pods.create(&PostParams::default(), &pod("a")).await.unwrap();
    let error = refused(pods.create(&PostParams::default(), &pod("a")).await);
    assert_eq!((error.code, error.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(error.message, "pods \"a\" already exists");
    let elsewhere: Api<Pod> = Api::namespaced(client.clone(), "nowhere");
    let error = refused(elsewhere.create(&PostParams::default(), &pod("a")).await);
    assert_eq!((error.code, error.message.as_str()), (404, "namespaces \"nowhere\" not found"));
    let error = refused(pods.list(&ListParams::default().fields("spec.colour=red")).await);
    assert_eq!((error.code, error.message.as_str()), (400, "field label not supported: spec.colour"));
    let deployments: Api<k8s_openapi::api::apps::v1::Deployment> = Api::default_namespaced(client.clone());
    let error = refused(deployments.list(&ListParams::default()).await);
    assert_eq!(
        (error.code, error.message.as_str()),
        (404, "the server could not find the requested resource")
    );
    let mut stale = pods.get("a").await.unwrap();
    stale.metadata.resource_version = Some("1".into());
    assert_eq!(refused(pods.replace("a", &PostParams::default(), &stale).await).reason, "Conflict");
    let namespaces: Api<Namespace> = Api::all(client);
    assert_eq!(refused(namespaces.delete("default", &DeleteParams::default()).await).code, 403);
}
