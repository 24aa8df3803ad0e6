//! The tools a run needs, one way or another: the host's own, a layer that is ready, or one fetched now.
//!
//! What does not live here: how packages are resolved and fetched (`apt`) and how a layer is made (`layer`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use futures::future::try_join_all;
use serde::Serialize;

use super::apt::{Apt, Archive, run};
use super::cache::Cache;
use super::layer::{self, Layer, State};
use super::manifest::Package;
use super::{Distro, Family, Settings, Tool, ToolsError, dpkg, host};

/// Is told what is being done, a short line each time; only ever called when something takes long.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

/// Where a tool comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The host has it.
    Host,
    /// A layer in the cache has it: this is the folder to lay over the host.
    Layer(PathBuf),
    /// An image has it, from which nodes that are containers are made.
    Image(String),
}

/// A tool that is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolInfo {
    /// The tool.
    pub tool: Tool,
    /// The upstream version (`8.4.4`, `3.10.0`). `None` for a host's program that no package owns and that has not
    /// been asked; [`ensure`] asks.
    pub version: Option<String>,
    /// The main program (`bgpd`, `gobgpd`, `ping`), as a node sees it.
    pub path: PathBuf,
    /// Where it comes from.
    pub origin: Origin,
    /// The packages of a layer, as `name version`; empty for a host's tool.
    pub packages: Vec<String>,
}

/// What has to be laid over the host so that nodes have all they need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// Folders that hold usr/, etc/ and perhaps var/, each owned by the user and read-only by intent; empty when the
    /// host has everything. Their order does not matter: where two hold the same file, it is the same.
    pub dirs: Vec<PathBuf>,
    /// The tools, in the order they were asked for.
    pub provided: Vec<ToolInfo>,
    /// What is to be had but not as it was wanted, in sentences for the user.
    pub warnings: Vec<String>,
}

impl ToolInfo {
    /// A tool that an image has.
    pub fn of_image(tool: Tool, path: PathBuf, version: String, image: &str) -> Self {
        let origin = Origin::Image(image.to_owned());
        Self { tool, version: Some(version), path, origin, packages: Vec::new() }
    }
}

impl Layers {
    /// The version of a tool, where it is known.
    pub fn version(&self, tool: Tool) -> Option<&str> {
        self.provided.iter().find(|info| info.tool == tool)?.version.as_deref()
    }

    /// The known versions by the tools' names (`FRR`, `GoBGP`), for reports.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let known = |info: &ToolInfo| Some((info.tool.to_string(), info.version.clone()?));
        self.provided.iter().filter_map(known).collect()
    }
}

/// What is there without fetching anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Presence {
    /// What the host and ready layers provide.
    pub layers: Layers,
    /// What neither has.
    pub missing: Vec<Tool>,
    /// Layers that are there but not as they were made, in words; what they held is among the missing.
    pub damaged: Vec<String>,
}

/// Makes sure that every tool is to be had, fetching what is not. Needs the network only for what is neither on the
/// host nor in the cache; otherwise runs no program (but one of the host's own that no package owns: it is asked for
/// its version) and takes about a millisecond.
pub async fn ensure(needs: &[Tool], progress: Progress<'_>) -> Result<Layers, ToolsError> {
    ensure_with(&Settings::from_env()?, needs, progress).await
}

/// [`ensure`] with given settings.
pub async fn ensure_with(
    settings: &Settings,
    needs: &[Tool],
    progress: Progress<'_>,
) -> Result<Layers, ToolsError> {
    let mut presence = present_with(settings, needs);
    if !presence.missing.is_empty() {
        fetch(settings, needs, progress).await?;
        presence = present_with(settings, needs);
        if !presence.missing.is_empty() {
            return Err(ToolsError::Fetch {
                remedy: settings.distro().install_line(&presence.missing),
                missing: presence.missing,
                reason: format!("what was fetched did not stay as it was: {}", presence.damaged.join("; ")),
            });
        }
    }
    let mut layers = presence.layers;
    for info in layers.provided.iter_mut().filter(|info| info.version.is_none()) {
        info.version = ask(settings, info).await;
    }
    Ok(layers)
}

/// What is there, by files alone: no network, no program run.
pub fn present(needs: &[Tool]) -> Result<Presence, ToolsError> {
    Ok(present_with(&Settings::from_env()?, needs))
}

