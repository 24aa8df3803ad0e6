//! Probes of a run: pings, traces and connections, natively or by the sender's own programs, shared by the checks that want the same.
//!
//! What lives here: who sends, by which way, and what came back. What does not: judging it (`checks`), when to probe
//! again (`attempt`).

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabric_harness::fabric::Fabric;
use fabric_harness::node::{Command, NodeError, NodeRef, Output};
use fabric_harness::probe::{
    Connect, ConnectReport, Ping, PingReport, ProbeError, Protocol, Trace, TraceReport, connect,
    connect_by_program, ping, text, traceroute,
};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams};
use tokio::io::AsyncReadExt;

use super::atlas::Atlas;
use super::story::Story;
use crate::expect::{Place, Prober, Resolver, Symbol, WantedFamily};

/// Who sends to whom, in which family and by which way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct End {
    from: Symbol,
    to: Symbol,
    family: Option<WantedFamily>,
    prober: Prober,
}

impl End {
    pub(super) fn new(from: &Symbol, to: &Symbol, family: Option<WantedFamily>, prober: Prober) -> Self {
        Self { from: from.clone(), to: to.clone(), family, prober }
    }
}

/// A probe that a check wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    ends: End,
    what: What,
    round: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Ping { count: u16, silent: bool, size: Option<u16> },
    Trace { flow: u16 },
    Connect { port: u16, count: u16, silent: bool },
}

impl Wanted {
    /// `count` requests; `silent` when no answer is expected. `round`: how often the check has looked.
    pub(super) fn ping(ends: &End, count: u32, silent: bool, round: u32) -> Self {
        Self { ends: ends.clone(), what: What::Ping { count: small(count), silent, size: None }, round }
    }

    /// The same ping with packets of a size that may not be cut, headers included.
    pub(super) fn of_size(mut self, wanted: Option<u16>) -> Self {
        if let What::Ping { size, .. } = &mut self.what {
            *size = wanted;
        }
        self
    }

    /// One trace of one flow.
    pub(super) fn trace(ends: &End, flow: u16, round: u32) -> Self {
        Self { ends: ends.clone(), what: What::Trace { flow }, round }
    }

    /// `count` connections to a TCP port.
    pub(super) fn connect(ends: &End, port: u16, count: u32, silent: bool, round: u32) -> Self {
        Self { ends: ends.clone(), what: What::Connect { port, count: small(count), silent }, round }
    }
}

fn small(count: u32) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

#[derive(Debug, Clone)]
enum Seen {
    Ping(Arc<PingReport>),
    Trace(Arc<TraceReport>),
    Connect(Arc<ConnectReport>),
}

impl Seen {
    /// Whether a packet arrived where it was to, and an answer came back.
    fn answered(&self) -> bool {
        match self {
            Self::Ping(report) => report.received > 0,
            Self::Trace(report) => report.reached,
            Self::Connect(report) => report.connected > 0,
        }
    }
}

type Probe = Shared<BoxFuture<'static, Result<Seen, String>>>;

/// All probes of a phase.
#[derive(Debug)]
pub(super) struct Probes {
    fabric: Arc<Fabric>,
    story: Arc<Story>,
    running: Mutex<HashMap<Wanted, Probe>>,
    /// The longest round trip seen in this run: what an answer takes that does come.
    slowest: Mutex<Option<Duration>>,
}

/// How long an answer may take where nothing is known of round trips.
const UNKNOWN: Duration = Duration::from_secs(1);
/// The shortest wait that proves silence.
const SHORTEST: Duration = Duration::from_millis(50);
/// An answer that takes this many times the longest round trip seen does not come.
const PATIENCE: u32 = 20;

impl Probes {
    pub(super) fn new(fabric: Arc<Fabric>, story: Arc<Story>) -> Arc<Self> {
        Arc::new(Self { fabric, story, running: Mutex::default(), slowest: Mutex::default() })
    }

