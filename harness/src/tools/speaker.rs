//! Which GoBGP the nodes run: one of the generation that the lab's Cilium embeds, so that the twin dials as soon and as
//! often as that Cilium does.
//!
//! What lives here: choosing among the host's, what is in the cache, and what a suite of the host's distribution has;
//! and what is done when none of these is of the wanted generation. What does not: which Cilium embeds which
//! (`cilium::promises`), and which suite has which (`suites`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::apt::{Apt, Archive};
use super::cache::Cache;
use super::ensure::{ask, of_host, of_layer};
use super::layer::{self, State};
use super::{
    Distro, Family, Layers, Origin, Progress, Settings, Tool, ToolInfo, ToolsError, dpkg, ensure_with, suites,
};
use crate::cilium::Generation;

/// The package, the same in every distribution that has one.
const PACKAGE: &str = "gobgpd";

/// [`ensure_with`], with a GoBGP of the wanted generation where one is to be had: the host's, one in the cache, or one
/// fetched now into a layer of its own. Where none is, the nearest at hand is taken, and a warning says so.
///
/// # Errors
/// As [`ensure_with`]: when a tool is not to be had at all.
pub async fn ensure_speaker_with(
    settings: &Settings,
    needs: &[Tool],
    wanted: Option<Generation>,
    progress: Progress<'_>,
) -> Result<Layers, ToolsError> {
    let Some(wanted) = wanted.filter(|_| needs.contains(&Tool::Gobgp)) else {
        return ensure_with(settings, needs, progress).await;
    };
    let others: Vec<Tool> = needs.iter().copied().filter(|tool| *tool != Tool::Gobgp).collect();
    let mut layers = ensure_with(settings, &others, progress).await?;
    let (info, warning) = choose(settings, wanted, progress).await?;
    if let Origin::Layer(dir) = &info.origin {
        layers.dirs.push(dir.clone());
    }
    layers.provided.push(info);
    layers.warnings.extend(warning);
    Ok(layers)
}

/// [`ensure_speaker_with`], with the environment's settings.
///
/// # Errors
/// As [`ensure_speaker_with`].
pub async fn ensure_speaker(
    needs: &[Tool],
    wanted: Option<Generation>,
    progress: Progress<'_>,
) -> Result<Layers, ToolsError> {
    ensure_speaker_with(&Settings::from_env()?, needs, wanted, progress).await
}

/// What is there of each generation, without fetching and without running anything: the host's, then the cache's. The
/// host's is of no known generation where no package owns it.
pub(super) fn at_hand(settings: &Settings) -> Vec<ToolInfo> {
    let distro = settings.distro();
    let mut found: Vec<ToolInfo> = of_host(settings, &distro, Tool::Gobgp).into_iter().collect();
    let plain = layer::place(settings, &distro, Tool::Gobgp);
    let own = Generation::ALL.into_iter().map(|generation| place(settings, &distro, generation));
    for place in std::iter::once(plain).chain(own).flatten() {
        if let State::Ready(layer) = layer::inspect(&place, Tool::Gobgp) {
            found.extend(of_layer(&distro, Tool::Gobgp, layer));
        }
    }
    found
}

/// Where the layer of a generation is, or would be.
pub(super) fn place(settings: &Settings, distro: &Distro, generation: Generation) -> Option<PathBuf> {
    layer::place(settings, distro, Tool::Gobgp).map(|plain| plain.with_file_name(folder(generation)))
}

fn folder(generation: Generation) -> &'static str {
    match generation {
        Generation::V3 => "gobgp-3.0",
        Generation::V3_35 => "gobgp-3.35",
        Generation::V4 => "gobgp-4.0",
    }
}

/// The generation of a GoBGP whose version is known.
pub(super) fn generation(info: &ToolInfo) -> Option<Generation> {
    info.version.as_deref().and_then(Generation::of)
}

async fn choose(
    settings: &Settings,
    wanted: Generation,
    progress: Progress<'_>,
) -> Result<(ToolInfo, Option<String>), ToolsError> {
    let mut found = at_hand(settings);
    for info in found.iter_mut().filter(|info| info.version.is_none()) {
        info.version = ask(settings, info).await;
    }
    if let Some(info) = found.iter().find(|info| generation(info) == Some(wanted)) {
        return Ok((info.clone(), None));
    }
    let why = match fetch(settings, wanted, progress).await {
        Ok(info) => return Ok((info, None)),
        Err(ToolsError::Fetch { reason, .. }) => reason,
        Err(ToolsError::Missing { distro, .. }) => {
            format!("{distro}: nothing can be fetched without apt-get and dpkg-deb")
        }
        Err(why) => why.to_string(),
    };
    let distance = |info: &ToolInfo| generation(info).map_or(usize::MAX, |own| own.distance(wanted));
    let nearest = match found.into_iter().min_by_key(distance) {
        Some(nearest) => nearest,
        // Nothing at all: whatever the host's distribution has is better than no speaker.
        None => ensure_with(settings, &[Tool::Gobgp], progress).await?.provided.remove(0),
    };
    if generation(&nearest) == Some(wanted) {
        return Ok((nearest, None));
    }
    let runs = nearest.version.as_deref().unwrap_or("of an unknown version");
    let warning = format!(
        "the nodes run GoBGP {runs}, the nearest at hand, and keep its time, not that of {wanted}, which this Cilium \
         embeds: that is not on this host and cannot be fetched ({why})"
    );
    Ok((nearest, Some(warning)))
}

