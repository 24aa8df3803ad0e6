//! What is known of one resource in one version.
//!
//! What lives here: names, scope, verbs and what a list of it prints. What does not: how objects are judged (`rules`).

use std::sync::Arc;

use schemars::{Schema as Description, SchemaGenerator};
use serde_json::{Value, json};

use crate::twin::api::schema::Schema;
use crate::twin::store::Collection;

/// Judges whether a value is of a built-in type: the fields nobody knows and the value without them, or why it is not.
pub(in crate::twin::api) type Check = fn(&Value) -> Result<(Vec<String>, Value), String>;

/// A type of Kubernetes' own.
#[derive(Clone, Copy)]
pub(in crate::twin::api) struct Type {
    /// Judges a value.
    pub check: Check,
    /// Describes it, as its documentation does.
    pub describe: fn(&mut SchemaGenerator) -> Description,
}

impl std::fmt::Debug for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Type")
    }
}

/// One resource in one version.
#[derive(Debug, Clone)]
pub(in crate::twin::api) struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version in the group.
    pub version: String,
    /// Plural name, as in paths.
    pub plural: String,
    /// Singular name, as kubectl prints it.
    pub singular: String,
    /// Kind of one object.
    pub kind: String,
    /// Kind of a list of them.
    pub list_kind: String,
    /// Short names for kubectl.
    pub short_names: Vec<String>,
    /// Categories for kubectl (`all`).
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What can be done to it.
    pub verbs: &'static [&'static str],
    /// Subresources other than `status`.
    pub subresources: &'static [&'static str],
    /// Whether `status` is written through a subresource of its own.
    pub status: bool,
    /// Field paths a list can be selected by, beside name and namespace.
    pub selectable: Vec<String>,
    /// What whoever asks for this version is told, where it is deprecated.
    pub warning: Option<String>,
    /// Where objects are kept.
    pub collection: Collection,
    /// What judges and prints objects.
    pub flavor: Flavor,
}

/// Who says what an object is.
#[derive(Debug, Clone)]
pub(in crate::twin::api) enum Flavor {
    /// A type of Kubernetes' own.
    Builtin(Type),
    /// A CustomResourceDefinition.
    Custom {
        /// The schema of this version.
        schema: Box<Schema>,
        /// The columns of a list.
        columns: Vec<Column>,
        /// The schema as the definition has it, with its descriptions.
        described: Arc<Value>,
    },
}

/// One column of a list, as a definition describes it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::twin::api) struct Column {
    /// Heading.
    pub name: String,
    /// OpenAPI type; `date` is printed as an age.
    pub kind: String,
    /// OpenAPI format.
    pub format: String,
    /// What it means.
    pub description: String,
    /// Only in wide lists when above 0.
    pub priority: i64,
    /// Where the value is.
    pub path: String,
}

/// What can be done to every resource that is kept.
pub(super) const VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

impl Resource {
    /// `v1`, or group and version with a slash between.
    pub(in crate::twin::api) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// True for a resource that a definition makes.
    pub(in crate::twin::api) fn custom(&self) -> bool {
        matches!(self.flavor, Flavor::Custom { .. })
    }

    /// True for a built-in resource of this name.
    pub(in crate::twin::api) fn is(&self, group: &str, plural: &str) -> bool {
        !self.custom() && self.group == group && self.plural == plural
    }

    /// The resource and its subresources as discovery lists them.
    pub(in crate::twin::api) fn described(&self) -> Vec<Value> {
        let mut own = json!({
            "name": self.plural, "singularName": self.singular, "namespaced": self.namespaced, "kind": self.kind,
            "verbs": self.verbs,
        });
        if !self.short_names.is_empty() {
            own["shortNames"] = json!(self.short_names);
        }
        if !self.categories.is_empty() {
            own["categories"] = json!(self.categories);
        }
        let mut all = vec![own];
        for (name, kind, verbs) in self.parts() {
            let name = format!("{}/{name}", self.plural);
            let mut part = json!({"name": name, "singularName": "", "namespaced": self.namespaced, "kind": kind, "verbs": verbs});
            if kind == "Eviction" {
                // kubectl drain asks for these, and deletes pods by itself where they are not said.
                part["group"] = json!("policy");
                part["version"] = json!("v1");
            }
            all.push(part);
        }
        all
    }

    /// The same for aggregated discovery.
    pub(in crate::twin::api) fn aggregated(&self) -> Value {
        let kind = |kind: &str| match kind {
            "Eviction" => json!({"group": "policy", "version": "v1", "kind": kind}),
            kind => json!({"group": self.group, "version": self.version, "kind": kind}),
        };
        let scope = if self.namespaced { "Namespaced" } else { "Cluster" };
        let parts: Vec<_> = self
            .parts()
            .into_iter()
            .map(|(name, of, verbs)| json!({"subresource": name, "responseKind": kind(of), "verbs": verbs}))
            .collect();
        let mut own = json!({
            "resource": self.plural, "responseKind": kind(&self.kind), "scope": scope,
            "singularResource": self.singular, "verbs": self.verbs,
        });
        for (key, list) in [("shortNames", &self.short_names), ("categories", &self.categories)] {
            if !list.is_empty() {
                own[key] = json!(list);
            }
        }
        if !parts.is_empty() {
            own["subresources"] = json!(parts);
        }
        own
    }

    fn parts(&self) -> Vec<(&'static str, &str, Vec<&'static str>)> {
        let mut parts = Vec::new();
        if self.status {
            parts.push(("status", self.kind.as_str(), vec!["get", "patch", "update"]));
        }
        for name in self.subresources {
            parts.push(match *name {
                "attach" => (*name, "PodAttachOptions", vec!["create", "get"]),
                "exec" => (*name, "PodExecOptions", vec!["create", "get"]),
                "portforward" => (*name, "PodPortForwardOptions", vec!["create", "get"]),
                "binding" => (*name, "Binding", vec!["create"]),
                "eviction" => (*name, "Eviction", vec!["create"]),
                _ => (*name, "Pod", vec!["get"]),
            });
        }
        parts
    }
}
