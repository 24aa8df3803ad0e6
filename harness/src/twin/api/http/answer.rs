//! Answers: objects, lists and refusals as the client wants them.
//!
//! What lives here: which form the client accepts, and rendering. What does not: streams of watches (`follow`).

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Query;
use super::frames::Frames;
use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;
use crate::twin::api::rules::Outcome;
use crate::twin::api::table::{Carry, partial, table};
use crate::twin::store::Object;

/// The form in which a client wants objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are.
    Whole,
    /// As a table.
    Table(Carry),
    /// Their metadata only.
    Partial,
}

impl Form {
    /// The first form in the `Accept` header that can be given.
    ///
    /// # Errors
    /// 406 when none can, 400 for an `includeObject` that is none.
    pub(super) fn of(headers: &HeaderMap, query: &Query) -> Result<Self, ApiError> {
        let Some(accept) = headers.get(header::ACCEPT) else { return Ok(Self::Whole) };
        let accept = accept.to_str().map_err(|_| ApiError::not_acceptable())?;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            if !matches!(parts.next(), Some("application/json" | "application/*" | "*/*")) {
                continue;
            }
            let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
            let get = |key: &str| parameters.iter().find(|(k, _)| *k == key).map(|(_, value)| *value);
            match (get("as"), get("v"), get("g")) {
                (None, _, _) => return Ok(Self::Whole),
                (Some("Table"), Some("v1"), Some("meta.k8s.io")) => return Ok(Self::Table(carry(query)?)),
                (
                    Some("PartialObjectMetadata" | "PartialObjectMetadataList"),
                    Some("v1"),
                    Some("meta.k8s.io"),
                ) => {
                    return Ok(Self::Partial);
                }
                _ => {}
            }
        }
        Err(ApiError::not_acceptable())
    }

    /// One object in this form.
    pub(super) fn one(self, resource: &Resource, object: &Object) -> Bytes {
        match self {
            Self::Whole => whole(resource, object),
            Self::Partial => Bytes::from(partial(&object.value).to_string()),
            Self::Table(carry) => {
                let metadata = json!({"resourceVersion": object.meta("resourceVersion")});
                Bytes::from(
                    table(resource, std::iter::once(&object.value), &metadata, carry, true).to_string(),
                )
            }
        }
    }

    /// A list in this form, without rendering again what has been rendered.
    pub(super) fn list(self, resource: &Resource, objects: &[Arc<Object>], metadata: &Value) -> Body {
        if let Self::Table(carry) = self {
            let values = objects.iter().map(|object| &object.value);
            return Body::from(table(resource, values, metadata, carry, true).to_string());
        }
        let (kind, api_version) = match self {
            Self::Partial => ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned()),
            _ => (resource.list_kind.clone(), resource.api_version()),
        };
        let head = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata}).to_string();
        let mut out = Frames::default();
        out.push(Bytes::copy_from_slice(head.strip_suffix('}').unwrap_or_default().as_bytes()));
        out.put(",\"items\":[");
        for (at, object) in objects.iter().enumerate() {
            if at > 0 {
                out.put(",");
            }
            out.push(self.one(resource, object));
        }
        out.put("]}");
        out.into_body()
    }
}

/// An object in its resource's version.
fn whole(resource: &Resource, object: &Object) -> Bytes {
    object.bytes_in(&resource.api_version())
}

fn carry(query: &Query) -> Result<Carry, ApiError> {
    match query.get("includeObject") {
        None | Some("" | "Metadata") => Ok(Carry::Metadata),
        Some("None") => Ok(Carry::Nothing),
        Some("Object") => Ok(Carry::Object),
        Some(other) => {
            Err(ApiError::bad_request(format!("includeObject: `{other}` is none of None, Metadata, Object")))
        }
    }
}

/// An answer of JSON.
pub(super) fn json_answer(code: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// How many warnings an answer carries: each is a header, and of those a client takes but so many.
const WARNINGS: usize = 64;

/// The warnings that fit, and how many did not.
fn told(warnings: &[String]) -> Vec<String> {
    let mut told: Vec<_> = warnings.iter().take(WARNINGS).cloned().collect();
    if warnings.len() > WARNINGS {
        told.push(format!("and {} more", warnings.len() - WARNINGS));
    }
    told
}

/// The answer to a write: the object as it is now, and what the client should hear.
pub(super) fn written(resource: &Resource, form: Form, outcome: &Outcome) -> Response {
    let code = if outcome.created { StatusCode::CREATED } else { StatusCode::OK };
    let body = match form {
        Form::Whole => outcome.value.to_string(),
        Form::Partial => partial(&outcome.value).to_string(),
        Form::Table(carry) => {
            let metadata = json!({"resourceVersion": outcome.value["metadata"]["resourceVersion"]});
            table(resource, std::iter::once(&outcome.value), &metadata, carry, true).to_string()
        }
    };
    let mut response = json_answer(code, body);
    for warning in told(&outcome.warnings) {
        warn(&mut response, &warning);
    }
    response
}

/// Says something beside the answer (RFC 7234 section 5.5: 299, of whom nobody need know).
pub(super) fn warn(response: &mut Response, warning: &str) {
    let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        response.headers_mut().append(header::WARNING, value);
    }
}

/// A refusal as its `Status` object.
pub(in crate::twin::api) fn refusal(error: &ApiError) -> Response {
    let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json_answer(code, error.status().to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
        Some(Form::Table(Carry::Metadata))
    )]
    #[case("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", Some(Form::Whole))]
    #[case("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", Some(Form::Partial))]
    #[case("application/vnd.kubernetes.protobuf,application/json", Some(Form::Whole))]
    #[case("*/*", Some(Form::Whole))]
    #[case("text/html", None)]
    fn the_first_form_that_can_be_given(#[case] accept: &str, #[case] expected: Option<Form>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().unwrap());
        assert_eq!(Form::of(&headers, &Query::default()).ok(), expected);
    }
}
