//! Going to another version of Cilium: the keeper's work, or the lab's own command on a cluster that others brought up.
//!
//! What lives here: whom to ask, and noting what is done when. What does not: the order of it (`harness::world`).

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use fabric_harness::cilium::{Generation, promises};
use fabric_harness::lab::Upgrade;
use fabric_harness::runtime::keeper::{Progress, RuntimeSpec, UpgradeOrder};
use fabric_harness::tools::{Origin, Tool, ensure_speaker};
use fabric_reports::Recorder;
use tokio::process::Command;

use super::actions::ActionError;
use super::commands::Commands;
use super::observe::Context;

/// Does an upgrade; returns when every agent is of the new version.
pub(super) async fn upgrade(
    context: &Context,
    mut commands: Commands,
    recorder: &Recorder,
    phase: &str,
    upgrade: &Upgrade,
) -> Result<(), ActionError> {
    let speaker = match context.fabric.state() {
        Ok(state) if state.spec.runtime == RuntimeSpec::Netns && state.spec.outside.is_none() => {
            speaker(upgrade, state.spec.gobgp.as_deref(), recorder).await?
        }
        // Containers keep the one of their image, and a real Cilium has its own.
        _ => None,
    };
    let (speaker, speaker_version) =
        speaker.map_or((None, None), |(folder, version)| (Some(folder), version));
    let order = UpgradeOrder {
        speaker,
        speaker_version,
        to: upgrade.to.clone(),
        bgp: upgrade.values.speaks_bgp(),
        bgp_settings: upgrade.values.bgp_settings(),
        values_file: upgrade.values_file.clone(),
        command: upgrade.command.clone(),
        roll: upgrade.roll,
    };
    if context.fabric.found().is_some() {
        by_command(context, recorder, phase, upgrade).await?;
    } else {
        let began = Instant::now();
        let report = context.fabric.upgrade(&order, |part| match &part.command {
            Some(command) => commands.hear(command, &part.what),
            None => tell(context, recorder, phase, began, &part),
        });
        for warning in report.await?.warnings {
            recorder.warning(warning);
        }
    }
    Ok(())
}

/// The folder with the GoBGP of the generation that a version embeds, and its version; none where the nodes have one of that generation (`has` is
/// its version), and where none is to be had.
async fn speaker(
    upgrade: &Upgrade,
    has: Option<&str>,
    recorder: &Recorder,
) -> Result<Option<(PathBuf, Option<String>)>, ActionError> {
    let Some(wanted) = generation(upgrade) else { return Ok(None) };
    if has.and_then(Generation::of) == Some(wanted) {
        return Ok(None);
    }
    let tell = |text: &str| recorder.event("tools", text.to_owned());
    let layers = ensure_speaker(&[Tool::Gobgp], Some(wanted), &tell).await?;
    for warning in &layers.warnings {
        recorder.warning(warning.clone());
    }
    let info = layers.provided.iter().find(|info| info.tool == Tool::Gobgp);
    let file = info.and_then(|info| match &info.origin {
        Origin::Host => Some(info.path.clone()),
        Origin::Layer(dir) => Some(dir.join(info.path.strip_prefix("/").unwrap_or(&info.path))),
        Origin::Image(_) => None,
    });
    let folder = file.and_then(|file| file.parent().map(Path::to_path_buf));
    Ok(folder.map(|folder| (folder, info.and_then(|info| info.version.clone()))))
}

/// The generation of GoBGP that a version embeds.
pub(super) fn generation(upgrade: &Upgrade) -> Option<Generation> {
    let version = upgrade.to.parse().ok()?;
    promises(&version).ok().map(|row| row.generation)
}

/// Something is done: perhaps to a node, whose name comes first.
fn tell(context: &Context, recorder: &Recorder, phase: &str, began: Instant, part: &Progress) {
    let atlas = context.view.now();
    let nodes = atlas.cluster.iter().flat_map(|cluster| &cluster.nodes).map(|node| node.name.as_str());
    let named = part.what.split_once(": ").map(|(name, _)| name);
    let node = nodes.into_iter().find(|node| named == Some(*node)).map(str::to_owned);
    let what = match &node {
        Some(node) => part.what.replacen(node, atlas.short(node), 1),
        None => part.what.clone(),
    };
    // It may be heard later than it was said.
    let at = began + Duration::from_secs_f64(part.took_ms.max(0.0) / 1e3);
    recorder.event_at(at, node.as_deref().unwrap_or(phase), what.clone());
    context.moments.note_at(at, node, what);
}

/// Runs the lab's own line, in the lab's folder, with the kubeconfig that was named.
async fn by_command(
    context: &Context,
    recorder: &Recorder,
    phase: &str,
    upgrade: &Upgrade,
) -> Result<(), ActionError> {
    let Some(line) = &upgrade.command else {
        return Err(ActionError::NoCommand { to: upgrade.to.clone(), at: upgrade.at.to_string() });
    };
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).current_dir(&upgrade.dir).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(kubeconfig) = context.fabric.found().and_then(|found| found.kubeconfig()) {
        command.env("KUBECONFIG", kubeconfig);
    }
    context.moments.note(None, format!("`{line}` begins"));
    let began = Instant::now();
    let failed = |code: i32, said: String| ActionError::Command {
        node: "this machine".to_owned(),
        command: line.clone(),
        code,
        said,
    };
    let output = command.output().await.map_err(|error| failed(-1, error.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(output.status.code().unwrap_or(-1), said));
    }
    context.moments.note(None, format!("`{line}` has ended"));
    recorder.event(phase, format!("`{line}` ({:.1} s)", began.elapsed().as_secs_f64()));
    Ok(())
}
