//! Probes of a run: pings and traces, natively or by the sender's own programs, shared by the checks that want the same.
//!
//! What lives here: who sends, by which way, and what came back. What does not: judging it (`checks`), when to probe
//! again (`attempt`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabric_harness::fabric::Fabric;
use fabric_harness::node::{Command, NodeRef, Output};
use fabric_harness::probe::{Ping, PingReport, Protocol, Trace, TraceReport, ping, text, traceroute};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams};
use tokio::io::AsyncReadExt;

use super::atlas::Atlas;
use crate::expect::{Place, Prober, Resolver, Symbol};

/// A probe that a check wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wanted {
    from: Symbol,
    to: Symbol,
    prober: Prober,
    what: What,
    round: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    Ping { count: u16, silent: bool },
    Trace,
}

impl Wanted {
    /// `count` requests; `silent` when no answer is expected. `round`: how often the check has looked.
    pub(super) fn ping(
        from: &Symbol,
        to: &Symbol,
        prober: Prober,
        count: u32,
        silent: bool,
        round: u32,
    ) -> Self {
        let count = u16::try_from(count).unwrap_or(u16::MAX);
        Self { from: from.clone(), to: to.clone(), prober, what: What::Ping { count, silent }, round }
    }

    /// One trace.
    pub(super) fn trace(from: &Symbol, to: &Symbol, prober: Prober, round: u32) -> Self {
        Self { from: from.clone(), to: to.clone(), prober, what: What::Trace, round }
    }
}

#[derive(Debug, Clone)]
enum Seen {
    Ping(Arc<PingReport>),
    Trace(Arc<TraceReport>),
}

type Probe = Shared<BoxFuture<'static, Result<Seen, String>>>;

/// All probes of a phase.
#[derive(Debug)]
pub(super) struct Probes {
    fabric: Arc<Fabric>,
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
    pub(super) fn new(fabric: Arc<Fabric>) -> Arc<Self> {
        Arc::new(Self { fabric, running: Mutex::default(), slowest: Mutex::default() })
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
            Seen::Trace(_) => Err("a trace is no ping".into()),
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
            Seen::Ping(_) => Err("a ping is no trace".into()),
        }
    }

    async fn probe(self: &Arc<Self>, atlas: &Arc<Atlas>, wanted: Wanted) -> Result<Seen, String> {
        // What cannot be sent yet is not kept: the next check may know more.
        let to = target_of(atlas, &wanted.to)?;
        let from = sender_of(atlas, &wanted.from)?;
        let probe = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let (probes, key) = (Arc::clone(self), wanted.clone());
            let begin = || async move { probes.send(&key, &from, to).await }.boxed().shared();
            running.entry(wanted).or_insert_with(begin).clone()
        };
        probe.await
    }

    async fn send(&self, wanted: &Wanted, from: &str, to: IpAddr) -> Result<Seen, String> {
        let node = self.fabric.node(from).await.map_err(|error| error.to_string())?;
        match (&wanted.what, wanted.prober) {
            (What::Ping { count, silent }, Prober::Native) => {
                let timeout = if *silent { self.proof_of_silence() } else { UNKNOWN };
                let probe =
                    Ping { count: *count, interval: Duration::from_millis(5), timeout, ..Ping::new(to) };
                let report = ping(node.as_ref(), &probe).await.map_err(|error| error.to_string())?;
                self.remember(&report);
                Ok(Seen::Ping(Arc::new(report)))
            }
            (What::Ping { count, .. }, Prober::Own) => {
                // Quick where the program and its user may; every ping knows the second form.
                let quick = format!("ping -n -c {count} -i 0.01 -W 1 {to}");
                let output = self.run(&node, &wanted.from, &quick).await?;
                let report = match text::ping(&output.text()) {
                    Ok(report) => report,
                    Err(_) => {
                        let plain = format!("ping -n -c {count} -W 1 {to}");
                        let output = self.run(&node, &wanted.from, &plain).await?;
                        text::ping(&output.text())
                            .map_err(|error| format!("`{plain}` in {}: {error}", wanted.from))?
                    }
                };
                Ok(Seen::Ping(Arc::new(report)))
            }
            (What::Trace, Prober::Native) => {
                let report =
                    traceroute(node.as_ref(), &Trace::new(to)).await.map_err(|error| error.to_string())?;
                Ok(Seen::Trace(Arc::new(report)))
            }
            (What::Trace, Prober::Own) => {
                let line = format!("traceroute -n -q 1 -w 1 {to}");
                let output = self.run(&node, &wanted.from, &line).await?;
                let report = text::traceroute(&output.text(), Protocol::Udp);
                let report = report.map_err(|error| format!("`{line}` in {}: {error}", wanted.from))?;
                Ok(Seen::Trace(Arc::new(report)))
            }
        }
    }

    fn remember(&self, report: &PingReport) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        *slowest = report.replies.iter().filter_map(|reply| reply.rtt).chain(*slowest).max();
    }

    fn proof_of_silence(&self) -> Duration {
        let slowest = *self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        slowest.map_or(UNKNOWN, |rtt| (rtt * PATIENCE).clamp(SHORTEST, UNKNOWN))
    }

    /// Runs a program where `from` is: in a pod through the API, as `kubectl exec` does.
    async fn run(&self, node: &NodeRef, from: &Symbol, line: &str) -> Result<Output, String> {
        let argv: Vec<&str> = line.split(' ').collect();
        let Symbol::Pod(pod) = from else {
            return node.exec(&Command::new(argv)).await.map_err(|error| error.to_string());
        };
        let client = self.fabric.client().await.map_err(|error| error.to_string())?;
        let api: Api<Pod> = Api::namespaced(client, &pod.namespace);
        exec(&api, &pod.name, &argv).await.map_err(|error| format!("`{line}` in {from}: {error}"))
    }
}

/// Name of the node whose namespace `from` names.
fn sender_of(atlas: &Atlas, from: &Symbol) -> Result<String, String> {
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

fn target_of(atlas: &Atlas, to: &Symbol) -> Result<IpAddr, String> {
    let all = atlas.addresses(to).map_err(|error| error.to_string())?;
    all.first().map(|named| named.value).ok_or_else(|| format!("`{to}` has no address"))
}
