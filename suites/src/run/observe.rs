//! Looking at the fabric for one check: what to read, whom to ask, and what to wait for before asking again.
//!
//! What lives here: the way from a check's spec to the facts its judgement wants. What does not: judging (`checks`),
//! how often to look (`attempt`).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fabric_harness::fabric::Fabric;
use fabric_harness::node::{Command, NodeRef, Output};
use fabric_harness::probe::{Ping, PingReport, Protocol, Trace, TraceReport, ping, text, traceroute};
use fabric_harness::router::{Snapshot, Subscription};
use fabric_harness::runtime::keeper::ExecResult;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams};
use serde_json::Value as Json;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;

use super::atlas::Atlas;
use super::view::View;
use crate::checks::{
    AgreeOn, AgreeSpec, LineSeen, Outcome, Verdict, judge_fib, judge_interface, judge_lines, judge_nodes, judge_path, judge_pings_agree, judge_pod, judge_reach,
    judge_rib, judge_session, judge_traces_agree,
};
use crate::expect::{Place, Prober, Resolver, Symbol};
use crate::plan::{CheckSpec, PlannedCheck};

/// What all checks of a run share.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) fabric: Arc<Fabric>,
    pub(super) view: Arc<View>,
    pub(super) lines: Mutex<Vec<ExecResult>>,
}

/// How soon to look again where nothing tells of a change: a packet that would now arrive makes no event.
const PACKETS: Duration = Duration::from_millis(100);

/// One check's eye on the fabric.
pub(super) struct Eye<'a> {
    context: &'a Context,
    check: &'a PlannedCheck,
    atlas: watch::Receiver<Arc<Atlas>>,
    router: Option<Subscription>,
    fresh: Option<Arc<Snapshot>>,
}

impl<'a> Eye<'a> {
    /// Opens the eye; a router's observer begins to watch.
    pub(super) async fn open(context: &'a Context, check: &'a PlannedCheck) -> Self {
        let atlas = context.view.subscribe();
        let router = match &check.spec {
            CheckSpec::Session(spec) => Some(spec.router()),
            CheckSpec::Rib(spec) => Some(spec.router.as_str()),
            CheckSpec::Fib(spec) => Some(spec.router.as_str()),
            _ => None,
        };
        let router = match router {
            Some(router) => context.fabric.observer(router).await.ok().map(|observer| observer.subscribe()),
            None => None,
        };
        Self { context, check, atlas, router, fresh: None }
    }

    /// Looks once and judges.
    pub(super) async fn look(&mut self) -> Verdict {
        let atlas = Arc::clone(&self.atlas.borrow_and_update());
        if self.fresh.is_none()
            && let Some(router) = &mut self.router
        {
            self.fresh = Some(router.next().await);
        }
        let target = self.check.target.as_str();
        match &self.check.spec {
            CheckSpec::Lines(spec) => {
                let all = self.context.lines.lock().unwrap_or_else(PoisonError::into_inner);
                let seen: Vec<LineSeen> = all.iter().filter(|line| line.node == spec.node).map(line_seen).collect();
                judge_lines(spec, &seen)
            }
            CheckSpec::Interface(spec) => match atlas.interfaces.get(&spec.place) {
                Some(seen) => judge_interface(spec, &seen.links, &seen.addresses, atlas.as_ref()),
                None => blind(target, "its interfaces could not be read"),
            },
            CheckSpec::Nodes(spec) => match &atlas.nodes {
                Some(nodes) => judge_nodes(spec, nodes),
                None => blind(target, "the cluster's API has not answered"),
            },
            CheckSpec::Pod(spec) => match (&atlas.pods, &atlas.nodes) {
                (Some(_), Some(nodes)) => judge_pod(spec, atlas.pod(&spec.pod), nodes, atlas.as_ref()),
                _ => blind(target, "the cluster's API has not answered"),
            },
            CheckSpec::Session(spec) => self.table(|s| s.sessions.as_ref(), |all| judge_session(spec, all, atlas.as_ref())),
            CheckSpec::Rib(spec) => self.table(|s| s.rib.as_ref(), |rib| judge_rib(spec, rib, atlas.as_ref())),
            CheckSpec::Fib(spec) => self.table(|s| s.fib.as_ref(), |fib| judge_fib(spec, fib, atlas.as_ref())),
            CheckSpec::Reach(spec) => {
                let count = u16::try_from(spec.count).unwrap_or(u16::MAX);
                match self.pinged(&atlas, &spec.from, &spec.to, spec.prober, count).await {
                    Ok(report) => judge_reach(spec, &report),
                    Err(why) => blind(target, &why),
                }
            }
            CheckSpec::Path(spec) => match self.traced(&atlas, &spec.from, &spec.to, spec.prober).await {
                Ok(report) => judge_path(spec, &report, atlas.as_ref()),
                Err(why) => blind(target, &why),
            },
            CheckSpec::Agree(spec) => self.agree(&atlas, spec).await.unwrap_or_else(|why| blind(target, &why)),
        }
    }

    /// Both ways to probe, side by side.
    async fn agree(&self, atlas: &Atlas, spec: &AgreeSpec) -> Result<Verdict, String> {
        let (from, to) = (&spec.from, &spec.to);
        match spec.on {
            AgreeOn::Ping { count } => {
                let count = u16::try_from(count).unwrap_or(u16::MAX);
                let native = self.pinged(atlas, from, to, Prober::Native, count);
                let own = self.pinged(atlas, from, to, Prober::Own, count);
                let (native, own) = tokio::try_join!(native, own)?;
                Ok(judge_pings_agree(spec, &native, &own))
            }
            AgreeOn::Trace => {
                let native = self.traced(atlas, from, to, Prober::Native);
                let own = self.traced(atlas, from, to, Prober::Own);
                let (native, own) = tokio::try_join!(native, own)?;
                Ok(judge_traces_agree(spec, &native, &own, atlas))
            }
        }
    }

