//! What the chart and the agent of one version make of a values file, each remark at its place.
//!
//! What lives here: going through the file. Which value is there when is in `cilium::helm`.

use crate::cilium::helm::{
    BOTH_ROUTING_VALUES, CHART_VALUES, Standing, ipam_mode, kube_proxy_replacement, kube_proxy_words,
};
use crate::cilium::{CiliumVersion, newest_known, promises};
use crate::lab::yaml::{Diagnostics, Location, Node};

/// Notes everything in the file that `version` refuses, ignores or advises against.
pub(super) fn check(tree: &Node, version: &CiliumVersion, ctx: &mut Diagnostics) {
    let (major, minor) = version.line();
    for value in &CHART_VALUES {
        let Some((at, node)) = find(tree, value.key) else { continue };
        let key = value.key;
        if key.ends_with(".enabled") && node.as_text() == Some("false") {
            // Switching off what is not there changes nothing.
            continue;
        }
        match value.standing((major, minor)) {
            Standing::There => {}
            Standing::Deprecated((major, minor)) => {
                ctx.warning(at, format!("`{key}` is deprecated since Cilium {major}.{minor}"))
                    .help(value.instead);
            }
            Standing::NotYet((first, second)) => {
                let message = format!(
                    "the chart of Cilium {major}.{minor} ignores `{key}`: it comes with {first}.{second}"
                );
                ctx.warning(at, message).help(value.instead);
            }
            Standing::Gone((first, second)) => {
                let message = format!(
                    "the chart of Cilium {major}.{minor} ignores `{key}`: it was removed in {first}.{second}"
                );
                ctx.warning(at, message).help(value.instead);
            }
            Standing::Refused(words) => {
                ctx.error(at, format!("the chart of Cilium {major}.{minor} refuses this: \"{words}\""))
                    .help(value.instead);
            }
        }
    }
    if let Some((at, node)) = find(tree, "bgp.enabled")
        && node.as_text() == Some("true")
        && (major, minor) < (1, 17)
    {
        ctx.warning(at, "MetalLB's speaker is not modelled")
            .help("write `bgpControlPlane: { enabled: true }`");
    }
    both_routing_values(tree, (major, minor), ctx);
    words(tree, (major, minor), ctx);
}

/// With both, the agent of 1.14 ends; `tunnel: ""` is how that chart writes its absence.
fn both_routing_values(tree: &Node, line: (u32, u32), ctx: &mut Diagnostics) {
    let tunnel =
        find(tree, "tunnel").and_then(|(_, node)| node.as_text()).is_some_and(|word| !word.is_empty());
    if let Some((at, _)) = find(tree, "routingMode").filter(|_| tunnel && line == (1, 14)) {
        ctx.error(at, format!("cilium-agent of 1.14 ends: \"{BOTH_ROUTING_VALUES}\""))
            .help("leave `tunnel` out: `routingMode` and `tunnelProtocol` say the same");
    }
}

fn words(tree: &Node, line: (u32, u32), ctx: &mut Diagnostics) {
    let (major, minor) = line;
    if let Some((_, node)) = find(tree, "kubeProxyReplacement")
        && let Some(word) = node.as_text()
        && let Err(said) = kube_proxy_replacement(line, word)
    {
        ctx.error(&node.at, format!("Cilium {major}.{minor} refuses `{word}`: \"{said}\""))
            .help(format!("write {}", kube_proxy_words(line)));
    }
    if let Some((_, node)) = find(tree, "ipam.mode")
        && let Some(mode) = node.as_text()
    {
        match (ipam_mode(line, mode), mode) {
            (Err(said), _) => {
                ctx.error(&node.at, format!("cilium-agent of {major}.{minor} ends: \"{said}\""))
                    .help("write `kubernetes` or `cluster-pool`");
            }
            (Ok(()), "kubernetes" | "cluster-pool") => {}
            (Ok(()), mode) => {
                let message =
                    format!("`{mode}` is not modelled: the twin gives pods addresses as `kubernetes` does");
                ctx.warning(&node.at, message).help("write `kubernetes` or `cluster-pool`");
            }
        }
    }
}

/// A value by its dotted key, and where the key is written; null counts as absent, as it does for helm.
fn find<'a>(tree: &'a Node, key: &str) -> Option<(&'a Location, &'a Node)> {
    let mut found: Option<(&Location, &Node)> = None;
    let mut node = tree;
    for part in key.split('.') {
        let entry = node.as_mapping()?.entries.iter().find(|entry| entry.key == part)?;
        found = Some((&entry.key_at, &entry.value));
        node = &entry.value;
    }
    found.filter(|(_, node)| !node.is_null())
}

/// Notes a version that nothing is known of: one before the first with a BGP control plane cannot be used, one after the
/// last known is guessed.
pub(in crate::lab) fn known(version: &CiliumVersion, at: &Location, ctx: &mut Diagnostics) {
    if let Err(unsupported) = promises(version) {
        ctx.error(at, unsupported.to_string()).help("write for example `1.12.1`");
    } else if version.line() > newest_known() {
        let (major, minor) = newest_known();
        let message = format!(
            "Cilium {version} is later than what is known here ({major}.{minor}): what it does is guessed, as {major}.{minor} does"
        );
        ctx.warning(at, message).help(format!("write {major}.{minor} or earlier to be sure"));
    }
}
