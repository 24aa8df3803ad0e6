//! apt as an ordinary user: resolving and fetching packages with state of our own, the host's sources and keys as
//! they are. apt's own checks (signed lists, sums of archives) are the trust; nothing is installed.
//!
//! What does not live here: unpacking (`layer`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::manifest::{Package, sum};
use super::{Settings, ToolsError, child, dpkg, host};

/// Parts of apt's configuration that run programs of the host around an update or an installation: they expect root
/// and serve other ends (indices for command-not-found, cleaning the host's cache), and fail for a user.
const HOOKS: [&str; 2] = ["APT::Update::", "DPkg::"];

/// What packages depend on for being installed, logged about and started, not for running in a node.
const NOT_FOR_NODES: [&str; 13] = [
    "adduser",
    "anacron",
    "cron",
    "cron-daemon-common",
    "dbus",
    "debconf",
    "init-system-helpers",
    "logrotate",
    "lsb-base",
    "passwd",
    "systemd",
    "systemd-sysv",
    "ucf",
];

/// An archive apt would fetch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Archive {
    pub(super) name: String,
    /// Debian version, epoch included.
    pub(super) version: String,
    /// The name apt gives the file.
    pub(super) file: String,
    /// Bytes.
    pub(super) size: u64,
}

/// apt with a room of its own. All its state dies with the room.
pub(super) struct Apt {
    room: PathBuf,
    own_lists: bool,
    own_sources: bool,
}

impl Apt {
    /// True where apt's and dpkg's programs are.
    pub(super) fn is_here(settings: &Settings) -> bool {
        ["apt-get", "apt-config", "dpkg-deb"]
            .iter()
            .all(|program| host::program_under(&settings.host, program).is_some())
    }

    /// Prepares a room: the host's configuration without its hooks, and a copy of the package status in which
    /// `absent` are not installed.
    pub(super) async fn open(
        room: &Path,
        settings: &Settings,
        absent: &BTreeSet<&str>,
    ) -> Result<Self, ToolsError> {
        for folder in ["lists/partial", "cache/archives/partial", "state"] {
            let folder = room.join(folder);
            std::fs::create_dir_all(&folder).map_err(ToolsError::io("cannot make", folder))?;
        }
        let status_path = settings.on_host(dpkg::STATUS);
        // Lossy: a maintainer's name in an old encoding must not stand in the way.
        let status = std::fs::read(&status_path).map_err(ToolsError::io("cannot read", status_path))?;
        let write = |name: &str, text: &str| {
            let path = room.join(name);
            std::fs::write(&path, text).map_err(ToolsError::io("cannot write", path))
        };
        write("status", &dpkg::without(&String::from_utf8_lossy(&status), absent))?;
        let host_config = run(std::process::Command::new("apt-config").arg("dump")).await?;
        write("apt.conf", &without_hooks(&host_config))?;
        Ok(Self { room: room.to_owned(), own_lists: false, own_sources: false })
    }

    fn command(&self, program: &str) -> std::process::Command {
        let mut command = std::process::Command::new(program);
        command.env("APT_CONFIG", self.room.join("apt.conf")).env("DEBIAN_FRONTEND", "noninteractive");
        let mut option = |key: &str, value: &str| {
            command.arg("-o").arg(format!("{key}={value}"));
        };
        let room = |name: &str| self.room.join(name).display().to_string();
        if self.own_lists {
            option("Dir::State::lists", &room("lists"));
        }
        if self.own_sources {
            option("Dir::Etc::SourceList", &room("sources.list"));
            option("Dir::Etc::SourceParts", "/dev/null");
            // The host's pins are for the host's suites.
            option("Dir::Etc::Preferences", "/dev/null");
            option("Dir::Etc::PreferencesParts", "/dev/null");
        }
        option("Dir::State::status", &room("status"));
        option("Dir::State::extended_states", &room("state/extended_states"));
        option("Dir::Cache", &room("cache"));
        // Some images switch these off to save space; here the second question is then much faster than the first.
        option("Dir::Cache::pkgcache", "pkgcache.bin");
        option("Dir::Cache::srcpkgcache", "srcpkgcache.bin");
        // The host's locks are root's, and we change nothing they guard.
        option("Debug::NoLocking", "1");
        option("APT::Sandbox::User", "");
        option("Acquire::Languages", "none");
        option("Acquire::PDiffs", "false");
        option("Acquire::Retries", "1");
        // Of silence, not of the whole: a mirror that cannot be reached must not hold a run up for minutes.
        option("Acquire::http::Timeout", "15");
        option("Acquire::https::Timeout", "15");
        for index in ["DEP-11", "CNF", "Contents-deb"] {
            option(&format!("Acquire::IndexTargets::deb::{index}::DefaultEnabled"), "false");
        }
        command
    }

