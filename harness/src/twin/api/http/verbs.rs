//! What can be done to a resource: get, list, watch, create, put, patch, delete, and the doors of a pod.
//!
//! What lives here: from a request to the rules and back. What does not: the rules.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, header, request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::{Value, json};

use super::answer::{Form, json_answer, refusal, warn, written};
use super::query::Page;
use super::repeated::Noted;
use super::target::Target;
use super::{Query, Shared, body, follow, reviews};
use crate::twin::api::patch::PatchKind;
use crate::twin::api::registry::Resource;
use crate::twin::api::rules::{Deleted, Part};
use crate::twin::api::{ApiError, LogOptions, LogStream, exec};

type Paths<T> = Result<Path<T>, PathRejection>;

/// `/api/{version}/…`.
pub(super) async fn core(
    State(shared): State<Arc<Shared>>,
    path: Paths<(String, String)>,
    request: Request,
) -> Response {
    let path = path.map(|Path((version, rest))| Target::read("", &version, &rest));
    reply(shared, path, request).await
}

/// `/apis/{group}/{version}/…`.
pub(super) async fn grouped(
    State(shared): State<Arc<Shared>>,
    path: Paths<(String, String, String)>,
    request: Request,
) -> Response {
    let path = path.map(|Path((group, version, rest))| Target::read(&group, &version, &rest));
    reply(shared, path, request).await
}

async fn reply(
    shared: Arc<Shared>,
    target: Result<Option<Target>, PathRejection>,
    request: Request,
) -> Response {
    let target = match target {
        Err(error) => {
            let why = format!("the path cannot be read: {}", error.body_text());
            return refusal(&ApiError::bad_request(why));
        }
        Ok(None) => return refusal(&ApiError::no_resource()),
        Ok(Some(target)) => target,
    };
    let found = shared.rules.registry.find(&target.group, &target.version, &target.plural);
    let Some(resource) = found else { return refusal(&ApiError::no_resource()) };
    let warning = resource.warning.clone();
    let mut response = act(shared, resource, target, request).await.unwrap_or_else(|error| refusal(&error));
    if let Some(warning) = warning {
        warn(&mut response, &warning);
    }
    response
}

/// One request, understood.
struct Act {
    shared: Arc<Shared>,
    resource: Arc<Resource>,
    /// Empty for cluster-scoped resources and for all namespaces.
    namespace: String,
    everywhere: bool,
    query: Query,
    parts: request::Parts,
}

async fn act(
    shared: Arc<Shared>,
    resource: Arc<Resource>,
    target: Target,
    request: Request,
) -> Result<Response, ApiError> {
    // Only lists reach over all namespaces, and nothing cluster-scoped is inside one.
    if !resource.namespaced && target.namespace.is_some() {
        return Err(ApiError::no_resource());
    }
    let everywhere = resource.namespaced && target.namespace.is_none();
    if everywhere && target.name.is_some() {
        return Err(ApiError::no_resource());
    }
    let (parts, body) = request.into_parts();
    let query = Query::read(&parts.uri)?;
    let namespace = target.namespace.unwrap_or_default();
    let act = Act { shared, resource, namespace, everywhere, query, parts };
    let method = act.parts.method.clone();
    if !act.resource.verbs.contains(&"get") {
        return match target.name {
            None if method == Method::POST => act.review(body).await,
            _ => Err(ApiError::method_not_allowed()),
        };
    }
    match (target.name.as_deref(), target.subresource.as_deref()) {
        (None, None) if method == Method::GET => act.many(),
        (None, None) if method == Method::POST && !act.everywhere => act.create(body).await,
        (None, None) if method == Method::DELETE && !act.everywhere => act.clear(body).await,
        (Some(name), None) if method == Method::GET => act.get(name),
        (Some(name), None) if method == Method::DELETE => act.delete(name, body).await,
        (Some(name), None) => act.write(name, Part::Whole, body).await,
        (Some(name), Some("status")) if act.resource.status && method == Method::GET => act.get(name),
        (Some(name), Some("status")) if act.resource.status => act.write(name, Part::Status, body).await,
        (Some(name), Some(door)) if act.resource.subresources.contains(&door) => {
            act.enter(name, door, body).await
        }
        (Some(name), Some(door)) if act.resource.is("", "pods") => Err(act.shut(name, door)?),
        (_, Some(_)) => Err(ApiError::no_resource()),
        _ => Err(ApiError::method_not_allowed()),
    }
}

impl Act {
    fn form(&self) -> Result<Form, ApiError> {
        Form::of(&self.parts.headers, &self.query)
    }

    fn get(&self, name: &str) -> Result<Response, ApiError> {
        let form = self.form()?;
        let object = self.shared.rules.get(&self.resource, &self.namespace, name)?;
        Ok(json_answer(StatusCode::OK, form.one(&self.resource, &object)))
    }