    fn table<T>(
        &self,
        part: impl Fn(&Snapshot) -> Result<&Arc<T>, &String>,
        judge: impl FnOnce(&T) -> Verdict,
    ) -> Verdict {
        let target = self.check.target.as_str();
        match self.fresh.as_deref().map(part) {
            Some(Ok(seen)) => judge(seen),
            Some(Err(why)) => blind(target, why),
            None => blind(target, "there is no such router in this fabric"),
        }
    }

    /// Waits until something has changed that the verdict depends on.
    pub(super) async fn change(&mut self) {
        let of_packets = matches!(self.check.spec, CheckSpec::Reach(_) | CheckSpec::Path(_) | CheckSpec::Agree(_));
        let Self { atlas, router, fresh, .. } = self;
        tokio::select! {
            // The view lives as long as the run: an error cannot come before the check has ended.
            _ = atlas.changed() => {}
            snapshot = next_of(router) => *fresh = Some(snapshot),
            () = tokio::time::sleep(PACKETS), if of_packets => {}
        }
    }

    async fn pinged(
        &self,
        atlas: &Atlas,
        from: &Symbol,
        to: &Symbol,
        prober: Prober,
        count: u16,
    ) -> Result<PingReport, String> {
        let to = target_of(atlas, to)?;
        match prober {
            Prober::Native => {
                let node = self.sender(atlas, from).await?;
                let probe = Ping { count, interval: Duration::from_millis(10), ..Ping::new(to) };
                ping(node.as_ref(), &probe).await.map_err(|error| error.to_string())
            }
            Prober::Own => {
                let line = format!("ping -n -c {count} -i 0.2 -W 1 {to}");
                let output = self.run(atlas, from, &line).await?;
                text::ping(&output.text()).map_err(|error| format!("`{line}` in {from}: {error}"))
            }
        }
    }

    async fn traced(&self, atlas: &Atlas, from: &Symbol, to: &Symbol, prober: Prober) -> Result<TraceReport, String> {
        let to = target_of(atlas, to)?;
        match prober {
            Prober::Native => {
                let node = self.sender(atlas, from).await?;
                traceroute(node.as_ref(), &Trace::new(to)).await.map_err(|error| error.to_string())
            }
            Prober::Own => {
                let line = format!("traceroute -n -q 1 -w 1 {to}");
                let output = self.run(atlas, from, &line).await?;
                text::traceroute(&output.text(), Protocol::Udp).map_err(|error| format!("`{line}` in {from}: {error}"))
            }
        }
    }

    /// The node whose namespace `from` names.
    async fn sender(&self, atlas: &Atlas, from: &Symbol) -> Result<NodeRef, String> {
        let name = match from {
            Symbol::Pod(pod) => {
                // The namespaces are there when the pod has an address.
                atlas.addresses(from).map_err(|error| error.to_string())?;
                format!("{}/{}", pod.namespace, pod.name)
            }
            Symbol::Node(whose) | Symbol::Interface { place: Place::NodeOf(whose), .. } => {
                atlas.cluster_node(from, whose).map_err(|error| error.to_string())?
            }
            Symbol::Interface { place: Place::Device(device), .. } => device.clone(),
            other => return Err(format!("nothing can be sent from `{other}`: write a pod, a node or an interface")),
        };
        self.context.fabric.node(&name).await.map_err(|error| error.to_string())
    }

    /// Runs a program where `from` is: in a pod through the API, as `kubectl exec` does.
    async fn run(&self, atlas: &Atlas, from: &Symbol, line: &str) -> Result<Output, String> {
        let argv: Vec<&str> = line.split(' ').collect();
        let Symbol::Pod(pod) = from else {
            let node = self.sender(atlas, from).await?;
            return node.exec(&Command::new(argv)).await.map_err(|error| error.to_string());
        };
        let client = self.context.fabric.client().await.map_err(|error| error.to_string())?;
        let api: Api<Pod> = Api::namespaced(client, &pod.namespace);
        exec(&api, &pod.name, &argv).await.map_err(|error| format!("`{line}` in {from}: {error}"))
    }
}

async fn next_of(router: &mut Option<Subscription>) -> Arc<Snapshot> {
    match router {
        Some(router) => router.next().await,
        None => std::future::pending().await,
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
    let causes = status.and_then(|status| status.details).and_then(|details| details.causes).unwrap_or_default();
    let code = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    output.code = code.and_then(|cause| cause.message.as_deref()?.parse().ok()).unwrap_or(0);
    Ok(output)
}

fn target_of(atlas: &Atlas, to: &Symbol) -> Result<IpAddr, String> {
    let all = atlas.addresses(to).map_err(|error| error.to_string())?;
    all.first().map(|named| named.value).ok_or_else(|| format!("`{to}` has no address"))
}

fn line_seen(line: &ExecResult) -> LineSeen {
    LineSeen { line: line.line.clone(), code: line.code, output: format!("{}{}", line.stdout, line.stderr) }
}

/// Nothing could be seen.
fn blind(subject: &str, why: &str) -> Verdict {
    Verdict {
        outcome: Outcome::NotYet,
        subject: subject.to_owned(),
        expected: "something to look at".into(),
        seen: why.to_owned(),
        difference: vec![why.to_owned()],
        detail: Json::Null,
    }
}
