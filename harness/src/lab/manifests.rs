//! Kubernetes manifests: files of any number of documents, each an object with its place.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::lab::yaml::{self, Diagnostics, FromTree, Location, Node};

/// One object, as it would be applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The whole object.
    pub object: Json,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its `kind`.
    pub kind: String,
    /// Its namespace, if it names one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Where it starts.
    pub at: Location,
    /// Where its fields stand. Known to whoever reads the lab, and not handed on.
    #[serde(skip)]
    pub places: Places,
}

/// Where the fields of an object stand, by their paths (`spec.containers[0].image`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Places(BTreeMap<String, Location>);

impl Places {
    fn of(node: &Node) -> Self {
        let mut places = Self::default();
        places.note(node, "");
        places
    }

    fn note(&mut self, node: &Node, path: &str) {
        for entry in node.as_mapping().iter().flat_map(|mapping| &mapping.entries) {
            let key = &entry.key;
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.note(&entry.value, &path);
            self.0.insert(path, entry.key_at.clone());
        }
        for (at, item) in node.as_sequence().iter().flat_map(|list| list.iter()).enumerate() {
            let path = format!("{path}[{at}]");
            self.note(item, &path);
            self.0.insert(path, item.at.clone());
        }
    }

    /// Where a field stands, or the nearest thing around it that is written down.
    pub fn nearest(&self, path: &str) -> Option<&Location> {
        let mut path = path;
        loop {
            if let Some(found) = self.0.get(path) {
                return Some(found);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }
}

impl std::fmt::Display for Manifest {
    /// `kind/name`, as kubectl says it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.to_lowercase(), self.name)
    }
}

/// Reads a file of manifests; lists (`kind: List` and the like) give their items. `shown` is its name in messages.
pub fn read(shown: &Path, text: &str, ctx: &mut Diagnostics) -> Option<Vec<Manifest>> {
    let documents = yaml::parse_all(shown, text, ctx)?;
    if documents.is_empty() {
        ctx.warning(&Location::start_of(shown), "this file holds no object");
    }
    let mut manifests = Vec::new();
    let mut sound = true;
    for document in &documents {
        sound &= object(document, &mut manifests, ctx).is_some();
    }
    sound.then_some(manifests)
}

fn object(node: &Node, into: &mut Vec<Manifest>, ctx: &mut Diagnostics) -> Option<()> {
    if node.as_mapping().is_none() {
        ctx.error(&node.at, format!("expected a Kubernetes object, found {}", node.describe()))
            .help("an object has `apiVersion`, `kind` and `metadata.name`");
        return None;
    }
    let kind = text(node, "kind", &["kind"], ctx);
    if let (Some(kind), Some(items)) = (&kind, node.get("items").and_then(Node::as_sequence))
        && kind.ends_with("List")
    {
        let read: Vec<Option<()>> = items.iter().map(|item| object(item, into, ctx)).collect();
        return read.into_iter().collect();
    }
    let api_version = text(node, "apiVersion", &["apiVersion"], ctx);
    let name = text(node, "metadata.name", &["metadata", "name"], ctx);
    let namespace = match node.get("metadata").and_then(|metadata| metadata.get("namespace")) {
        Some(namespace) if !namespace.is_null() => Some(String::from_tree(namespace, ctx)?),
        _ => None,
    };
    into.push(Manifest {
        object: node.to_json(),
        api_version: api_version?,
        kind: kind?,
        namespace,
        name: name?,
        at: node.at.clone(),
        places: Places::of(node),
    });
    Some(())
}

/// A text every object must have.
fn text(node: &Node, shown: &str, path: &[&str], ctx: &mut Diagnostics) -> Option<String> {
    let found = path.iter().try_fold(node, |node, key| node.get(key)).filter(|found| !found.is_null());
    match found {
        Some(found) => String::from_tree(found, ctx),
        None => {
            ctx.error(&node.at, format!("this object has no `{shown}`")).help(format!("add `{shown}`"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn noted(text: &str) -> (Option<Vec<Manifest>>, Vec<String>) {
        let mut ctx = Diagnostics::new();
        let manifests = read(Path::new("m.yaml"), text, &mut ctx);
        (manifests, ctx.iter().map(|noted| format!("{noted:#}")).collect())
    }

    #[test]
    fn several_documents_and_lists() {
        let (manifests, noted) = noted(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: x}\n---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Node\n  metadata: {name: b}\n",
        );
        assert_eq!(noted, Vec::<String>::new());
        let said: Vec<String> =
            manifests.expect("sound").iter().map(|m| format!("{m} {:?} {}", m.namespace, m.at)).collect();
        assert_eq!(said, ["pod/a Some(\"x\") m.yaml:2:1", "node/b None m.yaml:11:3"]);
    }

    #[test]
    fn fields_know_their_places() {
        let (manifests, _) =
            noted("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: b\n");
        let places = &manifests.expect("sound")[0].places;
        let at = |path: &str| places.nearest(path).map(ToString::to_string);
        assert_eq!(at("spec.containers[0].name").as_deref(), Some("m.yaml:6:5"));
        assert_eq!(at("spec.containers[0].image").as_deref(), Some("m.yaml:6:5"));
        assert_eq!(at("spec.nodeName").as_deref(), Some("m.yaml:4:1"));
        assert_eq!(at("status"), None);
    }

    #[rstest]
    #[case("kind: Pod\nmetadata: {name: a}\n", "m.yaml:1:1: error: this object has no `apiVersion`")]
    #[case("apiVersion: v1\nmetadata: {name: a}\n", "m.yaml:1:1: error: this object has no `kind`")]
    #[case("a: 1\n---\napiVersion: v1\nkind: Pod\n", "m.yaml:3:1: error: this object has no `metadata.name`")]
    #[case("- a\n", "m.yaml:1:1: error: expected a Kubernetes object, found a list")]
    #[case("kind: [Pod]\n", "m.yaml:1:7: error: expected text, found a list")]
    #[case("# nothing\n", "m.yaml:1:1: warning: this file holds no object")]
    fn refused(#[case] text: &str, #[case] message: &str) {
        let (_, noted) = noted(text);
        assert!(noted.iter().any(|noted| noted == message), "{noted:?}");
    }
}