/// [`present`] with given settings.
pub fn present_with(settings: &Settings, needs: &[Tool]) -> Presence {
    let distro = settings.distro();
    // Read once, and only if a tool of the host's is wanted.
    let status = LazyLock::new(|| read_status(settings));
    let mut presence = Presence::default();
    for (index, &tool) in needs.iter().enumerate() {
        if needs[..index].contains(&tool) {
            continue;
        }
        if let Some(info) = host_info(settings, &distro, tool, &status) {
            presence.layers.provided.push(info);
            continue;
        }
        match layer::place(settings, &distro, tool).map(|place| layer::inspect(&place, tool)) {
            Some(State::Ready(layer)) => {
                let root = layer.root.clone();
                let Some(info) = of_layer(&distro, tool, layer) else {
                    presence.damaged.push(format!("{} does not have {tool}", root.display()));
                    presence.missing.push(tool);
                    continue;
                };
                presence.layers.provided.push(info);
                presence.layers.dirs.push(root);
            }
            Some(State::Damaged(why)) => {
                presence.damaged.push(why);
                presence.missing.push(tool);
            }
            Some(State::Absent) | None => presence.missing.push(tool),
        }
    }
    presence
}

fn read_status(settings: &Settings) -> String {
    let bytes = std::fs::read(settings.on_host(dpkg::STATUS)).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// The host's own, if it has the tool.
pub(super) fn of_host(settings: &Settings, distro: &Distro, tool: Tool) -> Option<ToolInfo> {
    host_info(settings, distro, tool, &LazyLock::new(|| read_status(settings)))
}

fn host_info<F: FnOnce() -> String>(
    settings: &Settings,
    distro: &Distro,
    tool: Tool,
    status: &LazyLock<String, F>,
) -> Option<ToolInfo> {
    let path = host::find(settings, tool)?;
    let path = Path::new("/").join(path.strip_prefix(&settings.host).unwrap_or(&path));
    let package = tool.package(distro.family).filter(|_| !path.starts_with("/usr/local"));
    let version = package.and_then(|package| dpkg::version_of(status, package));
    let version = version.map(|version| dpkg::upstream(version).to_owned());
    Some(ToolInfo { tool, version, path, origin: Origin::Host, packages: Vec::new() })
}

/// A ready layer's, if it has all of the tool.
pub(super) fn of_layer(distro: &Distro, tool: Tool, layer: Layer) -> Option<ToolInfo> {
    let path = host::find_under(&layer.root, tool)?;
    let version = tool.package(distro.family).and_then(|package| layer.manifest.version_of(package));
    Some(ToolInfo {
        tool,
        version: version.map(|version| dpkg::upstream(version).to_owned()),
        path: Path::new("/").join(path.strip_prefix(&layer.root).unwrap_or(&path)),
        packages: layer.manifest.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect(),
        origin: Origin::Layer(layer.root),
    })
}

/// The versions of what is there, by the tools' names, for reports; runs nothing.
pub fn versions(needs: &[Tool]) -> Result<BTreeMap<String, String>, ToolsError> {
    Ok(present(needs)?.layers.versions())
}

async fn fetch(settings: &Settings, needs: &[Tool], progress: Progress<'_>) -> Result<(), ToolsError> {
    let distro = settings.distro();
    let missing = present_with(settings, needs).missing;
    if distro.family != Family::Debian || !Apt::is_here(settings) {
        let remedy = distro.install_line(&missing);
        return Err(ToolsError::Missing { missing, distro: distro.name, remedy });
    }
    let cache = Cache::lock(settings, progress).await?;
    // Whoever held the lock may have fetched them for us.
    let Presence { missing, damaged, .. } = present_with(settings, needs);
    if missing.is_empty() {
        return Ok(());
    }
    for why in damaged {
        progress(&format!("fetching again, since the cache is damaged: {why}"));
    }
    let remedy = distro.install_line(&missing);
    let room = cache.workroom()?;
    let apt = obtain(settings, &missing, room.path(), progress).await;
    let (plan, fetched) = apt.map_err(|reason| ToolsError::Fetch {
        missing: missing.clone(),
        reason: reason.to_string(),
        remedy: remedy.clone(),
    })?;
    progress("unpacking and trying them");
    try_join_all(plan.iter().map(|(tool, archives)| {
        let own: Vec<(PathBuf, Package)> = archives.iter().filter_map(|a| fetched.get(a).cloned()).collect();
        let (cache, remedy, place) = (&cache, &remedy, layer::place(settings, &distro, *tool));
        async move {
            let place = place.ok_or_else(|| ToolsError::NoCache { why: "none is known".to_owned() })?;
            layer::make(cache, &place, *tool, own, remedy).await
        }
    }))
    .await?;
    Ok(())
}

/// The archives of each tool, and what each archive became.
type Obtained = (Vec<(Tool, Vec<Archive>)>, BTreeMap<Archive, (PathBuf, Package)>);

/// Resolves and fetches: first with the host's own package lists, which costs no traffic; where they are missing or out of
/// date, with fresh ones.
async fn obtain(
    settings: &Settings,
    missing: &[Tool],
    room: &Path,
    progress: Progress<'_>,
) -> Result<Obtained, ToolsError> {
    let packages = |tools: &[Tool]| -> BTreeSet<&'static str> {
        tools.iter().filter_map(|tool| tool.package(Family::Debian)).collect()
    };
    let absent = packages(missing).into_iter().chain(packages(&settings.assume_absent)).collect();
    let mut apt = Apt::open(room, settings, &absent).await?;
    match attempt(&apt, missing, progress).await {
        Ok(obtained) => return Ok(obtained),
        Err(why) => tracing::debug!(%why, "the host's package lists do not serve"),
    }
    progress("fetching fresh package lists");
    let complaints = apt.update().await?;
    attempt(&apt, missing, progress).await.map_err(|error| match error {
        ToolsError::Command { command, reason } if !complaints.is_empty() => ToolsError::Command {
            command,
            reason: format!("{reason} (before that, `apt-get update`: {complaints})"),
        },
        other => other,
    })
}