    fn many(&self) -> Result<Response, ApiError> {
        let form = self.form()?;
        let namespace = (!self.namespace.is_empty()).then_some(self.namespace.as_str());
        let watch = self.query.flag("watch");
        self.query.coherent(watch)?;
        if watch {
            return follow::watch(&self.shared.rules, &self.resource, namespace, form, &self.query);
        }
        let selection = self.query.selection(&self.resource)?;
        let (limit, page) = self.query.page()?;
        let after = page.as_ref().map(|page| &page.after);
        let listing = self.shared.rules.store.list(&self.resource.collection, namespace, after);
        if let Some(asked) = self.query.revision()?.filter(|asked| *asked > 0) {
            if asked > listing.revision {
                return Err(ApiError::ahead(asked, listing.revision));
            }
            if self.query.get("resourceVersionMatch") == Some("Exact") && asked != listing.revision {
                let message = format!("The resourceVersion {asked} for the provided list is too old.");
                return Err(ApiError::expired(message));
            }
        }
        let revision = page.map_or(listing.revision, |page| page.revision);
        let mut objects: Vec<_> =
            listing.objects.into_iter().filter(|object| selection.takes(&object.value)).collect();
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if let Some(limit) = limit.filter(|limit| *limit < objects.len()) {
            let rest = objects.len() - limit;
            objects.truncate(limit);
            if let Some(last) = objects.last() {
                let after = (last.meta("namespace").to_owned(), last.meta("name").to_owned());
                metadata["continue"] = json!(Page { revision, after }.token());
            }
            if selection.is_all() {
                metadata["remainingItemCount"] = json!(rest);
            }
        }
        Ok(json_answer(StatusCode::OK, form.list(&self.resource, &objects, &metadata)))
    }

    /// Answers a question about the client itself.
    async fn review(self, body: Body) -> Result<Response, ApiError> {
        let value = body::read(&self.parts.headers, body).await?.value;
        let answer = reviews::answer(&self.resource, value)?;
        Ok(json_answer(StatusCode::CREATED, answer.to_string()))
    }

    /// Custom resources are objects of a schema, which protobuf cannot write: a real server answers 415, too.
    fn readable(&self) -> Result<(), ApiError> {
        let protobuf = body::media_type(&self.parts.headers) == "application/vnd.kubernetes.protobuf";
        if self.resource.custom() && protobuf {
            return Err(ApiError::unsupported_media(&["application/json", "application/yaml"]));
        }
        Ok(())
    }

    async fn create(self, body: Body) -> Result<Response, ApiError> {
        let form = self.form()?;
        self.readable()?;
        let mut options = self.query.write(&self.parts.headers)?;
        let Noted { value, repeated } = body::read(&self.parts.headers, body).await?;
        options.repeated = repeated;
        let outcome = self.shared.rules.create(&self.resource, &self.namespace, value, &options)?;
        Ok(written(&self.resource, form, &outcome))
    }

    async fn write(self, name: &str, part: Part, body: Body) -> Result<Response, ApiError> {
        let form = self.form()?;
        let mut options = self.query.write(&self.parts.headers)?;
        let (rules, resource, namespace) = (&self.shared.rules, &self.resource, &self.namespace);
        let outcome = match self.parts.method {
            Method::PUT => {
                self.readable()?;
                let Noted { value, repeated } = body::read(&self.parts.headers, body).await?;
                options.repeated = repeated;
                rules.put(resource, namespace, name, part, &value, &options)?
            }
            Method::PATCH => {
                let kind = PatchKind::of(&body::media_type(&self.parts.headers), resource.custom())?;
                if kind == PatchKind::Apply && self.query.get("fieldManager").is_none_or(str::is_empty) {
                    // Server-side apply must say whose fields these are; a user agent is not enough.
                    options.manager.clear();
                }
                let Noted { value: patch, repeated } = body::read(&self.parts.headers, body).await?;
                options.repeated = repeated;
                rules.patch(resource, namespace, name, part, kind, &patch, &options)?
            }
            _ => return Err(ApiError::method_not_allowed()),
        };
        Ok(written(resource, form, &outcome))
    }

    async fn delete(self, name: &str, body: Body) -> Result<Response, ApiError> {
        let options = self.query.delete(&body::read(&self.parts.headers, body).await?.value)?;
        let deleted = self.shared.rules.delete(&self.resource, &self.namespace, name, &options)?;
        Ok(json_answer(StatusCode::OK, self.farewell(name, &deleted).to_string()))
    }

    /// What a deletion answers: pods and what is still going as they are, for the rest that it is done.
    fn farewell(&self, name: &str, deleted: &Deleted) -> Value {
        if !deleted.gone || self.resource.is("", "pods") {
            return deleted.value.clone();
        }
        let mut details =
            json!({"name": name, "kind": self.resource.plural, "uid": deleted.value["metadata"]["uid"]});
        if !self.resource.group.is_empty() {
            details["group"] = json!(self.resource.group);
        }
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
    }

