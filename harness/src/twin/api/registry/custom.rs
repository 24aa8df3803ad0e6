//! Resources made by CustomResourceDefinitions.
//!
//! What lives here: judging a definition, filling in what a server fills in, and compiling it. What does not: judging the
//! objects (`schema`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::resource::{Column, Flavor, Resource, VERBS};
use crate::twin::api::{Cause, schema::Schema, time};
use crate::twin::store::Collection;

/// Fills in what a server fills in: names that follow from others, and the conditions that say it is served.
pub(in crate::twin::api) fn complete(definition: &mut Value) {
    let Some(spec) = definition.get_mut("spec").and_then(Value::as_object_mut) else { return };
    spec.entry("conversion").or_insert_with(|| json!({"strategy": "None"}));
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        names.entry("singular").or_insert_with(|| json!(kind.to_lowercase()));
        names.entry("listKind").or_insert_with(|| json!(format!("{kind}List")));
    }
    let names = spec.get("names").cloned().unwrap_or_default();
    let versions = spec.get("versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let stored: Vec<_> =
        versions.iter().filter(|v| v["storage"] == true).map(|v| v["name"].clone()).collect();
    let earlier = definition["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let condition = |kind: &str, reason: &str, message: &str| {
        let known = earlier.iter().find(|c| c["type"] == kind && c["status"] == "True");
        known.cloned().unwrap_or_else(|| {
            json!({"lastTransitionTime": time::now(), "message": message, "reason": reason, "status": "True",
                "type": kind})
        })
    };
    definition["status"] = json!({
        "acceptedNames": names,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "storedVersions": stored,
    });
}

