//! What to type next about a check that failed: a line that works as it stands, in the shell the run was started from.
//!
//! A fabric that ends with its run is brought up again first, as far as the check's phase.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use fabric_harness::found::Found;
use fabric_harness::router::{Sessions, Show};
use fabric_harness::runtime::keeper::State;

use super::super::probes::target_of;
use super::{Context, words};
use crate::checks::{AgreeOn, SessionSpec};
use crate::expect::{Place, Symbol, WantedFamily};
use crate::plan::{CheckSpec, PlannedCheck};

/// A line as it is typed to run in a box of the check's fabric; one of `kubectl` is typed outside of any.
pub(super) fn line(context: &Context, check: &PlannedCheck, node: &str, line: &str) -> Option<String> {
    let way = way(context, check)?;
    match line.strip_prefix("kubectl ") {
        Some(line) => way.kubectl(line),
        None => way.exec(node, line),
    }
}

fn way<'c>(context: &'c Context, check: &PlannedCheck) -> Option<Way<'c>> {
    Some(match context.fabric.found() {
        Some(found) => Way::Theirs(found),
        None => Way::Ours(Ours::to(&context.fabric.state().ok()?, &check.name, program())),
    })
}

/// The line, if there is one for this check.
pub(super) async fn command(context: &Context, check: &PlannedCheck) -> Option<String> {
    let way = way(context, check)?;
    let exec = |node: &str, line: &str| way.exec(node, line);
    match &check.spec {
        CheckSpec::Session(spec) => exec(spec.router(), &show_neighbor(context, spec).await?),
        CheckSpec::Rib(spec) => {
            let observer = context.fabric.observer(&spec.router).await.ok()?;
            let show = Show::Table(spec.family == WantedFamily::Ipv6);
            exec(&spec.router, &observer.router().by_hand(&show))
        }
        CheckSpec::Fib(spec) => exec(&spec.router, routes(Some(spec.family))),
        CheckSpec::Interface(spec) => exec(&spec.place, "ip address"),
        CheckSpec::Lines(spec) => exec(&spec.node, "ip address"),
        // What broke is over: only the record still has it.
        CheckSpec::Throughout(_) => None,
        CheckSpec::Nodes(_) => way.kubectl("get nodes -o wide"),
        CheckSpec::Pod(spec) => {
            way.kubectl(&format!("-n {} describe pod {}", spec.pod.namespace, spec.pod.name))
        }
        CheckSpec::Reach(spec) => {
            let line = |to: IpAddr| match spec.port {
                // Every bash can connect; which other program could is not known.
                Some(port) => format!("bash -c '</dev/tcp/{to}/{port}'"),
                None => ping(to),
            };
            probe(context, &way, line, (&spec.from, &spec.to), spec.family)
        }
        CheckSpec::Path(spec) => probe(context, &way, traceroute, (&spec.from, &spec.to), spec.family),
        CheckSpec::Agree(spec) => {
            let line = if matches!(spec.on, AgreeOn::Trace { .. }) { traceroute } else { ping };
            probe(context, &way, line, (&spec.from, &spec.to), spec.family)
        }
    }
}

fn ping(to: IpAddr) -> String {
    format!("ping -n -c 3 {to}")
}

fn traceroute(to: IpAddr) -> String {
    format!("traceroute -n -q 1 -w 1 {to}")
}

fn routes(family: Option<WantedFamily>) -> &'static str {
    if family == Some(WantedFamily::Ipv6) { "ip -6 route" } else { "ip route" }
}

/// The session as the router's own tool shows it, by the name it has there.
async fn show_neighbor(context: &Context, spec: &SessionSpec) -> Option<String> {
    let observer = context.fabric.observer(spec.router()).await.ok()?;
    let show = match words::neighbor_of(context, spec) {
        Some(key) => {
            let handle = |sessions: &Sessions| sessions.get(&key)?.handle.clone();
            let handle = observer.latest().sessions.as_ref().ok().and_then(|sessions| handle(sessions));
            Show::Session { handle: handle.unwrap_or_else(|| key.clone()), key }
        }
        None => Show::Sessions,
    };
    Some(observer.router().by_hand(&show))
}

/// The probe as a program of the sender; without the target's address, how to find it out.
fn probe(
    context: &Context,
    way: &Way<'_>,
    line: impl Fn(IpAddr) -> String,
    (from, to): (&Symbol, &Symbol),
    family: Option<WantedFamily>,
) -> Option<String> {
    let atlas = context.view.now();
    let from = match from {
        Symbol::Pod(pod) => format!("{}/{}", pod.namespace, pod.name),
        Symbol::Node(whose) | Symbol::Interface { place: Place::NodeOf(whose), .. } => {
            atlas.cluster_node(from, whose).ok()?
        }
        Symbol::Interface { place: Place::Device(device), .. } => device.clone(),
        Symbol::Interface { place: Place::TorOf(whose), .. } => atlas.tor(from, whose).ok()?,
        _ => return None,
    };
    match (target_of(&atlas, to, family), to) {
        (Ok(address), _) => way.exec(&from, &line(address)),
        (Err(_), Symbol::Pod(_) | Symbol::Node(_)) => way.kubectl("get nodes,pods -A -o wide"),
        (Err(_), Symbol::Service(_, service)) => {
            way.kubectl(&format!("-n {} get service {} -o yaml", service.namespace, service.name))
        }
        (Err(_), _) => way.exec(&from, routes(family)),
    }
}

