//! The programs: what nodes need and where it comes from, and what other environments would use.

use super::finding::Finding;
use super::see::See;
use crate::cilium::{Generation, known_lines, newest_known};
use crate::outside::{Program, shown};
use crate::tools::apt::Apt;
use crate::tools::{Family, Origin, Tool, host, present_with, speaker};

/// Each tool a node needs: the host's, a layer's, to be fetched, or not to be had.
pub(super) fn tools(see: &See, needs: &[Tool]) -> Vec<Finding> {
    let presence = present_with(&see.settings, needs);
    let fetchable = see.distro.family == Family::Debian && Apt::is_here(&see.settings);
    let mut findings: Vec<Finding> = presence
        .layers
        .provided
        .iter()
        .map(|info| {
            let version = info.version.as_deref().unwrap_or("of unknown version");
            let from = match &info.origin {
                Origin::Host => "this host's".to_owned(),
                Origin::Layer(dir) => format!("fetched, in {}", dir.display()),
                Origin::Image(image) => format!("of the image {image}"),
            };
            Finding::ok(&info.tool.to_string(), format!("{version}, {}, {from}", info.path.display()))
        })
        .collect();
    findings.extend(presence.missing.iter().map(|tool| {
        let subject = tool.to_string();
        if fetchable && tool.is_seldom() {
            Finding::info(&subject, "not on this host; the first lab that needs it fetches it as a package")
        } else if fetchable {
            Finding::info(&subject, "not on this host; the first run fetches it as a package into the cache")
        } else if tool.is_seldom() {
            let remedy = see.distro.install_line(&[*tool]);
            Finding::info(&subject, "not on this host; only a lab with a router that runs it needs it")
                .remedy(remedy)
        } else {
            Finding::fatal(&subject, format!("not on this host ({})", see.distro.name))
                .remedy(see.distro.install_line(&[*tool]))
        }
    }));
    findings.extend(
        presence.damaged.iter().map(|why| {
            Finding::info("cache", format!("a layer is damaged and will be fetched again: {why}"))
        }),
    );
    findings.extend(speakers(see, fetchable));
    findings.push(if fetchable {
        Finding::ok("packages", format!("{}: what is missing can be fetched without root", see.distro.name))
    } else {
        Finding::info(
            "packages",
            format!("{}: nothing can be fetched without apt-get and dpkg-deb", see.distro.name),
        )
    });
    findings
}

/// Which GoBGP the nodes of a lab would run, by its Cilium's version.
fn speakers(see: &See, fetchable: bool) -> Vec<Finding> {
    let at_hand = speaker::at_hand(&see.settings);
    Generation::ALL
        .into_iter()
        .map(|generation| {
            let subject = format!("GoBGP for Cilium {}", lines_of(generation));
            let found = at_hand.iter().find(|info| speaker::generation(info) == Some(generation));
            match found {
                Some(info) => {
                    let from = match &info.origin {
                        Origin::Host => "this host's".to_owned(),
                        Origin::Layer(dir) => format!("fetched, in {}", dir.display()),
                        Origin::Image(image) => format!("of the image {image}"),
                    };
                    Finding::ok(&subject, format!("{}, {from}", info.version.as_deref().unwrap_or_default()))
                }
                None if fetchable => {
                    Finding::info(&subject, format!("{generation}: the first lab that needs it fetches it"))
                }
                None => Finding::info(
                    &subject,
                    format!("{generation} is not here: such a lab runs the nearest GoBGP, with its timers"),
                ),
            }
        })
        .collect()
}

/// The lines of Cilium that embed a generation, for people: `1.12 to 1.17`.
fn lines_of(generation: Generation) -> String {
    let mut lines = known_lines().filter(|row| row.generation == generation).map(|row| row.line);
    let Some(first) = lines.next() else { return "of no version".to_owned() };
    let last = lines.last().unwrap_or(first);
    if last == newest_known() {
        return format!("{}.{} and later", first.0, first.1);
    }
    format!("{}.{} to {}.{}", first.0, first.1, last.0, last.1)
}

/// What only the other environments use.
pub(super) fn optional(see: &See) -> Vec<Finding> {
    let socket = "var/run/docker.sock";
    Program::ALL
        .into_iter()
        .map(|program| {
            let name = program.name();
            let Some(path) = host::program_under(&see.settings.host, name) else {
                return Finding::info(name, "not there; only --env lab and --runtime docker use it")
                    .remedy(program.install_line());
            };
            let mut detail = path.display().to_string();
            if name == "docker" {
                let access =
                    nix::unistd::access(&see.settings.on_host(socket), nix::unistd::AccessFlags::W_OK);
                detail.push_str(match access {
                    Ok(()) => ", its daemon's socket is ours to use",
                    Err(nix::errno::Errno::ENOENT) => ", its daemon does not run",
                    Err(_) => ", its daemon's socket is not ours to use",
                });
            }
            Finding::info(name, detail)
        })
        .collect()
}

/// The versions of those that are there, by running them; one that is too old is a warning.
pub(super) async fn versions(see: &See, findings: &mut [Finding]) {
    for program in Program::ALL {
        let Some(path) = host::program_under(&see.settings.host, program.name()) else { continue };
        let Some(finding) = findings.iter_mut().find(|finding| finding.subject == program.name()) else {
            continue;
        };
        let (oldest, why) = program.oldest();
        match program.version(&path).await {
            None => finding.detail.push_str(", which does not say its version"),
            Some(version) if version < oldest => {
                let detail = format!(
                    "{}, {}; the oldest that will do is {} ({why})",
                    shown(version),
                    finding.detail,
                    shown(oldest)
                );
                *finding = Finding::warning(program.name(), detail).remedy(program.install_line());
            }
            Some(version) => finding.detail = format!("{}, {}", shown(version), finding.detail),
        }
    }
}
