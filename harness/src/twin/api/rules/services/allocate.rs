//! Addresses and node ports of Services.
//!
//! What lives here: which are taken, which one is next. What does not: load balancer addresses, which a controller gives.
//!
//! What is taken is read off the Services that are there: nothing has to be kept in step, and a Service that is gone has
//! given everything back.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{MutexGuard, PoisonError};

use ipnet::IpNet;
use serde_json::{Value, json};

use super::super::{Rules, refuse};
use crate::twin::api::registry::Resource;
use crate::twin::api::{ApiError, Cause};
use crate::twin::range::Range;
use crate::twin::store::Collection;

/// The ports a server hands out on nodes.
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;
/// kind's service subnet, for a cluster that has no ServiceCIDR.
const SUBNET: &str = "10.96.0.0/16";

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// What other Services have.
#[derive(Default)]
struct Taken {
    addresses: BTreeSet<IpAddr>,
    ports: BTreeSet<(String, i64)>,
    checks: BTreeSet<i64>,
}

impl Rules {
    /// Held from looking for a free address until the Service that has it is in the store.
    pub(in crate::twin::api::rules) fn one_service_at_a_time(
        &self,
        resource: &Resource,
    ) -> Option<MutexGuard<'_, ()>> {
        let services = resource.is("", "services");
        services.then(|| self.services.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a Service the addresses and node ports it must have and does not.
    ///
    /// # Errors
    /// 422 when it asks for one that is not there to be had; 500 when none is left.
    pub(in crate::twin::api::rules) fn allocate(
        &self,
        resource: &Resource,
        value: &mut Value,
    ) -> Result<(), ApiError> {
        if !resource.is("", "services") || value["spec"]["type"] == "ExternalName" {
            return Ok(());
        }
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let taken = self.taken(&namespace, &name);
        let subnets = self.subnets();
        let mut causes = Vec::new();
        let spec = &mut value["spec"];
        families(spec, &subnets, &mut causes);
        if causes.is_empty() && spec["clusterIP"] != "None" {
            addresses(spec, &subnets, &taken, &(&namespace, &name), &mut causes)?;
        }
        node_ports(spec, taken, &mut causes)?;
        refuse(resource, &name, causes)
    }

    /// The cluster's service subnets, the one of its first family first.
    fn subnets(&self) -> Vec<IpNet> {
        let key = Collection::new("networking.k8s.io", "servicecidrs").key("", "kubernetes");
        let written = self.store.get(&key).map(|object| object.value["spec"]["cidrs"].clone());
        let read = |text: &str| text.parse::<IpNet>().ok();
        let subnets: Vec<IpNet> =
            list(&written.unwrap_or_default()).iter().filter_map(Value::as_str).filter_map(read).collect();
        if subnets.is_empty() { read(SUBNET).into_iter().collect() } else { subnets }
    }

    fn taken(&self, namespace: &str, name: &str) -> Taken {
        let mut taken = Taken::default();
        for other in self.store.list(&Collection::new("", "services"), None, None).objects {
            if other.meta("namespace") == namespace && other.meta("name") == name {
                continue;
            }
            let spec = &other.value["spec"];
            let ips = list(&spec["clusterIPs"]).iter().filter_map(Value::as_str);
            taken.addresses.extend(ips.filter_map(|ip| ip.parse::<IpAddr>().ok()));
            for port in list(&spec["ports"]) {
                if let Some(number) = port["nodePort"].as_i64() {
                    taken.ports.insert((protocol(port), number));
                }
            }
            taken.checks.extend(spec["healthCheckNodePort"].as_i64());
        }
        taken
    }
}

fn protocol(port: &Value) -> String {
    port["protocol"].as_str().unwrap_or("TCP").to_owned()
}

/// Which families a Service has: what it asks for, as far as the cluster goes.
fn families(spec: &mut Value, subnets: &[IpNet], causes: &mut Vec<Cause>) {
    let known: Vec<&str> = subnets.iter().map(|subnet| family(subnet.addr())).collect();
    let words = |value: &Value| -> Vec<String> {
        list(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let bare = spec["selector"].as_object().is_none_or(serde_json::Map::is_empty);
    let anything = spec["clusterIP"] == "None" && bare;
    let mut wanted = words(&spec["ipFamilies"]);
    let asked = {
        let mut all = words(&spec["clusterIPs"]);
        if all.is_empty() {
            all.extend(spec["clusterIP"].as_str().map(str::to_owned));
        }
        all.iter().filter_map(|ip| ip.parse::<IpAddr>().ok()).collect::<Vec<_>>()
    };
    if wanted.is_empty() {
        wanted = asked.iter().map(|ip| family(*ip).to_owned()).collect();
    }
    let policy = match spec["ipFamilyPolicy"].as_str() {
        Some(policy) => policy.to_owned(),
        None if anything => "RequireDualStack".into(),
        None if wanted.len() > 1 => {
            let why =
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified";
            causes.push(Cause::invalid("spec.ipFamilyPolicy", &json!("SingleStack"), why));
            return;
        }
        None => "SingleStack".into(),
    };
    if policy == "RequireDualStack" && known.len() < 2 && !anything {
        let why = "this cluster is not configured for dual-stack services";
        causes.push(Cause::invalid("spec.ipFamilyPolicy", &json!(policy), why));
        return;
    }
    for (at, family) in wanted.iter().enumerate() {
        if !known.contains(&family.as_str()) && !anything {
            let why = "not configured on this cluster";
            causes.push(Cause::invalid(format!("spec.ipFamilies[{at}]"), &json!(family), why));
        }
    }
    let first = known.first().copied().unwrap_or("IPv4");
    if wanted.is_empty() {
        wanted.push(first.to_owned());
    }
    match policy.as_str() {
        "SingleStack" => wanted.truncate(1),
        _ => {
            let both: &[&str] = if anything { &["IPv4", "IPv6"] } else { &known };
            let more: Vec<String> =
                both.iter().filter(|f| !wanted.iter().any(|w| w == *f)).map(ToString::to_string).collect();
            wanted.extend(more);
        }
    }
    for (at, ip) in asked.iter().enumerate().take(wanted.len()) {
        if family(*ip) != wanted[at] {
            let why = format!("expected an {} value as indicated by `ipFamilies[{at}]`", wanted[at]);
            causes.push(Cause::invalid(format!("spec.clusterIPs[{at}]"), &json!(ip), &why));
        }
    }
    spec["ipFamilies"] = json!(wanted);
    spec["ipFamilyPolicy"] = json!(policy);
    if spec["clusterIP"] == "None" {
        spec["clusterIPs"] = json!(["None"]);
    }
}

fn addresses(
    spec: &mut Value,
    subnets: &[IpNet],
    taken: &Taken,
    owner: &impl Hash,
    causes: &mut Vec<Cause>,
) -> Result<(), ApiError> {
    let mut given: Vec<String> =
        list(&spec["clusterIPs"]).iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if given.is_empty() {
        given.extend(spec["clusterIP"].as_str().filter(|ip| !ip.is_empty()).map(str::to_owned));
    }
    let wanted = list(&spec["ipFamilies"]).to_vec();
    let mut all = Vec::new();
    for (at, wanted) in wanted.iter().enumerate() {
        let Some(subnet) = subnets.iter().find(|subnet| family(subnet.addr()) == wanted) else { continue };
        let range = Range::of(*subnet);
        let asked = given.get(at).and_then(|text| text.parse::<IpAddr>().ok());
        let Some(ip) = asked else {
            let Some(ip) = next(range, taken, owner) else {
                let why = format!("failed to allocate a serviceIP: range is full ({subnet})");
                return Err(ApiError::internal(why));
            };
            all.push(ip);
            continue;
        };
        // The first address of a subnet and the last of an IPv4 one are nobody's.
        let back = u128::from(!range.is_ipv6());
        let why = if !range.without(1, back).is_some_and(|range| range.contains(ip)) {
            let words = "is not in the valid range. The range of valid IPs is";
            format!("failed to allocate IP {ip}: the provided IP ({ip}) {words} {subnet}")
        } else if taken.addresses.contains(&ip) {
            format!("failed to allocate IP {ip}: provided IP is already allocated")
        } else {
            all.push(ip);
            continue;
        };
        causes.push(Cause::invalid("spec.clusterIPs", &json!(given), &why));
        return Ok(());
    }
    spec["clusterIP"] = json!(all.first());
    spec["clusterIPs"] = json!(all);
    Ok(())
}

/// A free address, the same for the same Service as far as others let it. The lower part of a subnet is used last, as a
/// real server does: it is where people pick addresses by hand (KEP-3070).
fn next(range: Range, taken: &Taken, owner: &impl Hash) -> Option<IpAddr> {
    let usable = range.without(1, u128::from(!range.is_ipv6()))?;
    let band = (usable.size() / 16).clamp(16, 256).min(usable.size().saturating_sub(1));
    let mut hasher = DefaultHasher::new();
    owner.hash(&mut hasher);
    let taken = |ip| taken.addresses.contains(&ip);
    let start = u128::from(hasher.finish());
    usable.without(band, 0).and_then(|upper| upper.free(start, taken)).or_else(|| usable.free(0, taken))
}

fn node_ports(spec: &mut Value, mut taken: Taken, causes: &mut Vec<Cause>) -> Result<(), ApiError> {
    let wanted = spec["type"] == "NodePort"
        || (spec["type"] == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] != false);
    let local = spec["externalTrafficPolicy"] == "Local";
    let full = || ApiError::internal("failed to allocate a nodePort: range is full");
    for (at, port) in spec["ports"].as_array_mut().into_iter().flatten().enumerate() {
        let protocol = protocol(port);
        let asked = port["nodePort"].as_i64().filter(|number| *number != 0);
        let number = match asked {
            None if !wanted => continue,
            None => {
                let free = |number: &i64| {
                    let both = ["TCP", "UDP", "SCTP"];
                    !taken.checks.contains(number)
                        && !both.iter().any(|p| taken.ports.contains(&((*p).to_owned(), *number)))
                };
                NODE_PORTS.into_iter().find(free).ok_or_else(full)?
            }
            Some(number) => {
                let why = if !NODE_PORTS.contains(&number) {
                    "provided port is not in the valid range. The range of valid ports is 30000-32767"
                } else if taken.ports.contains(&(protocol.clone(), number)) {
                    "provided port is already allocated"
                } else {
                    ""
                };
                if !why.is_empty() {
                    causes.push(Cause::invalid(format!("spec.ports[{at}].nodePort"), &json!(number), why));
                }
                number
            }
        };
        taken.ports.insert((protocol, number));
        port["nodePort"] = json!(number);
    }
    if spec["type"] == "LoadBalancer" && local && spec["healthCheckNodePort"].as_i64().unwrap_or(0) == 0 {
        let free = |number: &i64| {
            !taken.checks.contains(number) && !taken.ports.iter().any(|(_, port)| port == number)
        };
        spec["healthCheckNodePort"] = json!(NODE_PORTS.into_iter().find(free).ok_or_else(full)?);
    }
    Ok(())
}
