//! A container in the engine's words.
//!
//! What lives here: from a spec to what the engine is asked for, a pure function. What does not: asking it (`container`).
//!
//! A container is made as containerlab makes it, with two differences. It is not privileged, unless the lab says so: what a
//! router needs is a list of capabilities, and a `/proc/sys` that can be written; an engine that may not hand out every
//! privilege can run it. And it is not started again when it ends: its links would not be there.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigCgroupnsModeEnum, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};

use super::container::{ContainerSpec, Joins};
use crate::lab::ContainerOptions;
use crate::lab::topology::{CgroupNamespace, Healthcheck, PublishedPort, RestartPolicy as Policy};

/// What a container does that runs a router or a node beside what every container may.
const CAPABILITIES: [&str; 8] =
    ["NET_ADMIN", "NET_RAW", "NET_BROADCAST", "SYS_ADMIN", "SYS_PTRACE", "SYS_NICE", "SYSLOG", "IPC_LOCK"];

/// The period in which processor time is counted out, in microseconds: the kernel's own and containerlab's.
const PERIOD: f64 = 100_000.0;

pub(super) fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let options = &spec.options;
    let own_network = !matches!(spec.joins, Joins::Container(_) | Joins::Host);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: options.hostname.clone().or_else(|| spec.hostname.clone()).filter(|_| own_network),
        cmd: spec.cmd.clone(),
        entrypoint: spec.entrypoint.clone(),
        user: options.user.clone(),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(spec.labels.clone()),
        exposed_ports: own_network.then(|| options.ports.iter().map(inside).collect()),
        healthcheck: options.healthcheck.as_ref().map(health),
        // A shell that a lab gives as a command stays up as long as it has a terminal.
        tty: Some(true),
        open_stdin: Some(true),
        networking_config: endpoints(spec),
        host_config: Some(host_config(spec, own_network)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec, own_network: bool) -> HostConfig {
    let options = &spec.options;
    let capabilities =
        CAPABILITIES.iter().map(|name| (*name).to_owned()).chain(options.cap_add.iter().cloned());
    let open = ["seccomp=unconfined", "apparmor=unconfined"].map(str::to_owned);
    // Who joins another's network has the other's names, too: the engine refuses to be told of any.
    let dns = options.dns.as_ref().filter(|_| !matches!(spec.joins, Joins::Container(_)));
    HostConfig {
        network_mode: Some(network_mode(&spec.joins)),
        binds: Some(spec.binds.clone()),
        sysctls: own_network.then(|| spec.sysctls.clone().into_iter().collect()),
        cap_add: Some(capabilities.collect()),
        privileged: options.privileged,
        devices: Some(options.devices.iter().map(|device| mapping(device)).collect()),
        memory: options.memory,
        cpu_period: options.cpu.map(|_| PERIOD as i64),
        cpu_quota: options.cpu.map(|cpu| (cpu * PERIOD) as i64),
        cpuset_cpus: options.cpu_set.clone(),
        shm_size: options.shm_size,
        tmpfs: Some(options.tmpfs.clone().into_iter().collect()),
        cgroupns_mode: options.cgroupns_mode.map(cgroupns),
        pid_mode: options.pid_mode.clone(),
        dns: dns.map(|dns| dns.servers.iter().map(IpAddr::to_string).collect()),
        dns_search: dns.map(|dns| dns.search.clone()),
        dns_options: dns.map(|dns| dns.options.clone()),
        restart_policy: options.restart_policy.map(restart),
        auto_remove: options.auto_remove,
        // Every path of /proc can be written: a lab's lines set kernel parameters, as they can with containerlab.
        masked_paths: Some(Vec::new()),
        readonly_paths: Some(Vec::new()),
        security_opt: Some(open.into_iter().chain(options.security_opts.iter().cloned()).collect()),
        port_bindings: own_network.then(|| bindings(options)),
        ..HostConfig::default()
    }
}

fn network_mode(joins: &Joins) -> String {
    match joins {
        Joins::None => "none".to_owned(),
        Joins::Host => "host".to_owned(),
        Joins::Container(other) => format!("container:{other}"),
        Joins::Network { name, .. } => name.clone(),
    }
}

fn endpoints(spec: &ContainerSpec) -> Option<NetworkingConfig> {
    let Joins::Network { name, ipv4, ipv6 } = &spec.joins else { return None };
    let text = |ip: &Option<IpAddr>| ip.map(|ip| ip.to_string());
    let at = EndpointIpamConfig { ipv4_address: text(ipv4), ipv6_address: text(ipv6), link_local_ips: None };
    let aliases = Some(spec.options.aliases.clone()).filter(|aliases| !aliases.is_empty());
    let endpoint = EndpointSettings { ipam_config: Some(at), aliases, ..EndpointSettings::default() };
    Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(name.clone(), endpoint)])) })
}

