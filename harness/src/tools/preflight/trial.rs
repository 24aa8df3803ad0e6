//! What only doing it can tell: namespaces, mounts, links and NAT, made in namespaces that end with the trial; cached
//! layers, summed and started.

use super::finding::Finding;
use super::kernel::CONTAINER;
use super::see::See;
use crate::cilium::Generation;
use crate::tools::layer::{self, State};
use crate::tools::{Tool, apt::run, speaker};

/// Runs in fresh namespaces; says `STEP ok`, `STEP skipped WHY` or `STEP failed WHY` a line.
const SCRIPT: &str = r#"
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
step() {
    name=$1; shift
    if said=$("$@" 2>&1); then echo "$name ok"; else echo "$name failed $(echo "$said" | tail -1)"; fi
}
need() { command -v "$1" >/dev/null 2>&1; }
echo namespaces ok
step proc mount -t proc proc /proc
step sysfs mount -t sysfs sysfs /sys
step tmpfs mount -t tmpfs tmpfs /tmp
mkdir -p /tmp/lower /tmp/upper /tmp/work /tmp/merged
step overlay mount -t overlay overlay -o lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work /tmp/merged
if need ip; then
    step veth ip link add fab0 type veth peer name fab1
    step bridge ip link add fabbr0 type bridge
else
    echo "veth skipped no ip on this host"
fi
if need iptables; then step nat iptables -t nat -A POSTROUTING -j MASQUERADE; else echo "nat skipped no iptables on this host"; fi
"#;

/// Makes what a fabric makes.
pub(super) async fn namespaces(see: &See) -> Vec<Finding> {
    let mut command = std::process::Command::new("unshare");
    if !see.root {
        command.args(["-U", "-r"]);
    }
    command.args(["-m", "-n", "-p", "-u", "--fork", "--kill-child", "sh", "-c", SCRIPT]);
    match run(&mut command).await {
        Ok(said) => said.lines().filter_map(|line| judge(line, see.root)).collect(),
        Err(error) => {
            vec![Finding::fatal("trial: namespaces", error.to_string()).remedy(remedy(see.root))]
        }
    }
}

fn remedy(root: bool) -> &'static str {
    if root {
        CONTAINER
    } else {
        "sudo sysctl -w user.max_user_namespaces=15000 && sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    }
}

/// One line of the script's as a finding.
pub(super) fn judge(line: &str, root: bool) -> Option<Finding> {
    let (step, rest) = line.split_once(' ')?;
    let subject = format!("trial: {step}");
    let (verdict, why) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(match verdict {
        "ok" => Finding::ok(&subject, "made, in namespaces of its own"),
        "skipped" => Finding::info(&subject, format!("not tried: {why}")),
        // Without it a fabric runs; nodes that use iptables do not get what they ask for.
        _ if step == "nat" => Finding::warning(&subject, why),
        _ => Finding::fatal(&subject, why).remedy(remedy(root)),
    })
}

/// The kernel's own configuration, where the kernel was built to keep it.
pub(super) async fn kernel_config(see: &See) -> Option<String> {
    let path = see.settings.on_host("proc/config.gz");
    if !path.exists() {
        return None;
    }
    run(std::process::Command::new("gzip").arg("-dc").arg(path)).await.ok()
}

/// Sums every file of each cached layer and starts its programs.
pub(super) async fn layers(see: &See) -> Vec<Finding> {
    let mut findings = Vec::new();
    let plain =
        Tool::ALL.map(|tool| (tool, tool.to_string(), layer::place(&see.settings, &see.distro, tool)));
    let speakers = Generation::ALL.map(|generation| {
        (Tool::Gobgp, generation.to_string(), speaker::place(&see.settings, &see.distro, generation))
    });
    for (tool, name, place) in plain.into_iter().chain(speakers) {
        let Some(place) = place else { continue };
        let State::Ready(ready) = layer::inspect(&place, tool) else { continue };
        let subject = format!("cache: {name}");
        let line = format!("rm -rf {}", shell_words::quote(&place.display().to_string()));
        let folder = place.clone();
        let manifest = ready.manifest;
        let count = manifest.packages.len();
        let damage = crate::tools::cache::blocking(move || manifest.deep_damage(&folder)).await;
        findings.push(match damage {
            Some(why) => Finding::warning(&subject, why).remedy(line),
            None => match layer::trial(&ready.root, tool, &place, &line).await {
                Ok(()) => Finding::ok(&subject, format!("{count} packages whole, and the programs start")),
                Err(error) => Finding::warning(&subject, error.to_string()).remedy(line),
            },
        });
    }
    findings
}
