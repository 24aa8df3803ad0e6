//! Paths: what a request is about.
//!
//! What lives here: reading what follows the group and version. What does not: whether there is such a resource.

/// What a path points at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Namespace; `None` for cluster-scoped paths and for all namespaces.
    pub namespace: Option<String>,
    /// Plural of the resource.
    pub plural: String,
    /// Name of one object.
    pub name: Option<String>,
    /// Subresource of that object.
    pub subresource: Option<String>,
}

impl Target {
    /// Reads `pods`, `namespaces/default/pods/a/exec` and the like; `None` for a path that points at nothing.
    pub(super) fn read(group: &str, version: &str, rest: &str) -> Option<Self> {
        let parts: Vec<_> = rest.strip_suffix('/').unwrap_or(rest).split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return None;
        }
        let (namespace, parts) = match parts.as_slice() {
            // A namespace is an object too, with doors of its own.
            ["namespaces", _, "status" | "finalize"] => (None, parts.as_slice()),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
            all => (None, all),
        };
        let (plural, name, subresource) = match parts {
            [plural] => (plural, None, None),
            [plural, name] => (plural, Some(*name), None),
            [plural, name, subresource] => (plural, Some(*name), Some(*subresource)),
            _ => return None,
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: namespace.map(str::to_owned),
            plural: (*plural).to_owned(),
            name: name.map(str::to_owned),
            subresource: subresource.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nodes", None, "nodes", None, None)]
    #[case("nodes/w1/status", None, "nodes", Some("w1"), Some("status"))]
    #[case("namespaces", None, "namespaces", None, None)]
    #[case("namespaces/default", None, "namespaces", Some("default"), None)]
    #[case("namespaces/default/status", None, "namespaces", Some("default"), Some("status"))]
    #[case("namespaces/default/pods", Some("default"), "pods", None, None)]
    #[case("namespaces/default/pods/a/exec", Some("default"), "pods", Some("a"), Some("exec"))]
    #[case("pods/", None, "pods", None, None)]
    fn a_path_points_at(
        #[case] path: &str,
        #[case] namespace: Option<&str>,
        #[case] plural: &str,
        #[case] name: Option<&str>,
        #[case] subresource: Option<&str>,
    ) {
        let target = Target::read("", "v1", path).unwrap();
        assert_eq!(
            (target.namespace.as_deref(), target.plural.as_str(), target.name.as_deref()),
            (namespace, plural, name)
        );
        assert_eq!(target.subresource.as_deref(), subresource);
    }

    #[rstest]
    #[case("")]
    #[case("pods//a")]
    #[case("pods/a/log/b")]
    fn a_path_points_nowhere(#[case] path: &str) {
        assert_eq!(Target::read("", "v1", path), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(path in "[a-z/]{0,40}|.{0,40}") {
            let _ = Target::read("", "v1", &path);
        }
    }
}
