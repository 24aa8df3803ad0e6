//! When two names or two sets of labels are the same.

use std::collections::BTreeMap;

/// Whether a name that was seen is meant by a name that was written: the same, or the part of it that kind puts behind
/// the cluster's name. `clab-bgp-cplane-demo-worker2` is meant by `worker2`, and not by `2`.
pub fn same_node(seen: &str, written: &str) -> bool {
    seen == written
        || seen.strip_suffix(written).is_some_and(|before| before.len() > 1 && before.ends_with('-'))
}

/// The labels that are wanted and not there, or there with another value.
pub(super) fn label_difference(
    wanted: &BTreeMap<String, String>,
    seen: &BTreeMap<String, String>,
) -> Vec<String> {
    let differs = |(key, value): (&String, &String)| match seen.get(key) {
        Some(there) if there == value => None,
        Some(there) => Some(format!("the label {key} is {there}, not {value}")),
        None => Some(format!("there is no label {key}; {value} is wanted")),
    };
    wanted.iter().filter_map(differs).collect()
}
