//! Saying no as a Kubernetes server does: one error, which is a `Status` object.
//!
//! What lives here: reasons, codes and the words kubectl and client libraries look for. What does not: when to say it.

use std::fmt;

use serde_json::{Value, json};

use crate::twin::store::{Collection, StoreError};

/// One field that is wrong, or one precondition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The path of the field, such as `spec.virtualRouters[0].localASN`.
    pub field: String,
    /// A machine's word for it, such as `FieldValueRequired`.
    pub reason: &'static str,
    /// A person's word for it, such as `Required value`.
    pub message: String,
}

impl Cause {
    /// A field that must be there and is not.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { field: field.into(), reason: "FieldValueRequired", message }
    }

    /// A field whose value cannot stand.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            field: field.into(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {detail}"),
        }
    }

    /// A field that must not be there, or must not change.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { field: field.into(), reason: "FieldValueForbidden", message: format!("Forbidden: {detail}") }
    }

    /// That a definition's validation rules were not asked because of the other causes.
    pub(super) fn unchecked() -> Self {
        let message = "Invalid value: \"null\": some validation rules were not checked because the object was invalid; \
            correct the existing errors to complete validation";
        Self { field: "<nil>".into(), reason: "FieldValueInvalid", message: message.into() }
    }

    /// Whether a definition's validation rules are not asked with such a cause: their words would make no sense.
    pub(super) fn blocks_rules(&self) -> bool {
        matches!(
            self.reason,
            "FieldValueNotSupported"
                | "FieldValueRequired"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }

    /// A value that is not one of a few.
    pub fn unsupported<S: fmt::Debug>(field: impl Into<String>, value: &Value, allowed: &[S]) -> Self {
        let allowed: Vec<_> = allowed.iter().map(|value| format!("{value:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", allowed.join(", "));
        Self { field: field.into(), reason: "FieldValueNotSupported", message }
    }

    /// A value that is there twice.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            field: field.into(),
            reason: "FieldValueDuplicate",
            message: format!("Duplicate value: {value}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}

/// Why a request was refused: what a Kubernetes `Status` object of failure says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// Kubernetes reason (`NotFound`, `Invalid`, ...); empty where a Kubernetes server gives none.
    pub reason: &'static str,
    /// What a person reads.
    pub message: String,
    /// What it is about, and which fields.
    pub details: Box<Details>,
}

/// What a refusal is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Name of the object; empty when it is about none.
    pub name: String,
    /// API group of the object.
    pub group: String,
    /// Plural or kind, whichever a Kubernetes server puts there.
    pub kind: String,
    /// The fields that are wrong, or the preconditions that do not hold.
    pub causes: Vec<Cause>,
}

impl ApiError {
    /// A refusal that is about no object.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: Box::default() }
    }

    fn about(mut self, collection: &Collection, name: &str) -> Self {
        self.details.group = collection.group.to_string();
        self.details.kind = collection.plural.to_string();
        self.details.name = name.to_owned();
        self
    }

    /// 404: this object is not there.
    pub fn not_found(collection: &Collection, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{collection} \"{name}\" not found")).about(collection, name)
    }

    /// 404: no such resource, or no such path.
    pub fn no_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 409: this name is taken.
    pub fn exists(collection: &Collection, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{collection} \"{name}\" already exists"))
            .about(collection, name)
    }

    /// 409: the object is not what the caller believed.
    pub fn conflict(collection: &Collection, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {collection} \"{name}\": {why}");
        Self::new(409, "Conflict", message).about(collection, name)
    }

    /// 409: the object has been changed since it was read.
    pub fn stale(collection: &Collection, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(collection, name, why)
    }

    /// 422: these fields are wrong. `kind` is the kind in CamelCase.
    pub fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let full = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let listed = match causes.as_slice() {
            [one] => one.to_string(),
            many => format!("[{}]", many.iter().map(Cause::to_string).collect::<Vec<_>>().join(", ")),
        };
        let mut error = Self::new(422, "Invalid", format!("{full} \"{name}\" is invalid: {listed}"));
        *error.details =
            Details { name: name.to_owned(), group: group.to_owned(), kind: kind.to_owned(), causes };
        error
    }

    /// 400: the request itself cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401: no token, or the wrong one.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: this may not be done to this object.
    pub fn forbidden(collection: &Collection, name: &str, why: &str) -> Self {
        let message = format!("{collection} \"{name}\" is forbidden: {why}");
        Self::new(403, "Forbidden", message).about(collection, name)
    }

    /// 405: the resource is there, the verb is not.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// 406: none of the media types the client accepts.
    pub fn not_acceptable() -> Self {
        let types = "application/json";
        let message = format!("only the following media types are accepted: {types}");
        Self::new(406, "NotAcceptable", message)
    }

    /// 410: the revision is no longer in the history.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 413: the body is over the limit.
    pub fn too_large(limit: usize) -> Self {
        Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}"))
    }

    /// 415: a body of a type that cannot be read.
    pub fn unsupported_media(accepted: &[&str]) -> Self {
        let accepted = accepted.join(", ");
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 429: as much of this goes on as may.
    pub fn too_many(what: impl Into<String>) -> Self {
        Self::new(429, "TooManyRequests", what)
    }

    /// 500: something of ours went wrong.
    pub fn internal(what: impl fmt::Display) -> Self {
        Self::new(500, "InternalError", format!("Internal error occurred: {what}"))
    }

    /// 504: the revision asked for is ahead of the server's.
    pub fn ahead(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let cause = Cause {
            field: String::new(),
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".into(),
        };
        let mut error = Self::new(504, "Timeout", message);
        error.details.causes = vec![cause];
        error
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        let mut details = serde_json::Map::new();
        for (key, text) in
            [("name", &self.details.name), ("group", &self.details.group), ("kind", &self.details.kind)]
        {
            if !text.is_empty() {
                details.insert(key.into(), json!(text));
            }
        }
        if !self.details.causes.is_empty() {
            let causes: Vec<_> = self.details.causes.iter().map(cause_object).collect();
            details.insert("causes".into(), json!(causes));
        }
        if matches!(self.code, 429 | 504) {
            details.insert("retryAfterSeconds".into(), json!(1));
        }
        if !details.is_empty() {
            status["details"] = Value::Object(details);
        }
        status["code"] = json!(self.code);
        status
    }
}

