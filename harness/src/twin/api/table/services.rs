//! The tables of what stands behind Services.
//!
//! What lives here: Endpoints, EndpointSlices and ServiceCIDRs. What does not: Services themselves (`other`).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{age, name, or_none};

/// How many of a list kubectl's columns show before they only count.
const SHOWN: usize = 3;

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The first few, and how many more there are.
fn few(all: &[String]) -> Value {
    let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(",");
    if all.len() > SHOWN {
        text.push_str(&format!(" + {} more...", all.len() - SHOWN));
    }
    or_none(Some(&text))
}

pub(super) fn endpoints(object: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in list(&object["subsets"]) {
        let ips = || list(&subset["addresses"]).iter().filter_map(|address| address["ip"].as_str());
        let host = |ip: &str| if ip.contains(':') { format!("[{ip}]") } else { ip.to_owned() };
        match list(&subset["ports"]) {
            [] => all.extend(ips().map(str::to_owned)),
            ports => {
                for port in ports {
                    all.extend(ips().map(|ip| format!("{}:{}", host(ip), port["port"])));
                }
            }
        }
    }
    vec![name(object), few(&all), age(object, now)]
}

pub(super) fn slice(object: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let ports: Vec<String> = list(&object["ports"])
        .iter()
        .map(|port| port["port"].as_u64().map_or_else(|| "*".into(), |number| number.to_string()))
        .collect();
    let ports = if ports.is_empty() { json!("<unset>") } else { few(&ports) };
    let all: Vec<String> = list(&object["endpoints"])
        .iter()
        .flat_map(|endpoint| list(&endpoint["addresses"]).iter().filter_map(Value::as_str).map(str::to_owned))
        .collect();
    let all = if all.is_empty() { json!("<unset>") } else { few(&all) };
    vec![name(object), object["addressType"].clone(), ports, all, age(object, now)]
}

pub(super) fn subnets(object: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let cidrs: Vec<&str> = list(&object["spec"]["cidrs"]).iter().filter_map(Value::as_str).collect();
    vec![name(object), or_none(Some(&cidrs.join(","))), age(object, now)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        let addresses: Vec<_> = (1..=5).map(|n| json!({"ip": format!("10.1.1.{n}")})).collect();
        let object = json!({"metadata": {"name": "web"}, "subsets": [{"addresses": addresses, "ports": [{"port": 80}]}]});
        let cells = endpoints(&object, Utc::now());
        assert_eq!(cells[1], "10.1.1.1:80,10.1.1.2:80,10.1.1.3:80 + 2 more...");
        assert_eq!(endpoints(&json!({"metadata": {"name": "web"}}), Utc::now())[1], "<none>");
        let empty = json!({"metadata": {"name": "web-1"}, "addressType": "IPv4", "endpoints": []});
        assert_eq!(
            slice(&empty, Utc::now())[..4],
            [json!("web-1"), json!("IPv4"), json!("<unset>"), json!("<unset>")]
        );
    }
}
