//! Holding a lab's manifests against the kinds that its Cilium brings and Kubernetes has: a misspelt field is a mistake in
//! a file, and is told as one, before anything is brought up.
//!
//! What lives here: which objects are judged, and where their mistakes are said to be. What does not: the rules
//! (`harness::twin::api`).

use std::collections::BTreeSet;

use fabric_harness::cilium::{CiliumVersion, crds};
use fabric_harness::lab::yaml::{Diagnostics, nearest};
use fabric_harness::lab::{Lab, Manifest};
use fabric_harness::twin::api::{Rehearsal, Wrong};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// Notes in `ctx` what an API server would refuse of the lab's manifests, and fields it would drop.
pub fn judge_manifests<E>(lab: &Lab<E>, ctx: &mut Diagnostics) {
    let version = lab.cilium.as_ref().and_then(|cilium| cilium.version.parse::<CiliumVersion>().ok());
    let mut definitions = version.as_ref().map(crds).unwrap_or_default();
    let mut version = version;
    let Some(mut rehearsal) = rehearse(&definitions) else { return };
    let mut read = BTreeSet::new();
    for phase in &lab.phases {
        for manifest in &phase.apply {
            if read.insert(&manifest.at.file) {
                let file = &manifest.at.file;
                let text =
                    std::fs::read_to_string(file).or_else(|_| std::fs::read_to_string(lab.dir.join(file)));
                ctx.add_source(file, &text.unwrap_or_default());
            }
            for wrong in rehearsal.apply(&manifest.object) {
                note(manifest, &wrong, version.as_ref(), ctx);
            }
        }
        let to = phase.upgrade.as_ref().and_then(|upgrade| upgrade.to.parse::<CiliumVersion>().ok());
        if let Some(to) = to {
            upgraded(&mut definitions, crds(&to));
            version = Some(to);
            let Some(next) = rehearse(&definitions) else { return };
            rehearsal = next;
        }
    }
}

fn rehearse(definitions: &[CustomResourceDefinition]) -> Option<Rehearsal> {
    match Rehearsal::new(definitions) {
        Ok(rehearsal) => Some(rehearsal),
        Err(error) => {
            // Our own definitions: their tests find this first, and the cluster's own judgement still comes.
            tracing::error!(%error, "the definitions of Cilium cannot be rehearsed");
            None
        }
    }
}

/// What an upgrade makes of definitions: those of the new version come or are brought up to date, and no other goes.
fn upgraded(there: &mut Vec<CustomResourceDefinition>, new: Vec<CustomResourceDefinition>) {
    let named = |definition: &CustomResourceDefinition| definition.metadata.name.clone();
    there.retain(|old| new.iter().all(|new| named(new) != named(old)));
    there.extend(new);
}

fn note(manifest: &Manifest, wrong: &Wrong, version: Option<&CiliumVersion>, ctx: &mut Diagnostics) {
    let at = manifest.places.nearest(&wrong.field).unwrap_or(&manifest.at);
    let named = ["kind", "apiVersion"].contains(&wrong.field.as_str());
    let message = match wrong.field.as_str() {
        "" => format!("{manifest}: {}", wrong.message),
        _ if named || wrong.message.contains(&wrong.field) => wrong.message.clone(),
        field => format!("{field}: {}", wrong.message),
    };
    let noted = ctx.error(at, message);
    let word = match wrong.field.as_str() {
        "kind" => &manifest.kind,
        "apiVersion" => &manifest.api_version,
        field => field.rsplit('.').next().unwrap_or_default(),
    };
    let names = wrong.instead.iter().map(String::as_str);
    if let Some(near) = nearest(word, names.clone()) {
        noted.help(format!("did you mean `{near}`?"));
    } else if wrong.field == "apiVersion" {
        noted.help(format!(
            "write {}",
            names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
        ));
    } else if named {
        let cilium = version.map(|version| format!(" and of Cilium {version}")).unwrap_or_default();
        noted.help(format!(
            "the twin serves kinds of Kubernetes that need no controller of its own{cilium}; `kubectl api-resources` \
             lists them"
        ));
    } else if !wrong.instead.is_empty() {
        noted.help(format!("there are {}", names.collect::<Vec<_>>().join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;

    use crate::run::prepare;

    /// What is said of the article's lab with one change in one of its files.
    fn said(file: &str, from: &str, to: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let article = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/cilium-bgp");
        for entry in fs::read_dir(article).unwrap().map(Result::unwrap) {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no `{from}`");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        match prepare(folder.path()) {
            Ok(_) => Vec::new(),
            Err(error) => {
                let folder = format!("{}/", folder.path().display());
                error.to_string().lines().map(|line| line.replace(&folder, "")).collect()
            }
        }
    }

    const POLICIES: &str = "cilium-bgp-peering-policies.yaml";

    #[rstest]
    #[case(POLICIES, "localASN: 65010", "localASN: many", "must be of type integer", "")]
    #[case(
        POLICIES,
        "localASN: 65010",
        "localAsn: 65010",
        "no field `spec.virtualRouters[0].localAsn`",
        "did you mean `localASN`?"
    )]
    #[case(
        POLICIES,
        "kind: CiliumBGPPeeringPolicy",
        "kind: CiliumBGPPeringPolicy",
        "no kind `CiliumBGPPeringPolicy`",
        "did you mean `CiliumBGPPeeringPolicy`?"
    )]
    #[case(
        POLICIES,
        "v2alpha1",
        "v2",
        "`CiliumBGPPeeringPolicy` is not served in `cilium.io/v2`",
        "`cilium.io/v2alpha1`"
    )]
    #[case(
        "nettool.yaml",
        "nodeSelector:",
        "nodeSelektor:",
        "no field `spec.nodeSelektor`",
        "did you mean `nodeSelector`?"
    )]
    #[case("nettool.yaml", "kind: Pod", "kind: Pdo", "no kind `Pdo`", "did you mean `Pod`?")]
    #[case("nettool.yaml", "kind: Pod", "kind: Deployment", "no kind `Deployment`", "kubectl api-resources")]
    fn a_mistake_in_a_manifest_is_told_with_its_place(
        #[case] file: &str,
        #[case] from: &str,
        #[case] to: &str,
        #[case] message: &str,
        #[case] help: &str,
    ) {
        let said = said(file, from, to).join("\n");
        assert!(said.contains(message) && said.contains(help), "{said}");
        assert!(said.contains(&format!("{file}:")), "{said}");
    }

    #[test]
    fn the_articles_manifests_are_sound() {
        assert_eq!(said(POLICIES, "localASN", "localASN"), Vec::<String>::new());
    }
}