    /// Deletes everything that is selected.
    async fn clear(self, body: Body) -> Result<Response, ApiError> {
        let form = self.form()?;
        let options = self.query.delete(&body::read(&self.parts.headers, body).await?.value)?;
        let selection = self.query.selection(&self.resource)?;
        let (rules, resource) = (&self.shared.rules, &self.resource);
        let namespace = (!self.namespace.is_empty()).then_some(self.namespace.as_str());
        let listing = rules.store.list(&resource.collection, namespace, None);
        let chosen: Vec<_> =
            listing.objects.into_iter().filter(|object| selection.takes(&object.value)).collect();
        for object in &chosen {
            match rules.delete(resource, object.meta("namespace"), object.meta("name"), &options) {
                Err(error) if error.code != 404 => return Err(error),
                _ => {}
            }
        }
        let metadata = json!({"resourceVersion": rules.store.revision().to_string()});
        Ok(json_answer(StatusCode::OK, form.list(resource, &chosen, &metadata)))
    }

    /// What to say at a door that pods have elsewhere and not here.
    fn shut(&self, name: &str, door: &str) -> Result<ApiError, ApiError> {
        let pod = self.shared.rules.get(&self.resource, &self.namespace, name)?;
        if door != "ephemeralcontainers" {
            return Ok(ApiError::no_resource());
        }
        let message = format!(
            "pods of the twin have no {door}: run a program of this machine in it, as with `fabric exec {}/{name} -- COMMAND`",
            pod.meta("namespace")
        );
        Ok(ApiError::new(404, "NotFound", message))
    }

    /// The doors only pods have.
    async fn enter(mut self, name: &str, door: &str, body: Body) -> Result<Response, ApiError> {
        let method = self.parts.method.clone();
        match door {
            "binding" if method == Method::POST => {
                let options = self.query.write(&self.parts.headers)?;
                let binding = body::read(&self.parts.headers, body).await?.value;
                self.shared.rules.bind(&self.resource, &self.namespace, name, &binding, &options)?;
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
                Ok(json_answer(StatusCode::CREATED, status.to_string()))
            }
            "eviction" if method == Method::POST => {
                let eviction = body::read(&self.parts.headers, body).await?.value;
                let mut options = self.query.delete(&eviction["deleteOptions"])?;
                options.dry_run |= self.query.write(&self.parts.headers)?.dry_run;
                self.shared.rules.delete(&self.resource, &self.namespace, name, &options)?;
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
                Ok(json_answer(StatusCode::CREATED, status.to_string()))
            }
            "exec" if method == Method::GET || method == Method::POST => {
                let pod = self.shared.rules.get(&self.resource, &self.namespace, name)?;
                exec::answer(&*self.shared.runtime, &pod.value, &self.query, &mut self.parts).await
            }
            "attach" if method == Method::GET || method == Method::POST => {
                let pod = self.shared.rules.get(&self.resource, &self.namespace, name)?;
                exec::attach(&*self.shared.runtime, &pod.value, &self.query, &mut self.parts).await
            }
            "portforward" if method == Method::GET || method == Method::POST => {
                let pod = self.shared.rules.get(&self.resource, &self.namespace, name)?;
                exec::forward(&*self.shared.runtime, &pod.value, &self.query, &mut self.parts).await
            }
            "log" if method == Method::GET => self.log(name).await,
            _ => Err(ApiError::method_not_allowed()),
        }
    }

    async fn log(&self, name: &str) -> Result<Response, ApiError> {
        let pod = self.shared.rules.get(&self.resource, &self.namespace, name)?;
        let container = exec::container(&pod.value, self.query.get("container"))?;
        if pod.value["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
            return Err(ApiError::bad_request(format!("pod {name} does not have a host assigned")));
        }
        let options = LogOptions {
            container,
            tail_lines: self.query.number("tailLines")?,
            since: self.query.since()?,
            follow: self.query.flag("follow"),
            previous: self.query.flag("previous"),
            timestamps: self.query.flag("timestamps"),
        };
        let text = self.shared.runtime.log(&self.namespace, name, &options).await?;
        let text: LogStream = match self.query.number::<usize>("limitBytes")? {
            Some(limit) => text.scan(limit, first_bytes).boxed(),
            None => text,
        };
        let text = text.map(Ok::<_, std::convert::Infallible>);
        Ok(([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(text)).into_response())
    }
}

/// As much of the next piece as the limit leaves; the end once nothing is left.
fn first_bytes(left: &mut usize, mut bytes: Bytes) -> std::future::Ready<Option<Bytes>> {
    bytes.truncate(*left);
    *left -= bytes.len();
    std::future::ready((!bytes.is_empty()).then_some(bytes))
}
