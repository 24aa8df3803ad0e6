//! What a record keeps of what a lab gives Cilium, and the question that can be made of it again.
//!
//! What lives here: both ways. What does not: which versions ran (the record's environment), the judgement (`forecast`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use fabric_harness::cilium::CiliumVersion;
use fabric_harness::cilium::helm::CHART_VALUES;
use fabric_harness::lab::yaml::{Diagnostics, Location, parse};
use fabric_harness::lab::{Lab, Manifest};
use fabric_reports::record;
use serde_json::{Map, Value};

use super::{Asked, AskedNode, ValuesFile, read};
use crate::expect::Expect;

/// What a record keeps of a lab; none where it has no cluster.
pub fn kept(lab: &Lab<Expect>) -> Option<record::Cilium> {
    lab.cluster.as_ref()?;
    let nodes = read::nodes(lab).into_iter().map(|node| (node.name, node.labels)).collect();
    let raw = lab.cilium.as_ref().map(|cilium| &cilium.values.raw);
    // Not the whole file: what else somebody writes there is none of a report's business.
    let value = |key: &str| {
        let value = key.split('.').try_fold(raw?, |value, part| value.get(part))?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => return None,
        };
        Some((key.to_owned(), text))
    };
    let values = CHART_VALUES.iter().filter_map(|known| value(known.key)).collect();
    let objects = read::objects(lab).into_iter().filter(is_of_bgp).map(|object| object.object).collect();
    Some(record::Cilium { nodes, values, objects })
}

/// Whether an object is one of Cilium's BGP control plane, or gives services their addresses.
fn is_of_bgp(object: &Manifest) -> bool {
    object.api_version.starts_with("cilium.io/")
        && (object.kind.starts_with("CiliumBGP") || object.kind == "CiliumLoadBalancerIPPool")
}

/// The question about what a record keeps. Its findings have no places: the files are not there.
pub(super) fn question(kept: &record::Cilium, from: CiliumVersion, to: CiliumVersion) -> Asked {
    let node = |(name, labels): (&String, &BTreeMap<String, String>)| AskedNode {
        name: name.clone(),
        labels: labels.clone(),
    };
    Asked {
        from,
        to,
        values: values(&kept.values),
        objects: kept.objects.iter().filter_map(manifest).collect(),
        nodes: kept.nodes.iter().map(node).collect(),
        daemons: Vec::new(),
    }
}

fn manifest(object: &Value) -> Option<Manifest> {
    let text = |pointer: &str| object.pointer(pointer)?.as_str().map(str::to_owned);
    Some(Manifest {
        api_version: text("/apiVersion")?,
        kind: text("/kind")?,
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name")?,
        at: Location::start_of(SHOWN),
        places: Default::default(),
        object: object.clone(),
    })
}

/// What a record is called where a file would be.
const SHOWN: &str = "record.json";

fn values(kept: &BTreeMap<String, String>) -> Option<ValuesFile> {
    let mut tree = Map::new();
    for (key, value) in kept {
        put(&mut tree, key, value);
    }
    let text = serde_json::to_string(&tree).ok()?;
    let shown = PathBuf::from(SHOWN);
    let tree = parse(&shown, &text, &mut Diagnostics::new())?;
    Some(ValuesFile { shown, tree })
}

/// Puts a value where its dotted key leads.
fn put(tree: &mut Map<String, Value>, key: &str, value: &str) {
    let Some((first, rest)) = key.split_once('.') else {
        tree.insert(key.to_owned(), value.into());
        return;
    };
    let below = tree.entry(first).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(below) = below {
        put(below, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fabric_harness::lab::load;

    use super::super::{Severity, forecast, of_lab};
    use super::*;

    /// What a record keeps is enough: the same is found as in the files.
    #[test]
    fn a_record_answers_as_its_lab_does() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
        let kept = kept(&load::<Expect>(&path).unwrap()).unwrap();
        let text = serde_json::to_string(&kept).unwrap();
        let kept: record::Cilium = serde_json::from_str(&text).unwrap();
        let (from, to) = (CiliumVersion::new(1, 12, 1), CiliumVersion::new(1, 20, 0));
        let (here, there) = (forecast(&question(&kept, from, to)), of_lab(&path, None, to).unwrap());
        let there = forecast(&there);
        assert_eq!(here.effect, there.effect);
        let rules = |answer: &super::super::Forecast| -> Vec<(&'static str, Severity, Option<String>)> {
            let mut all: Vec<_> =
                answer.findings.iter().map(|one| (one.rule, one.severity, one.object.clone())).collect();
            all.sort();
            all
        };
        assert_eq!(rules(&here), rules(&there));
    }

    #[test]
    fn a_dotted_key_is_a_value_of_the_chart() {
        let all = [("bgp.enabled", "true"), ("bgp.announce.loadbalancerIP", "true"), ("tunnel", "disabled")];
        let kept = record::Cilium {
            values: all.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ..record::Cilium::default()
        };
        let asked = question(&kept, CiliumVersion::new(1, 16, 0), CiliumVersion::new(1, 17, 0));
        for (key, value) in all {
            assert_eq!(asked.value(key).unwrap().1.as_text(), Some(value), "{key}");
        }
    }
}
