//! How much there is: open files, inotify, memory, disk; and what a fabric inherits: rp_filter, the clock.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::finding::Finding;
use super::see::See;

/// What the article's lab uses with everything up, with room to spare.
const MEMORY_MB: u64 = 512;
/// Every tool's layer and the room to make it in.
const DISK_MB: u64 = 300;
/// A namespace costs two descriptors, a node a few more.
const FILES: u64 = 1024;

pub(super) fn all(see: &See) -> Vec<Finding> {
    let mut findings = vec![open_files(), memory(see), cache(see), rp_filter(see), inotify(see)];
    findings.extend(clock(SystemTime::now(), built()));
    findings
}

fn open_files() -> Finding {
    const SUBJECT: &str = "open files";
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Err(error) => Finding::info(SUBJECT, format!("the limit cannot be read: {error}")),
        Ok((soft, hard)) if soft < FILES => {
            Finding::warning(SUBJECT, format!("at most {soft} (hard limit {hard}); a large lab needs more"))
                .remedy(format!("ulimit -n {}", hard.min(4096)))
        }
        Ok((soft, hard)) => Finding::ok(SUBJECT, format!("at most {soft} (hard limit {hard})")),
    }
}

fn memory(see: &See) -> Finding {
    const SUBJECT: &str = "memory";
    let info = see.text("proc/meminfo").unwrap_or_default();
    match available_mb(&info) {
        None => Finding::info(SUBJECT, "/proc/meminfo does not say what is available"),
        Some(free) if free < MEMORY_MB => {
            Finding::warning(SUBJECT, format!("{free} MB available; a small lab needs about {MEMORY_MB} MB"))
                .remedy("ps aux --sort=-rss | head")
        }
        Some(free) => Finding::ok(SUBJECT, format!("{free} MB available")),
    }
}

/// `MemAvailable` of /proc/meminfo, in MB.
pub(super) fn available_mb(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}

/// The folder of fetched packages: whether it can be written to, has room, and may hold programs.
fn cache(see: &See) -> Finding {
    const SUBJECT: &str = "cache";
    const REMEDY: &str = "export FABRIC_CACHE_DIR=/a/folder/you/may/write/to";
    let Some(cache) = see.settings.cache.as_deref() else {
        return Finding::warning(SUBJECT, "no folder is known for it, so nothing can be fetched")
            .remedy(REMEDY);
    };
    let there = existing(cache);
    if nix::unistd::access(&there, nix::unistd::AccessFlags::W_OK).is_err() {
        return Finding::warning(SUBJECT, format!("{} may not be written to", there.display()))
            .remedy(REMEDY);
    }
    match statvfs(&there) {
        Err(error) => Finding::info(SUBJECT, format!("{}: {error}", there.display())),
        Ok(stat) if stat.flags().contains(FsFlags::ST_NOEXEC) => Finding::warning(
            SUBJECT,
            format!("{} is on a file system mounted noexec: fetched programs cannot run", there.display()),
        )
        .remedy(REMEDY),
        Ok(stat) => {
            let free = stat.blocks_available().saturating_mul(stat.fragment_size()) / (1024 * 1024);
            let detail = format!("{}, {free} MB free", cache.display());
            if free < DISK_MB {
                Finding::warning(SUBJECT, format!("{detail}; fetched packages need about {DISK_MB} MB"))
                    .remedy(REMEDY)
            } else {
                Finding::ok(SUBJECT, detail)
            }
        }
    }
}

fn existing(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// rp_filter as it is: new namespaces take `all` and `default` from the host, and the stricter of `all` and the
/// interface's own value counts (ip-sysctl).
fn rp_filter(see: &See) -> Finding {
    const FOLDER: &str = "proc/sys/net/ipv4/conf";
    let mut values: Vec<(String, i64)> = std::fs::read_dir(see.settings.on_host(FOLDER))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let value = see.number(&format!("{FOLDER}/{name}/rp_filter"))?;
            Some((name, value))
        })
        .collect();
    // `all` and `default` first: they are the ones that matter elsewhere.
    values.sort_by_key(|(name, _)| (name != "all", name != "default", name.clone()));
    let listed: Vec<String> = values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let strict = values.iter().any(|(name, value)| (name == "all" || name == "default") && *value == 1);
    let note = if strict { "; strict (1) drops packets that return by another ECMP path" } else { "" };
    Finding::info("rp_filter", format!("{} (0 off, 1 strict, 2 loose){note}", listed.join(" ")))
}

/// kind asks for more of inotify than most hosts give; the twin asks for nothing.
fn inotify(see: &See) -> Finding {
    const SUBJECT: &str = "inotify";
    let number = |name: &str| see.number(&format!("proc/sys/fs/inotify/{name}"));
    let (Some(instances), Some(watches)) = (number("max_user_instances"), number("max_user_watches")) else {
        return Finding::info(SUBJECT, "this kernel does not tell its limits");
    };
    let detail = format!("{instances} instances, {watches} watches per user");
    if instances < 512 || watches < 524_288 {
        Finding::info(SUBJECT, format!("{detail}; kind (--env lab) with several nodes needs 512 and 524288"))
            .remedy("sudo sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288")
    } else {
        Finding::ok(SUBJECT, detail)
    }
}

/// When this program was built: the clock cannot be earlier.
fn built() -> Option<SystemTime> {
    std::env::current_exe().ok()?.metadata().ok()?.modified().ok()
}

/// A clock that runs behind makes TLS certificates and signed package lists "not yet valid".
pub(super) fn clock(now: SystemTime, built: Option<SystemTime>) -> Option<Finding> {
    const SUBJECT: &str = "clock";
    const TOLERATED: Duration = Duration::from_secs(3600);
    let behind = built?.duration_since(now).unwrap_or_default();
    let shown = chrono::DateTime::<chrono::Utc>::from(now).format("%Y-%m-%d %H:%M:%S UTC");
    Some(if behind > TOLERATED {
        Finding::warning(SUBJECT, format!("{shown}, which is before this program was built: it runs behind"))
            .remedy("sudo timedatectl set-ntp true")
    } else {
        Finding::ok(SUBJECT, shown.to_string())
    })
}
