//! Every reader of foreign words, as a function of bytes: what the targets in `fuzz/` run.
//!
//! What lives here: the way to readers that are private, and what must hold of any input beside that nothing panics. Built
//! with the feature `fuzzing` only, and no part of the crate's interface.

use std::path::Path;

use crate::cilium::CiliumVersion;
use crate::lab::yaml::{Diagnostics, FromTree, parse};
use crate::lab::{LabFile, cluster, manifests, topology, values};
use crate::probe::Protocol;
use crate::probe::text;
use crate::twin::agent::gobgp;
use crate::twin::store::{FieldSelector, LabelSelector};

pub use crate::router::fuzz::frr;
pub use crate::twin::api::fuzz::{bodies, patches, schemas};

/// A lab's files: each reader gets the text, and what is wrong must be shown in it.
pub fn lab(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let shown = Path::new("input.yaml");
    let mut ctx = Diagnostics::new();
    // What a value means depends on the version: one with and one without most of them, and none.
    for version in [None, "1.12.1".parse().ok(), "1.20.0".parse::<CiliumVersion>().ok()] {
        let _ = values::read(shown, text, version.as_ref(), &mut ctx);
    }
    let _ = manifests::read(shown, text, &mut ctx);
    let _ = cluster::read(shown, text, None, &mut ctx);
    let environment = |name: &str| Some(name.to_lowercase());
    let _ = topology::read(shown, text, Path::new("/nowhere"), &environment, &mut ctx);
    if let Some(tree) = parse(shown, text, &mut ctx) {
        let _ = LabFile::<()>::from_tree(&tree, &mut ctx);
    }
    for diagnostic in ctx.into_sorted() {
        assert!(!diagnostic.render(false).is_empty());
    }
}

/// Selectors of labels and fields; what can be read is held against an object.
pub fn selectors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let object = serde_json::json!({"metadata": {"name": "n", "labels": {"a": "b", "n": "7"}}, "spec": {}});
    if let Ok(selector) = LabelSelector::parse(text) {
        selector.matches(&object);
    }
    if let Ok(selector) = FieldSelector::parse(text) {
        selector.matches(&object);
    }
}

/// What gobgpd logs and `gobgp -j` answers.
pub fn gobgp(data: &[u8]) {
    let _ = gobgp::neighbors(data);
    let _ = gobgp::rib(data);
    for line in String::from_utf8_lossy(data).lines() {
        let _ = gobgp::log_line(line);
    }
}

/// The text of ping and traceroute.
pub fn probes(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = text::ping(&text);
    for protocol in [Protocol::Icmp, Protocol::Udp] {
        let _ = text::traceroute(&text, protocol);
    }
}

/// What passes on links: frames, and a session's bytes.
pub fn packets(data: &[u8]) {
    crate::capture::fuzz(data);
}