fn cause_object(cause: &Cause) -> Value {
    let mut object = json!({"reason": cause.reason, "message": cause.message});
    if !cause.field.is_empty() {
        object["field"] = json!(cause.field);
    }
    object
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(key) => Self::not_found(&key.collection, &key.name),
            StoreError::Exists(key) => Self::exists(&key.collection, &key.name),
            StoreError::Stale { key, .. } => Self::stale(&key.collection, &key.name),
            error @ StoreError::TooLarge { .. } => {
                Self::new(413, "RequestEntityTooLarge", format!("Request entity too large: {error}"))
            }
            // What a server says whose etcd is over its quota.
            error @ StoreError::Full(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_a_kubernetes_server_writes_it() {
        let policies = Collection::new("cilium.io", "ciliumbgppeeringpolicies");
        let error = ApiError::not_found(&policies, "rack0");
        assert_eq!(error.message, "ciliumbgppeeringpolicies.cilium.io \"rack0\" not found");
        let details = json!({"name": "rack0", "group": "cilium.io", "kind": "ciliumbgppeeringpolicies"});
        assert_eq!(error.status()["details"], details);

        let error = ApiError::invalid("", "Pod", "a", vec![Cause::required("spec.containers", "")]);
        assert_eq!(error.message, "Pod \"a\" is invalid: spec.containers: Required value");
        let cause =
            json!({"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"});
        assert_eq!(error.status()["details"]["causes"], json!([cause]));
        assert_eq!(error.status()["code"], 422);
    }
}