    /// Fetches lists of our own from the host's sources. A source that does not answer is not an error here: the
    /// others may have what is needed. What apt complained of is returned, for the case that they do not.
    pub(super) async fn update(&mut self) -> Result<String, ToolsError> {
        self.own_lists = true;
        let output = output(self.command("apt-get").args(["update", "-q"])).await?;
        Ok(complaints(&String::from_utf8_lossy(&output.stderr)))
    }

    /// The host's sources, one target a line as `format` says (apt-get(8), indextargets).
    pub(super) async fn sources(&self, format: &str) -> Result<String, ToolsError> {
        let mut command = self.command("apt-get");
        run(command.args(["indextargets", "--format", format, "Identifier: Packages"])).await
    }

    /// From now on asks `sources` (sources.list(5)) instead of the host's; the next [`Apt::update`] fetches their lists.
    pub(super) fn only(&mut self, sources: &str) -> Result<(), ToolsError> {
        let path = self.room.join("sources.list");
        std::fs::write(&path, sources).map_err(ToolsError::io("cannot write", path))?;
        self.own_sources = true;
        Ok(())
    }

    /// What would be fetched to install `package` on this host, less what a node has no use for.
    pub(super) async fn resolve(&self, package: &str) -> Result<Vec<Archive>, ToolsError> {
        let mut command = self.command("apt-get");
        command.args(["install", "--print-uris", "--no-install-recommends", "-y", "-qq", package]);
        let mut archives = parse_uris(&run(&mut command).await?)?;
        archives.retain(|archive| !NOT_FOR_NODES.contains(&archive.name.as_str()));
        if !archives.iter().any(|archive| archive.name == package) {
            let reason = format!("apt would not fetch {package}: it takes it for installed or for virtual");
            return Err(ToolsError::Command { command: display(&command), reason });
        }
        Ok(archives)
    }

    /// Fetches archives into the room; apt checks each against the signed lists. Returns what was fetched.
    pub(super) async fn download(
        &self,
        archives: &BTreeSet<Archive>,
    ) -> Result<Vec<(PathBuf, Package)>, ToolsError> {
        let folder = self.room.join("cache/archives");
        let mut command = self.command("apt-get");
        command.current_dir(&folder).args(["download", "-q"]);
        command.args(archives.iter().map(|a| format!("{}={}", a.name, a.version)));
        run(&mut command).await?;
        let mut fetched = Vec::new();
        for archive in archives {
            let path = folder.join(&archive.file);
            let summed = path.clone();
            let sha256 = super::cache::blocking(move || sum(&summed)).await;
            let sha256 = sha256.map_err(ToolsError::io("cannot read the fetched", &path))?;
            let (name, version, size) = (archive.name.clone(), archive.version.clone(), archive.size);
            fetched.push((path, Package { name, version, size, sha256 }));
        }
        Ok(fetched)
    }
}