fn inside(port: &PublishedPort) -> String {
    format!("{}/{}", port.inside, port.protocol)
}

fn bindings(options: &ContainerOptions) -> HashMap<String, Option<Vec<PortBinding>>> {
    let mut all: HashMap<String, Option<Vec<PortBinding>>> = HashMap::new();
    for port in &options.ports {
        let outside = port.outside.map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        let binding = PortBinding {
            host_ip: port.ip.map(|ip| ip.to_string()),
            host_port: Some(outside.unwrap_or_default()),
        };
        all.entry(inside(port)).or_default().get_or_insert_with(Vec::new).push(binding);
    }
    all
}

/// `/dev/a[:/dev/b[:rwm]]`, or `/dev/a:rwm`.
fn mapping(device: &str) -> DeviceMapping {
    let mut parts: Vec<&str> = device.split(':').collect();
    let rights = if parts.len() > 1 { parts.pop_if(|last| !last.starts_with('/')) } else { None };
    let on_host = parts.first().map(|path| (*path).to_owned());
    DeviceMapping {
        path_in_container: parts.get(1).map(|path| (*path).to_owned()).or_else(|| on_host.clone()),
        path_on_host: on_host,
        cgroup_permissions: Some(rights.unwrap_or("rwm").to_owned()),
    }
}

fn cgroupns(mode: CgroupNamespace) -> HostConfigCgroupnsModeEnum {
    match mode {
        CgroupNamespace::Host => HostConfigCgroupnsModeEnum::HOST,
        CgroupNamespace::Private => HostConfigCgroupnsModeEnum::PRIVATE,
    }
}

fn restart(policy: Policy) -> RestartPolicy {
    let name = match policy {
        Policy::No => RestartPolicyNameEnum::NO,
        Policy::OnFailure => RestartPolicyNameEnum::ON_FAILURE,
        Policy::Always => RestartPolicyNameEnum::ALWAYS,
        Policy::UnlessStopped => RestartPolicyNameEnum::UNLESS_STOPPED,
    };
    RestartPolicy { name: Some(name), maximum_retry_count: None }
}

/// The engine counts in nanoseconds.
fn health(check: &Healthcheck) -> HealthConfig {
    let nanoseconds = |time: Option<Duration>| time.and_then(|time| i64::try_from(time.as_nanos()).ok());
    HealthConfig {
        test: Some(check.test.clone()),
        interval: nanoseconds(check.interval),
        timeout: nanoseconds(check.timeout),
        retries: check.retries.map(i64::from),
        start_period: nanoseconds(check.start_period),
        ..HealthConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/dev/net/tun", ["/dev/net/tun", "/dev/net/tun", "rwm"])]
    #[case("/dev/a:/dev/b", ["/dev/a", "/dev/b", "rwm"])]
    #[case("/dev/a:/dev/b:r", ["/dev/a", "/dev/b", "r"])]
    #[case("/dev/a:rw", ["/dev/a", "/dev/a", "rw"])]
    fn devices(#[case] text: &str, #[case] expected: [&str; 3]) {
        let said = mapping(text);
        let said = [said.path_on_host, said.path_in_container, said.cgroup_permissions];
        assert_eq!(said.map(Option::unwrap_or_default), expected);
    }

    /// Without a network of its own a container has no ports, no host name and no resolver of its own.
    #[test]
    fn who_joins_another_is_told_nothing_of_networks() {
        let options = ContainerOptions {
            hostname: Some("h".to_owned()),
            dns: Some(crate::lab::topology::Dns::default()),
            cpu: Some(1.5),
            ..ContainerOptions::default()
        };
        let of = |joins| body(&ContainerSpec { joins, options: options.clone(), ..ContainerSpec::default() });
        let joined = of(Joins::Container("other".to_owned()));
        let host = joined.host_config.expect("a host's part");
        assert_eq!((joined.hostname, host.dns, host.port_bindings, host.sysctls), (None, None, None, None));
        assert_eq!(host.network_mode.as_deref(), Some("container:other"));
        assert_eq!((host.cpu_quota, host.cpu_period), (Some(150_000), Some(100_000)));
        let own = of(Joins::None);
        assert_eq!(own.hostname.as_deref(), Some("h"));
        assert!(own.host_config.expect("a host's part").dns.is_some());
    }
}
