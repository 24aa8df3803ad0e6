//! Whether what is not there will come back: a node whose first process has ended, a daemon that nobody starts again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fabric_harness::node::NodeRef;
use fabric_harness::router::RouterError;

use super::super::observe::Context;
use super::still;

/// How long a daemon must have been away, and nothing have moved, before nobody is taken to be starting it. FRR's own scripts
/// need half a second; a supervisor that is not FRR's waits a second or two between two tries.
pub(super) const AWAY: Duration = Duration::from_secs(10);
/// Where FRR's watchdog leaves its pid.
const WATCHDOG: [&str; 2] = ["/run/frr/watchfrr.pid", "/var/run/frr/watchfrr.pid"];

/// That a node is not there any more: none comes back by itself.
pub(super) async fn gone(context: &Context, name: &str) -> Option<String> {
    let node = context.fabric.node(name).await.ok()?;
    node.gone().await.then(|| format!("{name} is gone: its first process has ended, and everything in it"))
}

/// That nobody will answer for a router any more: it is gone, or its daemon does not run and nobody is left to start it.
pub(super) async fn deserted(context: &Context, name: &str) -> Option<String> {
    if let Some(why) = gone(context, name).await {
        return Some(why);
    }
    let observer = context.fabric.observer(name).await.ok()?;
    if still(context, &observer) < AWAY {
        return None;
    }
    // Asked now: what was read last may be older than a daemon that has just come.
    let away = match observer.router().pulse().await {
        Err(
            error @ (RouterError::NotRunning { .. }
            | RouterError::BirdNotRunning { .. }
            | RouterError::NoDaemon { .. }),
        ) => error,
        _ => return None,
    };
    let node = context.fabric.node(name).await.ok()?;
    if watched(&node).await {
        return None;
    }
    let what = match away {
        RouterError::NotRunning { daemon, .. } => format!("{daemon} of {name} does not run"),
        RouterError::BirdNotRunning { .. } => format!("bird of {name} does not run"),
        _ => format!("no routing daemon runs on {name}"),
    };
    Some(format!("{what}, and nothing there or in this lab starts it"))
}

/// Whether FRR's watchdog runs: it starts a daemon again that has ended, sooner or later.
async fn watched(node: &NodeRef) -> bool {
    for file in WATCHDOG {
        let Ok(pid) = node.read_file(Path::new(file)).await else { continue };
        let pid = String::from_utf8_lossy(&pid).trim().to_owned();
        // The file outlives a watchdog that was killed, and its pid may be another's.
        let comm = PathBuf::from(format!("/proc/{pid}/comm"));
        if node.read_file(&comm).await.is_ok_and(|comm| comm.starts_with(b"watchfrr")) {
            return true;
        }
    }
    false
}
