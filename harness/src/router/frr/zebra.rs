//! `show ip route json`: what zebra believes the kernel has.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value;

use super::lenient::{self, Object};
use crate::router::traits::ZebraRoute;

/// Reads the answer. Prefixes that are not prefixes are passed over.
pub(in crate::router) fn installed(answer: &Value) -> BTreeMap<IpNet, Vec<ZebraRoute>> {
    let Some(all) = answer.as_object() else { return BTreeMap::new() };
    all.iter()
        .filter_map(|(prefix, value)| {
            let entries = value.as_array()?.iter().filter_map(Value::as_object).map(route).collect();
            Some((prefix.parse().ok()?, entries))
        })
        .collect()
}

fn route(fields: &Object) -> ZebraRoute {
    ZebraRoute {
        protocol: lenient::string(fields, "protocol").unwrap_or_default(),
        selected: lenient::flag(fields, "selected"),
        installed: lenient::flag(fields, "installed"),
        distance: lenient::number32(fields.get("distance")).unwrap_or_default(),
        interfaces: fields
            .get("nexthops")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .filter(|hop| lenient::flag(hop, "fib"))
            .filter_map(|hop| lenient::string(hop, "interfaceName"))
            .collect(),
    }
}