    /// Forgets the probes of the phase before.
    pub(super) fn new_phase(&self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Pings, unless another check has just done so for the same reason.
    pub(super) async fn ping(
        self: &Arc<Self>,
        atlas: &Arc<Atlas>,
        wanted: Wanted,
    ) -> Result<Arc<PingReport>, String> {
        match self.probe(atlas, wanted).await? {
            Seen::Ping(report) => Ok(report),
            _ => Err("another probe than a ping".into()),
        }
    }

    /// Traces, unless another check has just done so for the same reason.
    pub(super) async fn trace(
        self: &Arc<Self>,
        atlas: &Arc<Atlas>,
        wanted: Wanted,
    ) -> Result<Arc<TraceReport>, String> {
        match self.probe(atlas, wanted).await? {
            Seen::Trace(report) => Ok(report),
            _ => Err("another probe than a trace".into()),
        }
    }

    /// Connects, unless another check has just done so for the same reason.
    pub(super) async fn connect(
        self: &Arc<Self>,
        atlas: &Arc<Atlas>,
        wanted: Wanted,
    ) -> Result<Arc<ConnectReport>, String> {
        match self.probe(atlas, wanted).await? {
            Seen::Connect(report) => Ok(report),
            _ => Err("another probe than a connection".into()),
        }
    }

    async fn probe(self: &Arc<Self>, atlas: &Arc<Atlas>, wanted: Wanted) -> Result<Seen, String> {
        // What cannot be sent yet is not kept: the next check may know more.
        let to = target_of(atlas, &wanted.ends.to, wanted.ends.family)?;
        let from = sender_of(atlas, &wanted.ends.from)?;
        let probe = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let (probes, key, atlas) = (Arc::clone(self), wanted.clone(), Arc::clone(atlas));
            let begin = || {
                async move {
                    let seen = probes.send(&key, &from, to).await;
                    if let Ok(seen) = &seen {
                        let to = atlas.owner(to).unwrap_or_else(|| to.to_string());
                        probes.story.probed(&from, &to, seen.answered());
                    }
                    seen
                }
                .boxed()
                .shared()
            };
            running.entry(wanted).or_insert_with(begin).clone()
        };
        probe.await
    }

    async fn send(&self, wanted: &Wanted, from: &str, to: IpAddr) -> Result<Seen, String> {
        let node = self.fabric.node(from).await.map_err(|error| error.to_string())?;
        if wanted.ends.prober == Prober::Own && !matches!(wanted.what, What::Connect { .. }) {
            return self.by_program(wanted, &node, to).await;
        }
        match self.by_socket(wanted, &node, to).await {
            Ok(seen) => Ok(seen),
            // A node that gives no sockets is asked by the programs it has.
            Err(ProbeError::Node(NodeError::Unsupported { .. })) => self.by_program(wanted, &node, to).await,
            Err(error) => Err(error.to_string()),
        }
    }

    async fn by_socket(&self, wanted: &Wanted, node: &NodeRef, to: IpAddr) -> Result<Seen, ProbeError> {
        match &wanted.what {
            What::Ping { count, silent, .. } => {
                let probe = Ping {
                    count: *count,
                    interval: Duration::from_millis(5),
                    timeout: self.patience(*silent),
                    ..Ping::new(to)
                };
                let report = ping(node.as_ref(), &probe).await?;
                self.remember(report.replies.iter().filter_map(|reply| reply.rtt));
                Ok(Seen::Ping(Arc::new(report)))
            }
            What::Trace { flow } => {
                let trace = Trace { flow: *flow, ..Trace::new(to) };
                Ok(Seen::Trace(Arc::new(traceroute(node.as_ref(), &trace).await?)))
            }
            What::Connect { port, count, silent } => {
                let to = SocketAddr::new(to, *port);
                let probe = Connect { to, count: *count, timeout: self.patience(*silent) };
                let report = connect(node.as_ref(), &probe).await?;
                self.remember(report.slowest.into_iter());
                Ok(Seen::Connect(Arc::new(report)))
            }
        }
    }

    async fn by_program(&self, wanted: &Wanted, node: &NodeRef, to: IpAddr) -> Result<Seen, String> {
        let sender = &wanted.ends.from;
        match &wanted.what {
            What::Ping { count, size: Some(size), .. } => {
                let line = uncut(to, *size, *count);
                let report = self.first_read(node, sender, &[line], text::ping).await?;
                Ok(Seen::Ping(Arc::new(report)))
            }
            What::Ping { count, .. } => {
                // Quick where the program and its user may; every ping knows the last form.
                let lines = [
                    format!("ping {} -n -c {count} -i 0.01 -W 1 {to}", six(to)),
                    format!("ping -n -c {count} -W 1 {to}"),
                ];
                let report = self.first_read(node, sender, &lines, text::ping).await?;
                Ok(Seen::Ping(Arc::new(report)))
            }
            What::Trace { .. } => {
                let lines = [
                    format!("traceroute {} -n -q 1 -w 1 {to}", six(to)),
                    format!("traceroute -n -q 1 -w 1 {to}"),
                ];
                let read = |said: &str| text::traceroute(said, Protocol::Udp);
                let report = self.first_read(node, sender, &lines, read).await?;
                Ok(Seen::Trace(Arc::new(report)))
            }
            What::Connect { port, count, .. } => {
                let report =
                    connect_by_program(node.as_ref(), SocketAddr::new(to, *port), *count, UNKNOWN).await;
                Ok(Seen::Connect(Arc::new(report.map_err(|error| error.to_string())?)))
            }
        }
    }