/// Fetches a gobgpd of the generation into a layer of its own: out of the host's own package lists where these have
/// it, which costs little traffic, else out of the one suite that does.
async fn fetch(
    settings: &Settings,
    wanted: Generation,
    progress: Progress<'_>,
) -> Result<ToolInfo, ToolsError> {
    let distro = settings.distro();
    let remedy = format!("install {wanted} (gobgpd and gobgp), so that a shell finds it");
    let missing = vec![Tool::Gobgp];
    if distro.family != Family::Debian || !Apt::is_here(settings) {
        return Err(ToolsError::Missing { missing, distro: distro.name, remedy });
    }
    let place = place(settings, &distro, wanted)
        .ok_or_else(|| ToolsError::NoCache { why: "none is known".to_owned() })?;
    let cache = Cache::lock(settings, progress).await?;
    // Whoever held the lock may have fetched it for us.
    if let State::Ready(layer) = layer::inspect(&place, Tool::Gobgp)
        && let Some(info) = of_layer(&distro, Tool::Gobgp, layer)
    {
        return Ok(info);
    }
    let room = cache.workroom()?;
    let fail =
        |reason: String| ToolsError::Fetch { missing: missing.clone(), reason, remedy: remedy.clone() };
    let (apt, archive) = find(settings, &distro, wanted, room.path(), progress)
        .await
        .map_err(|reason| fail(reason.to_string()))?;
    progress(&format!(
        "fetching {} {} ({:.1} MB): the lab's Cilium embeds {wanted}",
        archive.name,
        archive.version,
        archive.size as f64 / 1e6
    ));
    let archives =
        apt.download(&BTreeSet::from([archive])).await.map_err(|reason| fail(reason.to_string()))?;
    progress("unpacking and trying it");
    layer::make(&cache, &place, Tool::Gobgp, archives, &remedy).await?;
    match layer::inspect(&place, Tool::Gobgp) {
        State::Ready(layer) => of_layer(&distro, Tool::Gobgp, layer),
        State::Absent | State::Damaged(_) => None,
    }
    .ok_or_else(|| fail(format!("what was fetched into {} did not stay as it was", place.display())))
}

/// The archive of the generation, and an apt that can fetch it.
async fn find(
    settings: &Settings,
    distro: &Distro,
    wanted: Generation,
    room: &Path,
    progress: Progress<'_>,
) -> Result<(Apt, Archive), ToolsError> {
    let absent = BTreeSet::from([PACKAGE]);
    let mut apt = Apt::open(room, settings, &absent).await?;
    let mut last =
        match apt.resolve(PACKAGE).await.and_then(|archives| fitting(archives, wanted, "this host's")) {
            Ok(archive) => return Ok((apt, archive)),
            Err(why) => why,
        };
    let ubuntu = distro.is_ubuntu();
    let targets = apt.sources(suites::FORMAT).await?;
    let Some(mirror) = suites::mirror(ubuntu, &targets) else { return Err(last) };
    let keyring = suites::keyring(ubuntu);
    let keyring = settings.on_host(keyring).is_file().then(|| format!("/{keyring}"));
    for suite in suites::suites(ubuntu, wanted) {
        progress(&format!("fetching the package list of {suite}, which has {wanted}"));
        apt.only(&suites::source(ubuntu, &mirror, suite, keyring.as_deref()))?;
        let complaints = apt.update().await?;
        match apt.resolve(PACKAGE).await.and_then(|archives| fitting(archives, wanted, suite)) {
            Ok(archive) => return Ok((apt, archive)),
            // Without a list nothing can be found in it: the list's story is the one to tell.
            Err(ToolsError::Command { .. }) if !complaints.is_empty() => {
                let reason = complaints.split("; ").next().unwrap_or_default();
                let reason = reason.trim_start_matches(['E', 'W']).trim_start_matches(": ").to_owned();
                last = ToolsError::Command { command: format!("apt-get update, for {suite}"), reason };
            }
            Err(why) => last = why,
        }
    }
    Err(last)
}

/// The one archive, if it is of the generation and needs nothing that the host lacks: another libc must not be laid over
/// the host's.
fn fitting(archives: Vec<Archive>, wanted: Generation, suite: &str) -> Result<Archive, ToolsError> {
    let refuse = |reason: String| {
        Err(ToolsError::Command { command: format!("apt-get install --print-uris {PACKAGE}"), reason })
    };
    if let Some(other) = archives.iter().find(|archive| archive.name != PACKAGE) {
        return refuse(format!("gobgpd of {suite} packages needs a newer {} than this host has", other.name));
    }
    match archives.into_iter().next() {
        Some(archive) if Generation::of(dpkg::upstream(&archive.version)) == Some(wanted) => Ok(archive),
        Some(archive) => refuse(format!("{suite} packages have gobgpd {}", dpkg::upstream(&archive.version))),
        None => refuse(format!("{suite} packages have no gobgpd")),
    }
}

#[cfg(test)]
#[path = "speaker_tests.rs"]
mod tests;
