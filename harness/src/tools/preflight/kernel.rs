//! What the kernel allows and has: user namespaces, overlay, veth, bridge, nf_tables, IPv6. Read from /proc and /sys;
//! the trial that really does these things is in `trial`.

use super::finding::Finding;
use super::see::{CAP_NET_ADMIN, CAP_SYS_ADMIN, See};

/// Whether we may make namespaces.
pub(super) fn user_namespaces(see: &See) -> Finding {
    const SUBJECT: &str = "user namespaces";
    if see.root {
        return if see.capable(CAP_SYS_ADMIN) && see.capable(CAP_NET_ADMIN) {
            Finding::ok(SUBJECT, "not needed: running as root with CAP_SYS_ADMIN and CAP_NET_ADMIN")
        } else {
            Finding::fatal(
                SUBJECT,
                "running as root, but without CAP_SYS_ADMIN or CAP_NET_ADMIN: a container?",
            )
            .remedy(CONTAINER)
        };
    }
    if !see.exists("proc/self/ns/user") {
        return Finding::fatal(SUBJECT, "this kernel has none (CONFIG_USER_NS)")
            .remedy("run as root, or boot a distribution's own kernel");
    }
    if see.number("proc/sys/user/max_user_namespaces") == Some(0) {
        return Finding::fatal(SUBJECT, "switched off: user.max_user_namespaces is 0")
            .remedy("sudo sysctl -w user.max_user_namespaces=15000");
    }
    // Debian's own switch, on kernels before 5.10 off by default.
    if see.number("proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Finding::fatal(SUBJECT, "for root only: kernel.unprivileged_userns_clone is 0")
            .remedy("sudo sysctl -w kernel.unprivileged_userns_clone=1");
    }
    // Ubuntu since 23.10: a namespace may be made, but has no capabilities, unless an AppArmor profile grants it.
    let restricted = see.number("proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1)
        && see.text("sys/module/apparmor/parameters/enabled").as_deref() == Some("Y");
    let label = see.text("proc/self/attr/apparmor/current").or_else(|| see.text("proc/self/attr/current"));
    let unconfined = label.as_deref().is_none_or(|label| label.is_empty() || label == "unconfined");
    match (restricted, unconfined) {
        (false, _) => Finding::ok(SUBJECT, "allowed"),
        (true, true) => Finding::fatal(
            SUBJECT,
            "without capabilities: AppArmor restricts them for programs that have no profile \
             (kernel.apparmor_restrict_unprivileged_userns is 1)",
        )
        .remedy("sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        (true, false) => Finding::info(
            SUBJECT,
            format!("restricted by AppArmor, unless our profile ({}) grants them", label.unwrap_or_default()),
        ),
    }
}

pub(super) const CONTAINER: &str = "docker run --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined \
     --security-opt apparmor=unconfined --security-opt systempaths=unconfined ...";

/// Whether the kernel is new enough: 5.11 is the first to mount overlay in a user namespace.
pub(super) fn version(see: &See) -> Finding {
    const SUBJECT: &str = "kernel";
    let release = see.kernel();
    match parse_release(&release) {
        None => Finding::info(SUBJECT, format!("its release, `{release}`, does not begin with a version")),
        Some(version) if version >= (5, 11) => Finding::ok(SUBJECT, release),
        Some(_) if see.root => Finding::warning(SUBJECT, format!("{release}: tested from 5.11 on")),
        Some(_) => Finding::fatal(
            SUBJECT,
            format!("{release}: overlay in a user namespace needs 5.11; run as root or boot a newer one"),
        ),
    }
}

/// `6.1.0-13-amd64` is (6, 1).
pub(super) fn parse_release(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// A part of the kernel that fabrics need.
struct Feature {
    name: &'static str,
    module: &'static str,
    config: &'static str,
    needed_for: &'static str,
    fatal: bool,
}

const FEATURES: [Feature; 4] = [
    Feature {
        name: "overlay",
        module: "overlay",
        config: "CONFIG_OVERLAY_FS",
        needed_for: "each node's own /etc and /var, and fetched packages",
        fatal: true,
    },
    Feature { name: "veth", module: "veth", config: "CONFIG_VETH", needed_for: "every link", fatal: true },
    Feature {
        name: "bridge",
        module: "bridge",
        config: "CONFIG_BRIDGE",
        needed_for: "the management network and bridge nodes",
        fatal: true,
    },
    Feature {
        name: "nf_tables",
        module: "nf_tables",
        config: "CONFIG_NF_TABLES",
        needed_for: "labs whose nodes use iptables",
        fatal: false,
    },
];

#[derive(Debug, PartialEq, Eq)]
enum Has {
    /// Built in, or loaded.
    There,
    /// A module that the kernel loads when it is first asked for.
    Loadable,
    Not,
    Unknown,
}

/// Whether the kernel has what fabrics need. `config` is the kernel's configuration, where someone has read it.
pub(super) fn features(see: &See, config: Option<&str>) -> Vec<Finding> {
    let release = see.kernel();
    let boot = see.text(&format!("boot/config-{release}"));
    let config = config.or(boot.as_deref());
    let filesystems = see.text("proc/filesystems").unwrap_or_default();
    let modules = |file: &str| see.text(&format!("lib/modules/{release}/{file}"));
    let (builtin, loadable) = (modules("modules.builtin"), modules("modules.dep"));
    FEATURES
        .iter()
        .map(|feature| {
            let subject = format!("kernel: {}", feature.name);
            let file = format!("/{}.ko", feature.module);
            let mounted =
                filesystems.lines().any(|line| line.split_whitespace().last() == Some(feature.name));
            let has = if mounted || see.exists(&format!("sys/module/{}", feature.module)) {
                Has::There
            } else {
                by_lists(
                    &file,
                    builtin.as_deref(),
                    loadable.as_deref(),
                    config.map(|text| setting(text, feature.config)),
                )
            };
            match has {
                Has::There => Finding::ok(&subject, format!("there; for {}", feature.needed_for)),
                Has::Loadable => Finding::ok(&subject, "a module, loaded on first use"),
                Has::Unknown => Finding::info(&subject, "no file tells; `fabric doctor` tries it"),
                Has::Not => {
                    let make = if feature.fatal { Finding::fatal } else { Finding::warning };
                    // Ubuntu's cloud kernels keep much in a package of its own.
                    let line = if see.distro.id == "ubuntu" {
                        format!("sudo apt-get install -y linux-modules-extra-{release}")
                    } else {
                        format!("sudo modprobe {}", feature.module)
                    };
                    make(&subject, format!("this kernel lacks it; needed for {}", feature.needed_for))
                        .remedy(line)
                }
            }
        })
        .collect()
}

fn by_lists(file: &str, builtin: Option<&str>, loadable: Option<&str>, config: Option<Setting>) -> Has {
    if builtin.is_some_and(|list| list.lines().any(|line| line.ends_with(file))) {
        return Has::There;
    }
    // `kernel/drivers/net/veth.ko.zst: needed.ko ...`
    let names_it = |line: &str| line.split(':').next().is_some_and(|path| path.contains(file));
    if loadable.is_some_and(|list| list.lines().any(names_it)) {
        return Has::Loadable;
    }
    match (config, builtin.is_some() && loadable.is_some()) {
        (Some(Setting::BuiltIn), _) => Has::There,
        (Some(Setting::Module), false) => Has::Loadable,
        (Some(Setting::Off), _) | (_, true) => Has::Not,
        (None, false) => Has::Unknown,
    }
}

/// What a kernel configuration says about one of its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setting {
    BuiltIn,
    Module,
    Off,
}

fn setting(config: &str, option: &str) -> Setting {
    let value = config.lines().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == option);
    match value.map(|(_, value)| value.trim()) {
        Some("y") => Setting::BuiltIn,
        Some("m") => Setting::Module,
        _ => Setting::Off,
    }
}

