//! helm's command lines, as the article types them.
//!
//! What lives here: the lines. What does not: waiting for Cilium (`crate::world`). helm keeps lists of repositories; for ours they
//! are in the fabric's folder, so that the user's own stay as they are.

use std::path::Path;
use std::time::Duration;

use super::command::Outside;
use super::limits::{Limit, brief};
use super::spec::{Chart, LabSpec};

/// The release and its namespace.
pub(crate) const RELEASE: &str = "cilium";
const NAMESPACE: &str = "kube-system";

fn helm(helm: &Path, args: Vec<String>, lab: &Path, own: &Path, limit: Limit) -> Outside {
    let dir = |name: &str| own.join("helm").join(name).display().to_string();
    Outside::new(helm, args, lab, limit)
        .env("KUBECONFIG", own.join("kubeconfig").display().to_string())
        .env("HELM_CACHE_HOME", dir("cache"))
        .env("HELM_CONFIG_HOME", dir("config"))
        .env("HELM_DATA_HOME", dir("data"))
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

/// `helm repo add cilium https://helm.cilium.io/`, unless the chart is at hand.
pub(crate) fn repository(program: &Path, spec: &LabSpec, lab: &Path, own: &Path) -> Option<Outside> {
    let Chart::Repository(url) = &spec.chart else { return None };
    // helm's own client has 120 s for an index.
    let limit = Limit::of(Duration::from_secs(120), "helm's own limit for a repository's index");
    Some(helm(program, words(&["repo", "add", RELEASE, url]), lab, own, limit))
}

/// `helm install -n kube-system cilium cilium/cilium --version v1.12.1 -f values.yaml`.
pub(crate) fn install(program: &Path, spec: &LabSpec, version: &str, lab: &Path, own: &Path) -> Outside {
    let mut args = words(&["install", "-n", NAMESPACE, RELEASE]);
    match &spec.chart {
        Chart::Repository(_) => {
            args.extend(["cilium/cilium".to_owned(), "--version".to_owned(), format!("v{version}")])
        }
        Chart::Local(path) => args.push(path.display().to_string()),
    }
    if let Some(values) = &spec.values_file {
        args.extend(["-f".to_owned(), values.display().to_string()]);
    }
    let limit = Limit::of(Duration::from_secs(300), "helm's own limit (--timeout)")
        .and(Duration::from_secs(120), "fetching the chart");
    helm(program, args, lab, own, limit)
}

/// `helm upgrade -n kube-system cilium cilium/cilium --version v1.18.5 -f values.yaml --wait`: helm then waits until every agent is
/// of the new version. A chart of this machine has one version: it goes to no other.
pub(crate) fn upgrade(
    program: &Path,
    spec: &LabSpec,
    (version, values): (&str, Option<&Path>),
    lab: &Path,
    own: &Path,
) -> Outside {
    let version = format!("v{version}");
    let mut args = words(&["upgrade", "-n", NAMESPACE, RELEASE, "cilium/cilium", "--version", &version]);
    if let Some(values) = values.or(spec.values_file.as_deref()) {
        args.extend(["-f".to_owned(), values.display().to_string()]);
    }
    args.extend(words(&["--wait", "--timeout", "15m"]));
    helm(program, args, lab, own, rolling())
}

/// A line of the lab's, for `sh -c`, that upgrades Cilium.
pub(crate) fn by_command(line: &str, lab: &Path, own: &Path) -> Outside {
    Outside::new(Path::new("/bin/sh"), words(&["-c", line]), lab, rolling())
        .env("KUBECONFIG", own.join("kubeconfig").display().to_string())
}

/// How long every node may take for another agent.
fn rolling() -> Limit {
    Limit::of(Duration::from_secs(900), "rolling every node (--timeout)")
        .and(Duration::from_secs(120), "fetching the chart")
}

/// `helm list -n kube-system -o json`: what is installed.
pub(crate) fn list(program: &Path, lab: &Path, own: &Path) -> Outside {
    helm(program, words(&["list", "-n", NAMESPACE, "-o", "json"]), lab, own, brief("reading Secrets"))
}

/// The chart of the release, `cilium-1.12.1`, if `helm list -o json` has it.
pub(crate) fn installed(out: &str) -> Option<String> {
    let all: serde_json::Value = serde_json::from_str(out.trim()).ok()?;
    let found = all.as_array()?.iter().find(|release| release["name"] == RELEASE)?;
    Some(found["chart"].as_str().unwrap_or(RELEASE).to_owned())
}

/// `helm uninstall -n kube-system cilium`: for a cluster that stays.
pub(crate) fn uninstall(program: &Path, lab: &Path, own: &Path) -> Outside {
    let limit = Limit::of(Duration::from_secs(300), "helm's own limit (--timeout)");
    helm(program, words(&["uninstall", "-n", NAMESPACE, RELEASE]), lab, own, limit)
}

#[cfg(test)]
mod tests {
    use super::super::spec::Deployer;
    use super::*;

    #[test]
    fn an_upgrade_waits_for_every_agent_and_takes_the_values_of_its_version() {
        let spec = LabSpec {
            kind: "kind".into(),
            helm: Some("helm".into()),
            containerlab: None,
            cluster_file: "cluster.yaml".into(),
            cluster_name: None,
            topology_file: "topo.yaml".into(),
            values_file: Some("values.yaml".into()),
            kind_image: None,
            reuse: false,
            chart: Chart::Repository("https://helm.cilium.io/".to_owned()),
            deployer: Deployer::Fabric,
        };
        let line = |values: Option<&str>| {
            let (lab, own) = (Path::new("/lab"), Path::new("/own"));
            upgrade(Path::new("helm"), &spec, ("1.18.5", values.map(Path::new)), lab, own).line()
        };
        let common = "helm upgrade -n kube-system cilium cilium/cilium --version v1.18.5 -f";
        assert_eq!(line(Some("later.yaml")), format!("{common} later.yaml --wait --timeout 15m"));
        assert_eq!(line(None), format!("{common} values.yaml --wait --timeout 15m"), "the lab's own");
        let own = by_command("helm upgrade x", Path::new("/lab"), Path::new("/own"));
        assert!(own.line().ends_with("sh -c 'helm upgrade x'"), "{}", own.line());
    }

    #[test]
    fn what_is_installed() {
        // helm 3.17.3's own words.
        let out = r#"[{"name":"cilium","namespace":"kube-system","revision":"1","updated":"2026-11-25 22:00:00.0 +0000 UTC","status":"deployed","chart":"cilium-1.12.1","app_version":"1.12.1"}]"#;
        assert_eq!(installed(out).as_deref(), Some("cilium-1.12.1"));
        assert_eq!(installed("[]"), None);
        assert_eq!(installed("Error"), None);
    }
}
