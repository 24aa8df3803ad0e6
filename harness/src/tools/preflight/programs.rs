//! The programs: what nodes need and where it comes from, and what other environments would use.

use super::finding::Finding;
use super::see::See;
use crate::tools::apt::Apt;
use crate::tools::{Family, Origin, Tool, host, present_with};

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
            };
            Finding::ok(&info.tool.to_string(), format!("{version}, {}, {from}", info.path.display()))
        })
        .collect();
    findings.extend(presence.missing.iter().map(|tool| {
        let subject = tool.to_string();
        if fetchable {
            Finding::info(&subject, "not on this host; the first run fetches it as a package into the cache")
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

/// What only the other environments use.
pub(super) fn optional(see: &See) -> Vec<Finding> {
    let socket = "var/run/docker.sock";
    ["docker", "kind", "helm", "containerlab", "kubectl"]
        .into_iter()
        .map(|name| {
            let Some(path) = host::program_under(&see.settings.host, name) else {
                return Finding::info(name, "not there; only --env lab and --runtime docker use it");
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