/// Whether namespaces can have IPv6: sessions over unnumbered links run on its link-local addresses.
pub(super) fn ipv6(see: &See) -> Finding {
    const SUBJECT: &str = "IPv6";
    if !see.exists("proc/sys/net/ipv6") || see.number("sys/module/ipv6/parameters/disable") == Some(1) {
        return Finding::fatal(
            SUBJECT,
            "this kernel runs without it; BGP over unnumbered links needs link-local addresses",
        )
        .remedy("sudo sed -i 's/ipv6.disable=1//' /etc/default/grub && sudo update-grub && sudo reboot");
    }
    if see.number("sys/module/ipv6/parameters/disable_ipv6") == Some(1) {
        return Finding::warning(
            SUBJECT,
            "off by default in every new namespace (boot parameter ipv6.disable_ipv6=1)",
        )
        .remedy(
            "sudo sed -i 's/ipv6.disable_ipv6=1//' /etc/default/grub && sudo update-grub && sudo reboot",
        );
    }
    if see.number("proc/sys/net/ipv6/conf/all/disable_ipv6") == Some(1) {
        return Finding::info(SUBJECT, "off on this host, on in new namespaces: that is all a fabric needs");
    }
    Finding::ok(SUBJECT, "on")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("6.1.0-13-amd64", Some((6, 1)))]
    #[case("5.11", Some((5, 11)))]
    #[case("6.18.44-fc-v595", Some((6, 18)))]
    #[case("unknown", None)]
    #[case("", None)]
    #[case("99999999999.1", None)]
    fn releases(#[case] release: &str, #[case] version: Option<(u32, u32)>) {
        assert_eq!(parse_release(release), version);
    }

    #[rstest]
    #[case::built_in(Some("kernel/drivers/net/veth.ko\n"), Some(""), None, Has::There)]
    #[case::module(Some(""), Some("kernel/drivers/net/veth.ko.zst: kernel/x.ko\n"), None, Has::Loadable)]
    #[case::only_needed_by(Some(""), Some("kernel/x.ko: kernel/drivers/net/veth.ko\n"), None, Has::Not)]
    #[case::config_yes(None, None, Some(Setting::BuiltIn), Has::There)]
    #[case::config_module(None, None, Some(Setting::Module), Has::Loadable)]
    #[case::config_module_not_installed(Some(""), Some(""), Some(Setting::Module), Has::Not)]
    #[case::config_no(None, None, Some(Setting::Off), Has::Not)]
    #[case::nothing_to_read(None, None, None, Has::Unknown)]
    fn lists(
        #[case] builtin: Option<&str>,
        #[case] loadable: Option<&str>,
        #[case] config: Option<Setting>,
        #[case] expected: Has,
    ) {
        assert_eq!(by_lists("/veth.ko", builtin, loadable, config), expected);
    }

    #[test]
    fn settings_of_a_configuration() {
        let config = "CONFIG_VETH=y\nCONFIG_BRIDGE=m\n# CONFIG_NF_TABLES is not set\nCONFIG_VETH_X=n\n";
        assert_eq!(setting(config, "CONFIG_VETH"), Setting::BuiltIn);
        assert_eq!(setting(config, "CONFIG_BRIDGE"), Setting::Module);
        assert_eq!(setting(config, "CONFIG_NF_TABLES"), Setting::Off);
    }
}
