//! One run from its lab to its record: what it needs, the fabric, the engine, the end.
//!
//! What lives here: the order of these, interruption included. What does not: reading the lab (`prepare`), bringing it up
//! to stay (`up`), phases and checks (`engine`), the test harness's part (`trials`).

use std::sync::Arc;

use fabric_harness::cilium::{Generation, promises};
use fabric_harness::fabric::{Fabric, FabricError, Gone};
use fabric_harness::lab::{Lab, Routing, Scope};
use fabric_harness::runtime::keeper::{Keeper, KeeperSpec, RuntimeSpec, states};
use fabric_harness::tools::Tool;
use fabric_reports::record::{Cluster, Environment, Kind, Outcome, Runtime, new_run_id};
use fabric_reports::recorder::{Run, Subject};
use fabric_reports::{Progress, Recorder};
use tokio::signal::unix::{SignalKind, signal};

use super::diagnose::{collected, report};
use super::engine::{self, Engine, Selection};
use super::heard;
use super::home::Furnished;
use super::prepare::Prepared;
use super::settings::{Begin, Finished, RunError, RunSettings};
use crate::plan::PlannedPhase;

/// The programs a lab's nodes need.
pub fn needs<E>(lab: &Lab<E>) -> Vec<Tool> {
    let mut needs =
        vec![Tool::Frr, Tool::Ping, Tool::Traceroute, Tool::Iproute, Tool::Iptables, Tool::Sysctl];
    if lab.cilium.as_ref().is_some_and(|cilium| cilium.values.speaks_bgp()) {
        needs.push(Tool::Gobgp);
    }
    if lab.topology.nodes.iter().any(|node| node.runs(Routing::Bird)) {
        needs.push(Tool::Bird);
    }
    needs
}

/// The generation of GoBGP that the lab's Cilium embeds.
pub(crate) fn speaker<E>(lab: &Lab<E>) -> Option<Generation> {
    let version = lab.cilium.as_ref()?.version.parse().ok()?;
    promises(&version).ok().map(|row| row.generation)
}

/// What a keeper is to be told of a lab.
pub fn keeper_spec<E>(
    lab: &Lab<E>,
    furnished: &Furnished,
    id: &str,
    ephemeral: bool,
) -> Result<KeeperSpec, FabricError> {
    let Furnished { runtime, outside, layers } = furnished;
    Ok(KeeperSpec {
        id: id.to_owned(),
        lab: lab.dir.clone(),
        topology: lab.topology.clone(),
        cluster: lab.cluster.clone(),
        cilium: lab.cilium.as_ref().map(|cilium| cilium.version.clone()),
        bgp: lab.cilium.as_ref().is_none_or(|cilium| cilium.values.speaks_bgp()),
        bgp_settings: lab.cilium.as_ref().map(|cilium| cilium.values.bgp_settings()).unwrap_or_default(),
        gobgp: layers.version(Tool::Gobgp).map(str::to_owned),
        runtime: runtime.clone(),
        outside: outside.clone(),
        layers: layers.dirs.clone(),
        phases: lab.phases.iter().map(|phase| phase.name.clone()).collect(),
        dir: Keeper::folder(id)?,
        ephemeral,
    })
}

/// The recorder of a run.
pub fn recorder(prepared: &Prepared, progress: Arc<dyn Progress>) -> Arc<Recorder> {
    let lab = fabric_reports::record::Lab {
        name: prepared.lab.name.clone(),
        dir: prepared.shown.display().to_string(),
        content: super::content::sum(&prepared.lab.dir),
        description: prepared.lab.description.clone().unwrap_or_default(),
        cilium: crate::upgrade::kept(&prepared.lab),
    };
    let run = Run { id: new_run_id(), tool_version: VERSION.to_owned(), lab, environment: environment() };
    let recorder = Recorder::new(run, progress);
    warn(prepared, &recorder, |scope| scope == Scope::Everywhere);
    recorder
}

/// Says what is to be said of a lab's files.
fn warn(prepared: &Prepared, recorder: &Recorder, says: impl Fn(Scope) -> bool) {
    for warning in prepared.lab.warnings.iter().filter(|warning| says(warning.scope)) {
        recorder.warning(warning.to_string());
    }
}

