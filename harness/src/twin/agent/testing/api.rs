//! An API server of a few lines: list, watch, and a notebook for what is written.
//!
//! What lives here: what the agent asks for, in process. The twin's own API is in `twin::api`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Json, Response};
use futures::stream;
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cilium::crds;

/// Objects by the path of their kind, and everything that ever happened to them.
#[derive(Clone)]
pub(crate) struct Server(Arc<Inner>);

struct Inner {
    /// Path of the kind, what happened, the object with its resourceVersion: the entry's number.
    history: Mutex<Vec<(String, &'static str, Value)>>,
    length: watch::Sender<usize>,
    written: watch::Sender<Vec<Value>>,
}

pub(crate) const NODES: &str = "/api/v1/nodes";
pub(crate) const NODE_CONFIGS: &str = "/apis/cilium.io/v2/ciliumbgpnodeconfigs";
pub(crate) const PEER_CONFIGS: &str = "/apis/cilium.io/v2/ciliumbgppeerconfigs";
pub(crate) const ADVERTISEMENTS: &str = "/apis/cilium.io/v2/ciliumbgpadvertisements";
pub(crate) const POLICIES: &str = "/apis/cilium.io/v2alpha1/ciliumbgppeeringpolicies";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

impl Server {
    pub(crate) fn new() -> Self {
        let written = watch::Sender::default();
        Self(Arc::new(Inner { history: Mutex::default(), length: watch::Sender::new(0), written }))
    }

    /// Registers what Cilium registers.
    pub(crate) fn define(&self, version: &str) {
        for definition in crds(&version.parse().unwrap()) {
            self.put(CRDS, serde_json::to_value(definition).unwrap());
        }
    }

    pub(crate) fn put(&self, kind: &str, object: Value) {
        self.happens(kind, "MODIFIED", object);
    }

    pub(crate) fn put_policy(&self, name: &str, spec: Value) {
        let (api_version, kind) = ("cilium.io/v2alpha1", "CiliumBGPPeeringPolicy");
        let metadata = json!({ "name": name });
        self.put(
            POLICIES,
            json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec }),
        );
    }

    pub(crate) fn delete(&self, kind: &str, name: &str) {
        let object = self.objects(kind).remove(name).unwrap();
        self.happens(kind, "DELETED", object);
    }

    /// What has been written to the server.
    pub(crate) fn written(&self) -> watch::Receiver<Vec<Value>> {
        self.0.written.subscribe()
    }

    pub(crate) fn client(&self) -> Client {
        let router = Router::new().fallback(serve).with_state(self.clone());
        Client::new(router, "default")
    }

    fn happens(&self, kind: &str, what: &'static str, mut object: Value) {
        let mut history = self.0.history.lock().unwrap();
        object["metadata"]["resourceVersion"] = json!((history.len() + 1).to_string());
        history.push((kind.to_owned(), what, object));
        self.0.length.send_replace(history.len());
    }

    fn objects(&self, kind: &str) -> BTreeMap<String, Value> {
        let mut now = BTreeMap::new();
        for (_, what, object) in self.0.history.lock().unwrap().iter().filter(|(of, ..)| of == kind) {
            let name = object["metadata"]["name"].as_str().unwrap().to_owned();
            now.remove(&name);
            if *what != "DELETED" {
                now.insert(name, object.clone());
            }
        }
        now
    }

    fn list(&self, kind: &str) -> Value {
        let version = self.0.length.borrow().to_string();
        let items: Vec<Value> = self.objects(kind).into_values().collect();
        json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": version }, "items": items })
    }

    fn watch(&self, kind: String, from: usize) -> Body {
        let start = (self.clone(), self.0.length.subscribe(), from);
        Body::from_stream(stream::unfold(start, move |(server, mut length, seen)| {
            let kind = kind.clone();
            async move {
                length.wait_for(|length| *length > seen).await.ok()?;
                let history = server.0.history.lock().unwrap().clone();
                let lines: String = history[seen..]
                    .iter()
                    .filter(|(of, ..)| *of == kind)
                    .map(|(_, what, object)| format!("{}\n", json!({ "type": what, "object": object })))
                    .collect();
                Some((Ok::<_, std::io::Error>(Bytes::from(lines)), (server, length, history.len())))
            }
        }))
    }
}

async fn serve(
    State(server): State<Server>,
    Query(query): Query<BTreeMap<String, String>>,
    request: Request,
) -> Response {
    let kind = request.uri().path().to_owned();
    if request.method() != Method::GET {
        let bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let object: Value = serde_json::from_slice(&bytes).unwrap();
        server.0.written.send_modify(|written| written.push(object.clone()));
        return Json(object).into_response();
    }
    if query.get("watch").is_some_and(|watch| watch != "false") {
        let from = query.get("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or_default();
        return server.watch(kind, from).into_response();
    }
    Json(server.list(&kind)).into_response()
}