async fn attempt(apt: &Apt, missing: &[Tool], progress: Progress<'_>) -> Result<Obtained, ToolsError> {
    let packages: Vec<(Tool, &str)> =
        missing.iter().filter_map(|&tool| Some((tool, tool.package(Family::Debian)?))).collect();
    let mut plan = Vec::new();
    if let Some((&(tool, package), rest)) = packages.split_first() {
        // The first question makes apt's cache; the others are then cheap, and are asked at once.
        plan.push((tool, apt.resolve(package).await?));
        plan.extend(
            try_join_all(
                rest.iter().map(|&(tool, package)| async move { Ok((tool, apt.resolve(package).await?)) }),
            )
            .await?,
        );
    }
    let all: BTreeSet<Archive> = plan.iter().flat_map(|(_, archives)| archives.iter().cloned()).collect();
    let names: Vec<&str> = all.iter().map(|archive| archive.name.as_str()).collect();
    let megabytes = all.iter().map(|archive| archive.size).sum::<u64>() as f64 / 1e6;
    progress(&format!("fetching {} packages ({megabytes:.1} MB): {}", all.len(), names.join(", ")));
    let fetched = apt.download(&all).await?;
    Ok((plan, all.into_iter().zip(fetched).collect()))
}

/// Asks a program of the host for its version.
pub(super) async fn ask(settings: &Settings, info: &ToolInfo) -> Option<String> {
    let flag = info.tool.probes().first()?.trial?;
    let mut command = std::process::Command::new(settings.on_host(&info.path));
    command.arg(flag);
    let said = tokio::time::timeout(std::time::Duration::from_secs(5), run(&mut command)).await.ok()?.ok()?;
    version_in(&said)
}

/// The first thing that looks like a version: `8.4.4`, `v1.8.9`, `20221126`.
fn version_in(said: &str) -> Option<String> {
    static VERSION: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new(r"\d+(?:\.\d+)+(?:-[a-z]+\d*)?|\b\d{8}\b").ok());
    VERSION.as_ref()?.find(said).map(|found| found.as_str().to_owned())
}

impl Settings {
    /// The host's distribution, from its os-release.
    pub fn distro(&self) -> Distro {
        let read = |path: &str| std::fs::read_to_string(self.on_host(path));
        Distro::parse(&read("etc/os-release").or_else(|_| read("usr/lib/os-release")).unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "ensure_tests.rs"]
mod tests;