/// Of what `apt-config dump` prints, the lines `KEY "VALUE";` that set no hook. A value with a quote or a line break in
/// it cannot be read back; only hooks have such.
fn without_hooks(dump: &str) -> String {
    let kept = |line: &&str| {
        let Some((key, rest)) = line.split_once(" \"") else { return false };
        let hook = HOOKS.iter().filter_map(|prefix| key.strip_prefix(prefix));
        let hook = hook.into_iter().any(|rest| rest.starts_with("Pre-") || rest.starts_with("Post-"));
        !hook && rest.strip_suffix("\";").is_some_and(|value| !value.contains('"'))
    };
    let mut config: String = dump.lines().filter(kept).flat_map(|line| [line, "\n"]).collect();
    // Else apt would read the host's files again, hooks and all, on top of this one.
    config.push_str("Dir::Etc::Parts \"/dev/null\";\nDir::Etc::Main \"/dev/null\";\n");
    config
}

/// Reads what `apt-get --print-uris` prints: `'URI' FILE SIZE HASH` a line; FILE is NAME_VERSION_ARCH.deb with a
/// colon of the version as `%3a`.
fn parse_uris(text: &str) -> Result<Vec<Archive>, ToolsError> {
    let mut archives = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let Some(rest) = text.strip_prefix('\'') else { continue };
        let wrong =
            |why: &str| ToolsError::Answer { line: index + 1, text: text.to_owned(), why: why.to_owned() };
        let (_, rest) = rest.split_once("' ").ok_or_else(|| wrong("the URI has no closing quote"))?;
        let mut words = rest.split_whitespace();
        let file = words.next().ok_or_else(|| wrong("FILE is missing"))?;
        let size =
            words.next().and_then(|word| word.parse().ok()).ok_or_else(|| wrong("SIZE is not a number"))?;
        let mut parts = file.split('_');
        let (Some(name), Some(version), Some(arch), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("FILE is not NAME_VERSION_ARCH.deb"));
        };
        if name.is_empty() || name.starts_with('-') || file.contains('/') || !arch.ends_with(".deb") {
            return Err(wrong("FILE is not NAME_VERSION_ARCH.deb"));
        }
        archives.push(Archive {
            name: name.to_owned(),
            version: version.replace("%3a", ":").replace("%3A", ":"),
            file: file.to_owned(),
            size,
        });
    }
    Ok(archives)
}

/// The lines of apt's that tell errors and warnings, else its last lines.
fn complaints(stderr: &str) -> String {
    let told: Vec<&str> =
        stderr.lines().filter(|line| line.starts_with("E:") || line.starts_with("W:")).collect();
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let chosen = if told.is_empty() { &lines } else { &told };
    chosen[chosen.len().saturating_sub(4)..].join("; ")
}

fn display(command: &std::process::Command) -> String {
    // Our own options are noise to whoever reads the error.
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    let mut arguments = command.get_args();
    while let Some(argument) = arguments.next() {
        if argument == "-o" {
            arguments.next();
        } else {
            words.push(argument.to_string_lossy().into_owned());
        }
    }
    shell_words::join(words)
}

async fn output(command: &std::process::Command) -> Result<std::process::Output, ToolsError> {
    // A copy, for the thread that will run it.
    let mut given = std::process::Command::new(command.get_program());
    given.args(command.get_args()).env("LC_ALL", "C.UTF-8");
    given.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        given.current_dir(folder);
    }
    given.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    child::output(given)
        .await
        .map_err(|e| ToolsError::Command { command: display(command), reason: e.to_string() })
}

/// Runs a command to its end; its standard output. What it says on failure is the error's reason.
pub(super) async fn run(command: &mut std::process::Command) -> Result<String, ToolsError> {
    let output = output(command).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = complaints(&String::from_utf8_lossy(&output.stderr));
    let reason = if said.is_empty() { output.status.to_string() } else { said };
    Err(ToolsError::Command { command: display(command), reason })
}

#[cfg(test)]
#[path = "apt_tests.rs"]
mod tests;
