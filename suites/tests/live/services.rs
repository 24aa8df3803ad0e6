//! Services on a fabric that is up: addresses given, answered, and taken back.

use std::io::Write;
use std::process::Command;

use super::support::{Done, Ground, SOON, article, until};

/// A version with pools of load balancer addresses.
const LAB: &str = "topology: topo.yaml\ncluster: cluster.yaml\ncilium: { version: 1.18.0 }\nphases:\n  - { name: cluster, up: cluster }\n  \
    - { name: underlay, up: underlay }\n  - { name: cni, up: cni }\n";

/// A pod that says its name to whoever connects, with what every Debian has.
fn pod(name: &str, rack: &str) -> String {
    let serve = "use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1); while ($c = \
        $s->accept) { print $c \"$ENV{NAME}\\n\"; close $c }";
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: web}}}}\nspec:\n  nodeSelector: {{rack: {rack}}}\n  \
         containers:\n  - name: web\n    image: web:1\n    command: [perl, -e, '{serve}']\n    env: [{{name: NAME, valueFrom: \
         {{fieldRef: {{fieldPath: metadata.name}}}}}}]\n    ports: [{{name: http, containerPort: 8080}}]\n---\n"
    )
}

const SERVICES: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  type: LoadBalancer\n  selector: {app: web}\n  \
    ports: [{port: 80, targetPort: http}]\n---\napiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: blue}\n\
    spec: {blocks: [{start: 203.0.113.7, stop: 203.0.113.9}]}\n";

#[test]
fn a_load_balancer_is_reached_from_the_routers_until_it_is_deleted() {
    let name = "a_load_balancer_is_reached_from_the_routers_until_it_is_deleted";
    let Some(ground) = Ground::new(name) else { return };
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED {name}: kubectl is not installed");
        return;
    }
    let lab = ground.path("lab");
    std::fs::create_dir_all(&lab).unwrap();
    for file in ["topo.yaml", "cluster.yaml"] {
        std::fs::copy(article().join(file), lab.join(file)).unwrap();
    }
    std::fs::write(lab.join("lab.yaml"), LAB).unwrap();
    std::fs::write(lab.join("web.yaml"), pod("web-1", "rack0") + SERVICES).unwrap();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "s"]).code(0);
    let kubeconfig = ground.run(&["status", "--name", "s", "--format", "json"]).json()["kubeconfig"].clone();
    let kubectl = |arguments: &str| -> Done {
        let mut command = ground.command("kubectl");
        command.env("KUBECONFIG", kubeconfig.as_str().unwrap()).env("HOME", ground.path("home"));
        ground
            .start({
                command.args(arguments.split(' '));
                command
            })
            .wait()
    };
    let web = lab.join("web.yaml");
    kubectl(&format!("apply -f {}", web.display())).code(0);
    kubectl("wait --for=condition=Ready pod/web-1 --timeout=30s").code(0);
    kubectl("wait --for=jsonpath={.status.loadBalancer.ingress[0].ip}=203.0.113.7 service/web --timeout=10s")
        .code(0);
    let cluster_ip = kubectl("get service web -o jsonpath={.spec.clusterIP}").code(0).out;
    let asks = |node: &str, ip: &str| -> Done {
        let ask = format!("exec 3<>/dev/tcp/{ip}/80 && timeout 3 cat <&3");
        ground.run(&["exec", "--name", "s", node, "--", "timeout", "3", "bash", "-c", &ask])
    };
    let answers = |node: &str, ip: &str| -> Result<(), String> {
        let done = asks(node, ip);
        if done.out.trim() == "web-1" { Ok(()) } else { Err(format!("{node}: {} {}", done.out, done.err)) }
    };

    // On its node, by both addresses; the kernel answers pings.
    until(SOON, || answers("worker", "203.0.113.7")).unwrap();
    until(SOON, || answers("worker", &cluster_ip)).unwrap();
    ground.exec("s", "worker", &["ping", "-c1", "-W1", "203.0.113.7"]).code(0);

    // From the other rack, through three routers, once somebody announces it.
    ground.exec("s", "tor0", &["ip", "route", "add", "203.0.113.7/32", "via", "10.0.2.2"]).code(0);
    let announce = [
        "vtysh",
        "-c",
        "conf t",
        "-c",
        "router bgp 65010",
        "-c",
        "address-family ipv4 unicast",
        "-c",
        "redistribute kernel",
    ];
    ground.exec("s", "tor0", &announce).code(0);
    until(SOON * 30, || answers("tor1", "203.0.113.7")).unwrap();
    ground.exec("s", "tor1", &["ping", "-c1", "-W1", "203.0.113.7"]).code(0);

    // A pod that goes takes its endpoint along, and then nothing listens.
    kubectl("delete pod web-1").code(0);
    let silent = || answers("tor1", "203.0.113.7").err().ok_or_else(|| "it still answers".to_owned());
    until(SOON, silent).unwrap();
    ground.exec("s", "tor1", &["ping", "-c1", "-W1", "203.0.113.7"]).code(0);

    // A Service that goes takes everything along.
    kubectl("delete service web").code(0);
    let addresses = |node: &str| ground.exec("s", node, &["ip", "-o", "addr", "show", "dev", "lo"]).out;
    let gone = || {
        let seen = addresses("worker");
        if seen.contains("203.0.113.7") { Err(seen) } else { Ok(()) }
    };
    until(SOON, gone).unwrap();
    assert!(!addresses("worker").contains(&cluster_ip));
    let slices = kubectl("get endpointslices -o name").code(0).out;
    assert!(!slices.contains("/web-"), "{slices}");
    ground.run(&["down", "--name", "s"]).code(0);
}

