//! What the fabric is made of, for those who draw it: what its files say (`plan::drawn`), and over that what it says of itself.

use std::collections::BTreeMap;

use fabric_reports::record::{Role, Topology};

use super::super::atlas::Atlas;
use crate::plan::rack;

/// The boxes and links of the lab's files, with what is known by now: `asns` are the AS numbers that routers say they have,
/// which count for more than what the lab configures.
pub(super) fn alive(files: &Topology, atlas: &Atlas, asns: &BTreeMap<String, u32>) -> Topology {
    let mut topology = files.clone();
    for node in &mut topology.nodes {
        node.asn = asns.get(&node.name).copied().or(node.asn);
        if node.role == Role::ClusterNode {
            let object =
                atlas.nodes.iter().flatten().find(|it| it.metadata.name.as_deref() == Some(&node.name));
            let labels = object.and_then(|object| object.metadata.labels.as_ref());
            node.rack = labels.and_then(rack).or_else(|| node.rack.take());
        }
    }
    topology
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fabric_harness::lab::load;
    use serde_json::json;

    use super::*;
    use crate::expect::Expect;
    use crate::plan::drawn;

    #[test]
    fn what_the_fabric_says_counts_for_more_than_its_files() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cilium-bgp");
        let lab = load::<Expect>(&dir).unwrap_or_else(|error| panic!("{error}"));
        let files = drawn(&lab.topology, lab.cluster.as_ref());
        let mut atlas = Atlas::before(&lab.topology, lab.cluster.as_ref());
        let node = json!({"metadata": {"name": "clab-bgp-cplane-demo-worker", "labels": {"example.com/rack": "moved"}}});
        atlas.nodes = Some(vec![serde_json::from_value(node).unwrap()]);
        let alive = alive(&files, &atlas, &BTreeMap::from([("tor1".to_owned(), 65_099)]));
        let changed: Vec<_> = alive.nodes.iter().filter(|node| !files.nodes.contains(node)).collect();
        assert_eq!(changed.len(), 2, "{changed:?}");
        assert_eq!((changed[0].name.as_str(), changed[0].asn), ("tor1", Some(65_099)));
        assert_eq!(changed[1].rack.as_deref(), Some("moved"));
        assert_eq!(alive.links, files.links);
    }
}