/// Says what of a lab's files is not honoured where its nodes live, which is known no sooner.
fn warn_of(prepared: &Prepared, recorder: &Recorder, runtime: &RuntimeSpec) {
    if *runtime == RuntimeSpec::Netns {
        warn(prepared, recorder, |scope| scope == Scope::Namespaces);
    }
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

fn environment() -> Environment {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let distro = read("/etc/os-release");
    let pretty = distro.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    Environment {
        env: Kind::Twin,
        runtime: Runtime::Netns,
        cluster: Cluster::Twin,
        rootless: !nix::unistd::geteuid().is_root(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        distro: pretty.unwrap_or("Linux").trim_matches('"').to_owned(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        notes: NOT_MODELLED.iter().map(|note| (*note).to_owned()).collect(),
        ..Environment::default()
    }
}

/// What the record calls the Cilium that the twin is.
pub(crate) const CILIUM: &str = "Cilium (modelled)";

/// What the twin does not model: a reader must know what a pass does not say.
pub const NOT_MODELLED: [&str; 3] = [
    "The twin models Cilium's BGP and addressing; packets are forwarded by the kernel's routing, not by Cilium's eBPF datapath.",
    "Network policy and load balancing of services are not modelled.",
    "The BGP speaker is a distribution's package of GoBGP, not the copy inside Cilium.",
];

/// Runs the wanted checks of a lab, to the end or to an interruption.
pub async fn run(
    prepared: Prepared,
    settings: RunSettings,
    selection: Selection,
    recorder: Arc<Recorder>,
) -> Finished {
    if selection.is_empty() {
        // Nobody waits for anything: no fabric is made.
        return report(&recorder, &settings, None, None).await;
    }
    if let Begin::Found(found) = settings.begin.clone() {
        return super::attach::run(prepared, found, settings, selection, recorder).await;
    }
    let interrupted = interruption(&recorder);
    tokio::pin!(interrupted);
    let asked_for = asked_for(&prepared.plan, &selection);
    // An interruption makes what runs fail, too: it is the cause, and it is told.
    let begun = tokio::select! {
        biased;
        () = &mut interrupted => None,
        begun = begin(&prepared, &settings, &recorder) => Some(begun),
    };
    let (fabric, captures) = match begun {
        Some(Ok((fabric, reached))) => {
            let captures = heard::listen(&fabric, &prepared);
            let cilium = prepared.lab.cilium.as_ref().map(|cilium| cilium.version.clone());
            let engine = Engine::new(
                Arc::clone(&fabric),
                prepared.plan.clone(),
                Arc::clone(&recorder),
                selection,
                cilium,
                reached.as_deref(),
            );
            tokio::select! {
                biased;
                () = &mut interrupted => recorder.never_begun(asked_for, INTERRUPTED),
                () = engine.run() => {}
                gone = fabric.gone() => {
                    recorder.bring_up_failed("run", why_gone(gone));
                    recorder.never_begun(asked_for, why_gone(gone));
                }
            }
            heard::tell(&captures, &engine.atlas(), &recorder);
            (Some(fabric), Some(captures))
        }
        Some(Err(error)) => {
            recorder.bring_up_failed("start", error.to_string());
            none_run(
                &prepared.plan,
                selection,
                &recorder,
                &format!("the fabric could not be brought up: {error}"),
            );
            (None, None)
        }
        None => {
            recorder.never_begun(asked_for, INTERRUPTED);
            (None, None)
        }
    };
    let collected = collected(&prepared, fabric.as_ref(), captures.as_ref(), &recorder).await;
    drop(captures);
    let kept = match fabric {
        Some(fabric) => finish_fabric(fabric, &settings, &recorder).await,
        None => None,
    };
    report(&recorder, &settings, kept, collected).await
}

/// Why checks were not run that nobody came to.
pub(super) const INTERRUPTED: &str = "the run was interrupted before it came to this check";

/// Why a run ended before its end.
pub(super) fn why_gone(gone: Gone) -> &'static str {
    match gone {
        Gone::Keeper => {
            "the fabric's keeper was killed in the middle of the run, and everything it kept is gone"
        }
        Gone::Engine => {
            "the container engine stopped answering in the middle of the run; start it again, and `fabric down` removes what it \
             still has of the fabric"
        }
    }
}

/// What the wanted checks are about, in the plan's order.
pub(super) fn asked_for(plan: &[PlannedPhase], selection: &Selection) -> Vec<Subject> {
    let all = plan.iter().flat_map(|phase| phase.checks.iter().map(move |check| (phase, check)));
    let wanted = all.filter(|(_, check)| selection.contains_key(&check.name));
    wanted.map(|(phase, check)| engine::subject(phase, check)).collect()
}

/// No check could be run, all for one reason.
pub(super) fn none_run(plan: &[PlannedPhase], mut selection: Selection, recorder: &Arc<Recorder>, why: &str) {
    for phase in plan {
        for check in &phase.checks {
            if let Some(teller) = selection.remove(&check.name) {
                recorder.check(engine::subject(phase, check)).not_run(why);
                // Who no longer listens has been told by other means.
                let _ = teller.send(engine::Outcome::Failed(why.to_owned()));
            }
        }
    }
}

/// Waits for Ctrl-C or a request to end, and tells the recorder. It listens from now on.
pub(super) fn interruption(recorder: &Arc<Recorder>) -> impl Future<Output = ()> + use<> {
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    let mut terminate = signal(SignalKind::terminate()).ok();
    let recorder = Arc::clone(recorder);
    async move {
        tokio::select! {
            () = received(&mut interrupt) => {}
            () = received(&mut terminate) => {}
        }
        recorder.interrupted();
    }
}

async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

pub(super) async fn begin(
    prepared: &Prepared,
    settings: &RunSettings,
    recorder: &Arc<Recorder>,
) -> Result<(Arc<Fabric>, Option<String>), RunError> {
    if let Begin::Attach(id) = &settings.begin {
        let fabric = Fabric::attach(id)?;
        let state = fabric.state()?;
        warn_of(prepared, recorder, &state.spec.runtime);
        recorder.environment(|environment| {
            environment.runtime = recorded(&state.spec.runtime);
            let is_real = state.spec.outside.is_some();
            real(environment, is_real);
            let cilium = if is_real { "Cilium" } else { CILIUM };
            environment.versions.extend(state.spec.gobgp.map(|version| (Tool::Gobgp.to_string(), version)));
            environment.versions.extend(state.spec.cilium.map(|version| (cilium.to_owned(), version)));
        });
        return Ok((Arc::new(fabric), state.phase));
    }
    let step = recorder.step("look for programs", "start");
    let tell = |text: &str| recorder.note(text);
    let furnished = settings.home.furnish(&prepared.lab, &tell).await?;
    let layers = &furnished.layers;
    recorder.environment(|environment| {
        environment.versions.extend(layers.versions());
        environment.runtime = recorded(&furnished.runtime);
        real(environment, furnished.outside.is_some());
    });
    step.done();
    warn_of(prepared, recorder, &furnished.runtime);
    for warning in &layers.warnings {
        recorder.warning(warning.clone());
    }
    if let Some(cilium) = &prepared.lab.cilium {
        recorder.environment(|environment| {
            let name = if furnished.outside.is_some() { "Cilium" } else { CILIUM };
            environment.versions.insert(name.to_owned(), cilium.version.clone());
        });
    }
    let step = recorder.step("start the keeper", "start");
    let id = settings.name.clone().unwrap_or_else(|| format!("{}-{}", prepared.lab.name, std::process::id()));
    let ephemeral = settings.begin == Begin::Fresh;
    let fabric = Fabric::start(&keeper_spec(&prepared.lab, &furnished, &id, ephemeral)?).await?;
    step.done();
    Ok((Arc::new(fabric), None))
}

/// A cluster that is a real one is recorded as such, and nothing of the twin's is said of it.
fn real(environment: &mut Environment, is_real: bool) {
    if is_real {
        environment.env = Kind::Lab;
        environment.cluster = Cluster::Kind;
        environment.notes.clear();
    }
}

/// Where nodes live, as the record says it.
fn recorded(runtime: &RuntimeSpec) -> Runtime {
    match runtime {
        RuntimeSpec::Netns => Runtime::Netns,
        RuntimeSpec::Docker { .. } => Runtime::Docker,
    }
}

/// Ends the fabric, unless it is to stay; its name if it stays.
async fn finish_fabric(
    fabric: Arc<Fabric>,
    settings: &RunSettings,
    recorder: &Arc<Recorder>,
) -> Option<String> {
    let id = fabric.id().to_owned();
    let stays = match settings.begin {
        Begin::Attach(_) | Begin::Found(_) => true,
        Begin::KeepOnFailure => !matches!(recorder.outcome(), Outcome::Passed | Outcome::Interrupted),
        Begin::Fresh => false,
    };
    if stays {
        return Some(id);
    }
    let step = recorder.step("take the fabric down", "teardown");
    let ended = fabric.end().await;
    match ended {
        Ok(()) => step.done(),
        Err(error) => {
            recorder.warning(format!("the fabric did not end cleanly: {error}"));
            step.fail(error.to_string());
        }
    }
    None
}

/// The fabric of a lab that is up, by the lab's folder or by name.
pub fn find(prepared: &Prepared, name: Option<&str>) -> Result<Option<String>, FabricError> {
    let all = states()?;
    let found = all.into_iter().find(|state| match name {
        Some(name) => state.spec.id == name,
        None => !state.spec.ephemeral && state.spec.lab == prepared.lab.dir,
    });
    Ok(found.map(|state| state.spec.id))
}