/// Two Services with one sharing key have one address, a third with the same port has another; TCP and UDP of one address
/// lead to their pods; and the chart's namespace of passwords is there when the chart is asked for it.
#[test]
fn services_share_an_address_by_key_and_udp_answers() {
    let name = "services_share_an_address_by_key_and_udp_answers";
    let Some(ground) = Ground::new(name) else { return };
    if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        let _ = writeln!(std::io::stderr(), "SKIPPED {name}: kubectl is not installed");
        return;
    }
    let lab = ground.path("lab");
    std::fs::create_dir_all(&lab).unwrap();
    for file in ["topo.yaml", "cluster.yaml"] {
        std::fs::copy(article().join(file), lab.join(file)).unwrap();
    }
    std::fs::write(
        lab.join("lab.yaml"),
        LAB.replace("version: 1.18.0", "version: 1.20.0, values: values.yaml"),
    )
    .unwrap();
    let values = "ipam: {mode: kubernetes}\nbgpControlPlane: {enabled: true, secretsNamespace: {create: true, name: bgp-secrets}}\n";
    std::fs::write(lab.join("values.yaml"), values).unwrap();
    let echo = "use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 5300, Proto => q(udp)); while ($s->recv($m, 99)) \
        { $s->send(qq(udp $m)) }";
    let udp = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: echo, labels: {{app: echo}}}}\nspec:\n  nodeSelector: {{rack: rack0}}\n  \
         containers:\n  - {{name: echo, image: echo, command: [perl, -e, '{echo}']}}\n---\n"
    );
    let service = |name: &str, app: &str, port: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, annotations: {{lbipam.cilium.io/sharing-key: one}}}}\nspec: \
             {{type: LoadBalancer, selector: {{app: {app}}}, ports: [{port}]}}\n---\n"
        )
    };
    let pool = "apiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: blue}\nspec: {blocks: [{cidr: \
                203.0.113.0/28}]}\n---\n";
    let objects = [
        pool.to_owned(),
        pod("web-1", "rack0"),
        udp,
        service("a-web", "web", "{port: 80, targetPort: http}"),
        service("b-echo", "echo", "{port: 53, targetPort: 5300, protocol: UDP}"),
        service("c-web", "web", "{port: 80, targetPort: http}"),
    ];
    std::fs::write(lab.join("objects.yaml"), objects.concat()).unwrap();
    ground.run(&["up", lab.to_str().unwrap(), "--name", "s"]).code(0);
    let kubeconfig = ground.run(&["status", "--name", "s", "--format", "json"]).json()["kubeconfig"].clone();
    let kubectl = |arguments: &str| -> String {
        let mut command = ground.command("kubectl");
        command.env("KUBECONFIG", kubeconfig.as_str().unwrap()).env("HOME", ground.path("home"));
        command.args(arguments.split(' '));
        ground.start(command).wait().code(0).out
    };
    kubectl("get namespace bgp-secrets");
    kubectl(&format!("apply -f {}", lab.join("objects.yaml").display()));
    let address = |service: &str| {
        let shown = "-o jsonpath={.status.loadBalancer.ingress[0].ip}";
        let found = until(SOON * 5, || match kubectl(&format!("get service {service} {shown}")) {
            none if none.is_empty() => Err(format!("{service} has no address")),
            found => Ok(found),
        });
        found.unwrap()
    };
    let (first, second, third) = (address("a-web"), address("b-echo"), address("c-web"));
    assert_eq!(first, second);
    assert_ne!(first, third);
    kubectl("wait --for=condition=Ready pod/echo pod/web-1 --timeout=30s");
    let ask = format!(
        "use IO::Socket::INET; $s = IO::Socket::INET->new(PeerAddr => q({first}), PeerPort => 53, Proto => q(udp)); alarm 1; \
         $s->send(q(hello)); $s->recv($m, 99); print $m"
    );
    let answered = until(SOON * 10, || {
        let done = ground.run(&["exec", "--name", "s", "worker", "--", "perl", "-e", &ask]);
        if done.out.trim() == "udp hello" { Ok(()) } else { Err(format!("{} {}", done.out, done.err)) }
    });
    answered.unwrap();
    let tcp = format!("exec 3<>/dev/tcp/{first}/80 && timeout 3 cat <&3");
    let done = ground.run(&["exec", "--name", "s", "worker", "--", "timeout", "3", "bash", "-c", &tcp]);
    assert_eq!(done.out.trim(), "web-1", "{}", done.err);
    ground.run(&["down", "--name", "s"]).code(0);
}