/// Everything that is wrong with a definition.
pub(in crate::twin::api) fn check(definition: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
    for (field, value) in [
        ("spec.group", &group),
        ("spec.names.plural", &plural),
        ("spec.names.kind", &text(&spec["names"]["kind"])),
    ] {
        if value.is_empty() {
            causes.push(Cause::required(field, ""));
        }
    }
    let name = &definition["metadata"]["name"];
    if causes.is_empty() && *name != json!(format!("{plural}.{group}")) {
        causes.push(Cause::invalid("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
    }
    if !matches!(spec["scope"].as_str(), Some("Cluster" | "Namespaced")) {
        causes.push(Cause::unsupported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.iter().filter(|v| v["storage"] == true).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        causes.push(Cause::invalid("spec.versions", &Value::from(versions.len()), why));
    }
    for (at, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{at}].schema.openAPIV3Schema");
        match &version["schema"]["openAPIV3Schema"] {
            Value::Null => causes.push(Cause::required(path, "schemas are required")),
            schema if schema["type"] != "object" => {
                causes.push(Cause::invalid(
                    format!("{path}.type"),
                    &schema["type"],
                    "must be object at the root",
                ));
            }
            schema => causes.extend(Schema::read(schema, &path).err()),
        }
    }
    causes
}

/// The served versions of a definition, the newest and most stable first. A version whose schema cannot be used is left
/// out: `check` has refused it at the door.
pub(super) fn compile(definition: &Value) -> Vec<Arc<Resource>> {
    let versions = definition["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut made: Vec<_> =
        versions.iter().filter(|v| v["served"] == true).filter_map(|v| resource(definition, v)).collect();
    made.sort_by_key(|resource| std::cmp::Reverse(rank(&resource.version)));
    made.into_iter().map(Arc::new).collect()
}

fn resource(definition: &Value, version: &Value) -> Option<Resource> {
    let spec = &definition["spec"];
    let names = &spec["names"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let (group, plural, kind) = (text(&spec["group"])?, text(&names["plural"])?, text(&names["kind"])?);
    let schema = Schema::read(&version["schema"]["openAPIV3Schema"], "schema").ok()?;
    let columns = version["additionalPrinterColumns"].as_array();
    let columns = columns.map_or_else(|| vec![age_column()], |c| c.iter().map(column).collect());
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    Some(Resource {
        collection: Collection::new(&group, &plural),
        version: text(&version["name"])?,
        singular: text(&names["singular"]).unwrap_or_else(|| kind.to_lowercase()),
        list_kind: text(&names["listKind"]).unwrap_or_else(|| format!("{kind}List")),
        short_names: list(&names["shortNames"]),
        categories: list(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        verbs: VERBS,
        subresources: &[],
        status: !version["subresources"]["status"].is_null(),
        selectable: selectable
            .filter_map(|field| field["jsonPath"].as_str())
            .map(|path| path.trim_start_matches('.').to_owned())
            .collect(),
        warning: warning(definition, version),
        flavor: Flavor::Custom {
            schema: Box::new(schema),
            columns,
            described: Arc::new(version["schema"]["openAPIV3Schema"].clone()),
        },
        group,
        plural,
        kind,
    })
}

/// What a server says of a deprecated version: the definition's own words, else which versions are better.
fn warning(definition: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    if let Some(own) = version["deprecationWarning"].as_str() {
        return Some(own.to_owned());
    }
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind, name) = (text(&spec["group"]), text(&spec["names"]["kind"]), text(&version["name"]));
    let others = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let mut better: Vec<_> = others
        .filter(|other| other["served"] == true && other["deprecated"] != true)
        .map(|other| text(&other["name"]))
        .filter(|other| rank(other) > rank(&name))
        .collect();
    better.sort_by_key(|version| std::cmp::Reverse(rank(version)));
    let better: Vec<_> = better.iter().map(|version| format!("{group}/{version} {kind}")).collect();
    let instead = if better.is_empty() { String::new() } else { format!("; use {}", better.join(", ")) };
    Some(format!("{group}/{name} {kind} is deprecated{instead}"))
}

fn age_column() -> Column {
    Column {
        name: "Age".into(),
        kind: "date".into(),
        format: String::new(),
        description: "CreationTimestamp of the object".into(),
        priority: 0,
        path: ".metadata.creationTimestamp".into(),
    }
}

fn column(value: &Value) -> Column {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Column {
        name: text("name"),
        kind: text("type"),
        format: text("format"),
        description: text("description"),
        priority: value["priority"].as_i64().unwrap_or(0),
        path: text("jsonPath"),
    }
}

/// Kubernetes' order of versions: stable over beta over alpha, then the higher number (`v2` over `v1` over `v2alpha1`).
pub(in crate::twin::api) fn rank(version: &str) -> (u8, u32, u32) {
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (major, tail) = rest.split_at(digits);
    let number = |text: &str| text.parse().unwrap_or(0);
    match (tail, tail.strip_prefix("beta"), tail.strip_prefix("alpha")) {
        ("", _, _) => (3, number(major), 0),
        (_, Some(minor), _) => (2, number(major), number(minor)),
        (_, _, Some(minor)) => (1, number(major), number(minor)),
        _ => (0, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::api::tests::policy_crd;

    #[test]
    fn a_definition_is_completed_as_a_server_completes_it() {
        let mut crd = policy_crd();
        crd["spec"]["names"].as_object_mut().unwrap().shift_remove("listKind");
        assert_eq!(check(&crd), []);
        complete(&mut crd);
        assert_eq!(crd["spec"]["names"]["listKind"], "CiliumBGPPeeringPolicyList");
        assert_eq!(crd["status"]["conditions"][1]["type"], "Established");
        assert_eq!(crd["status"]["storedVersions"], json!(["v2alpha1"]));
        let compiled = compile(&crd);
        assert_eq!(compiled[0].api_version(), "cilium.io/v2alpha1");
        assert!(!compiled[0].namespaced && !compiled[0].status);
    }

    #[test]
    fn a_broken_definition_is_refused_by_field() {
        let mut crd = policy_crd();
        crd["metadata"]["name"] = json!("policies.cilium.io");
        crd["spec"]["scope"] = json!("Nowhere");
        crd["spec"]["versions"][0]["storage"] = json!(false);
        crd["spec"]["versions"][0]["schema"] = json!({});
        let fields: Vec<_> = check(&crd).into_iter().map(|cause| cause.field).collect();
        let schema = "spec.versions[0].schema.openAPIV3Schema";
        assert_eq!(fields, ["metadata.name", "spec.scope", "spec.versions", schema]);
    }

    #[test]
    fn whoever_asks_for_a_deprecated_version_hears_which_is_better() {
        let mut crd = policy_crd();
        let version = |name: &str, deprecated: bool| {
            let mut version = policy_crd()["spec"]["versions"][0].clone();
            (version["name"], version["deprecated"]) = (json!(name), json!(deprecated));
            version
        };
        crd["spec"]["versions"] = json!([
            version("v2alpha1", true),
            version("v2", false),
            version("v3", false),
            version("v1", true)
        ]);
        crd["spec"]["versions"][3]["deprecationWarning"] = json!("v1 is very old");
        let said: Vec<_> = compile(&crd).iter().map(|r| (r.version.clone(), r.warning.clone())).collect();
        let kind = "CiliumBGPPeeringPolicy";
        let of_alpha =
            format!("cilium.io/v2alpha1 {kind} is deprecated; use cilium.io/v3 {kind}, cilium.io/v2 {kind}");
        let expected = [
            ("v3", None),
            ("v2", None),
            ("v1", Some("v1 is very old".to_owned())),
            ("v2alpha1", Some(of_alpha)),
        ];
        assert_eq!(said, expected.map(|(version, warning)| (version.to_owned(), warning)));
        crd["spec"]["versions"] = json!([version("v2alpha1", true)]);
        let alone = format!("cilium.io/v2alpha1 {kind} is deprecated");
        assert_eq!(compile(&crd)[0].warning.as_deref(), Some(alone.as_str()));
    }

    #[test]
    fn versions_are_ordered_as_kubernetes_orders_them() {
        let mut versions = ["v1alpha1", "v2", "v10", "v2alpha1", "v1beta2", "x"];
        versions.sort_by_key(|version| std::cmp::Reverse(rank(version)));
        assert_eq!(versions, ["v10", "v2", "v1beta2", "v2alpha1", "v1alpha1", "x"]);
    }
}