    /// Runs lines until the output of one can be read; the last one's error is told.
    async fn first_read<T>(
        &self,
        node: &NodeRef,
        from: &Symbol,
        lines: &[String],
        read: impl Fn(&str) -> Result<T, ProbeError>,
    ) -> Result<T, String> {
        let mut why = String::new();
        for line in lines {
            let output = self.run(node, from, line).await?;
            match read(&output.text()) {
                Ok(report) => return Ok(report),
                Err(error) => why = format!("`{line}` in {from}: {error}"),
            }
        }
        Err(why)
    }

    fn remember(&self, trips: impl Iterator<Item = Duration>) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        *slowest = trips.chain(*slowest).max();
    }

    /// How long an answer may take; where none is expected, how long proves that none comes.
    fn patience(&self, silent: bool) -> Duration {
        if !silent {
            return UNKNOWN;
        }
        let slowest = *self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        slowest.map_or(UNKNOWN, |rtt| (rtt * PATIENCE).clamp(SHORTEST, UNKNOWN))
    }

    /// Runs a program where `from` is: in a pod through the API, as `kubectl exec` does.
    async fn run(&self, node: &NodeRef, from: &Symbol, line: &str) -> Result<Output, String> {
        let argv: Vec<&str> = line.split_whitespace().collect();
        let Symbol::Pod(pod) = from else {
            return node.exec(&Command::new(argv)).await.map_err(|error| error.to_string());
        };
        let client = self.fabric.client().await.map_err(|error| error.to_string())?;
        let api: Api<Pod> = Api::namespaced(client, &pod.namespace);
        exec(&api, &pod.name, &argv).await.map_err(|error| format!("`{line}` in {from}: {error}"))
    }
}

/// Name of the node whose namespace `from` names.
pub(super) fn sender_of(atlas: &Atlas, from: &Symbol) -> Result<String, String> {
    match from {
        Symbol::Pod(pod) => {
            // The namespaces are there when the pod has an address.
            atlas.addresses(from).map_err(|error| error.to_string())?;
            Ok(format!("{}/{}", pod.namespace, pod.name))
        }
        Symbol::Node(whose) | Symbol::Interface { place: Place::NodeOf(whose), .. } => {
            atlas.cluster_node(from, whose).map_err(|error| error.to_string())
        }
        Symbol::Interface { place: Place::Device(device), .. } => Ok(device.clone()),
        Symbol::Interface { place: Place::TorOf(whose), .. } => {
            atlas.tor(from, whose).map_err(|error| error.to_string())
        }
        other => Err(format!("nothing can be sent from `{other}`: write a pod, a node or an interface")),
    }
}

/// Runs a program in a pod through the API.
async fn exec(api: &Api<Pod>, pod: &str, argv: &[&str]) -> Result<Output, kube::Error> {
    let parameters = AttachParams::default().stdin(false).stdout(true).stderr(true);
    let mut process = api.exec(pod, argv.iter().copied(), &parameters).await?;
    let (out, err, status) = (process.stdout(), process.stderr(), process.take_status());
    let mut output = Output::default();
    // All at once: a stream nobody reads stops the others.
    let read_out = async {
        if let Some(mut out) = out {
            let _ = out.read_to_end(&mut output.stdout).await;
        }
    };
    let read_err = async {
        if let Some(mut err) = err {
            let _ = err.read_to_end(&mut output.stderr).await;
        }
    };
    let end = async {
        match status {
            Some(status) => status.await,
            None => None,
        }
    };
    let ((), (), status) = tokio::join!(read_out, read_err, end);
    let causes =
        status.and_then(|status| status.details).and_then(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    output.code = code.and_then(|cause| cause.message.as_deref()?.parse().ok()).unwrap_or(0);
    Ok(output)
}

/// The address that `to` stands for: of the wanted family, else the first.
pub(super) fn target_of(atlas: &Atlas, to: &Symbol, family: Option<WantedFamily>) -> Result<IpAddr, String> {
    let all = match family {
        Some(family) => family.addresses(atlas, to),
        None => atlas.addresses(to),
    };
    let all = all.map_err(|error| error.to_string())?;
    // A link-local address says nothing of the way to it.
    let global = |address: IpAddr| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let chosen = all.iter().find(|named| global(named.value)).or(all.first());
    chosen.map(|named| named.value).ok_or_else(|| format!("`{to}` has no address"))
}

/// The line that sends packets of a size, headers of IP and ICMP included, which may not be cut on the way.
pub(super) fn uncut(to: IpAddr, size: u16, count: u16) -> String {
    let headers = if to.is_ipv6() { 48 } else { 28 };
    format!("ping {} -n -M do -s {} -c {count} -W 1 {to}", six(to), size.saturating_sub(headers))
}

/// The option by which `ping` and `traceroute` are told to speak IPv6.
fn six(to: IpAddr) -> &'static str {
    if to.is_ipv6() { "-6" } else { "" }
}