/// How to call this program: those who run it through cargo may have it nowhere else.
fn program() -> &'static str {
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() { "cargo run -q --" } else { "fabric" }
}

/// The way to a fabric from the user's shell.
enum Way<'f> {
    /// To one that this program keeps.
    Ours(Ours),
    /// To one that others brought up.
    Theirs(&'f Found),
}

impl Way<'_> {
    fn exec(&self, node: &str, line: &str) -> Option<String> {
        match self {
            Self::Ours(ours) => Some(ours.exec(node, line)),
            Self::Theirs(found) => found.typed(node, line),
        }
    }

    fn kubectl(&self, line: &str) -> Option<String> {
        match self {
            Self::Ours(ours) => ours.kubectl(line),
            Self::Theirs(found) => {
                let kubeconfig = word(&found.kubeconfig()?.display().to_string());
                Some(format!("KUBECONFIG={kubeconfig} kubectl {line}"))
            }
        }
    }
}

/// The way to a fabric that this program keeps.
#[derive(Debug)]
struct Ours {
    program: &'static str,
    /// What to type first: nothing for a fabric that stays.
    first: String,
    /// The option that names the fabric, and a space.
    name: String,
    kubeconfig: Option<PathBuf>,
}

impl Ours {
    fn to(state: &State, check: &str, program: &'static str) -> Self {
        let (id, kubeconfig) = (&state.spec.id, state.kubeconfig.clone());
        if !state.spec.ephemeral {
            return Self { program, first: String::new(), name: format!("--name {id} "), kubeconfig };
        }
        let phase = check.split("::").next().unwrap_or_default();
        let lab = from_here(&state.spec.lab);
        // A run's own fabric is called after the lab and the process; `up` calls its after the lab alone.
        let of_lab = id.strip_suffix(&format!("-{}", std::process::id()));
        let name = if of_lab.is_some() { String::new() } else { format!("--name {id} ") };
        let folder = |kubeconfig: PathBuf| {
            let (file, folders) = (kubeconfig.file_name()?.to_owned(), kubeconfig.parent()?.parent()?);
            Some(folders.join(of_lab.unwrap_or(id)).join(file))
        };
        let first = format!("{program} up {} {name}--to {} && ", word(&lab), word(phase));
        Self { program, first, name, kubeconfig: kubeconfig.and_then(folder) }
    }

    fn exec(&self, node: &str, line: &str) -> String {
        let Self { program, first, name, .. } = self;
        format!("{first}{program} exec {name}{} -- {line}", word(node))
    }

    fn kubectl(&self, line: &str) -> Option<String> {
        let kubeconfig = word(&self.kubeconfig.as_ref()?.display().to_string());
        Some(format!("{}KUBECONFIG={kubeconfig} kubectl {line}", self.first))
    }
}

/// A path as the user would type it: from the folder they are in where it is below that. cargo runs tests in another
/// folder than the user's, but leaves PWD as it was.
fn from_here(path: &Path) -> String {
    let here = std::env::var_os("PWD").map(PathBuf::from).and_then(|here| here.canonicalize().ok());
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    match below {
        Some(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Some(below) => below.display().to_string(),
        None => path.display().to_string(),
    }
}

/// A word of a command line, quoted where a shell would take it apart.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("router0", "router0")]
    #[case("default/nettool-1", "default/nettool-1")]
    #[case("/tmp/my lab", "'/tmp/my lab'")]
    #[case("it's", r"'it'\''s'")]
    #[case("", "''")]
    fn words_stay_words(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(word(text), expected);
    }

    fn way(first: &str, name: &str) -> Ours {
        let kubeconfig = Some(PathBuf::from("/run/user/1000/fabric/demo/kubeconfig"));
        Ours { program: "fabric", first: first.into(), name: name.into(), kubeconfig }
    }

    #[test]
    fn a_fabric_that_stays_is_gone_into_by_name() {
        let way = way("", "--name demo ");
        assert_eq!(way.exec("router0", "ip route"), "fabric exec --name demo router0 -- ip route");
        assert_eq!(
            way.kubectl("get nodes").as_deref(),
            Some("KUBECONFIG=/run/user/1000/fabric/demo/kubeconfig kubectl get nodes")
        );
    }

    #[test]
    fn a_fabric_that_ends_is_brought_up_again_first() {
        let way = way("fabric up my-lab --to policy && ", "");
        assert_eq!(
            way.exec("router0", "ip route"),
            "fabric up my-lab --to policy && fabric exec router0 -- ip route"
        );
        assert!(
            way.kubectl("get nodes")
                .is_some_and(|line| line.starts_with("fabric up my-lab --to policy && KUBE"))
        );
    }
}
