//! Hosts made up of files, and what is found on them.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rstest::rstest;

use super::*;

struct Host {
    dir: tempfile::TempDir,
    root: bool,
}

impl Host {
    fn new(files: &[(&str, &str)]) -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap(), root: false };
        for (path, text) in [
            ("etc/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("proc/self/ns/user", ""),
            ("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n"),
            ("proc/sys/user/max_user_namespaces", "15000\n"),
            ("proc/filesystems", "nodev\tproc\nnodev\toverlay\n"),
            ("proc/sys/net/ipv6/conf/all/disable_ipv6", "0\n"),
        ] {
            host.put(path, text);
        }
        for (path, text) in files {
            host.put(path, text);
        }
        host
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn see(&self) -> See {
        let settings = Settings {
            host: self.dir.path().to_owned(),
            cache: Some(self.dir.path().join("cache")),
            assume_absent: Vec::new(),
        };
        See { distro: settings.distro(), root: self.root, settings }
    }
}

const APPARMOR: (&str, &str) = ("sys/module/apparmor/parameters/enabled", "Y\n");
const RESTRICTED: (&str, &str) = ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");

#[rstest]
#[case::allowed(&[], Level::Ok, "allowed", None)]
#[case::none_left(&[("proc/sys/user/max_user_namespaces", "0")], Level::Fatal, "is 0", Some("user.max_user_namespaces=15000"))]
#[case::debians_switch(&[("proc/sys/kernel/unprivileged_userns_clone", "0")], Level::Fatal, "for root only", Some("userns_clone=1"))]
#[case::ubuntu(&[APPARMOR, RESTRICTED, ("proc/self/attr/current", "unconfined\n")], Level::Fatal, "AppArmor", Some("restrict_unprivileged_userns=0"))]
#[case::ubuntu_profile(&[APPARMOR, RESTRICTED, ("proc/self/attr/apparmor/current", "fabric (unconfined)\n")], Level::Info, "fabric", None)]
#[case::ubuntu_without_apparmor(&[RESTRICTED], Level::Ok, "allowed", None)]
fn user_namespaces(
    #[case] files: &[(&str, &str)],
    #[case] level: Level,
    #[case] word: &str,
    #[case] remedy: Option<&str>,
) {
    let finding = kernel::user_namespaces(&Host::new(files).see());
    assert_eq!(finding.level, level, "{finding:?}");
    assert!(finding.detail.contains(word), "{finding:?}");
    assert_eq!(finding.remedy.is_some(), remedy.is_some());
    assert!(finding.remedy.unwrap_or_default().contains(remedy.unwrap_or_default()));
}

#[rstest]
#[case::full("CapEff:\t000001ffffffffff", Level::Ok)]
#[case::in_a_container("CapEff:\t00000000a80425fb", Level::Fatal)]
#[case::unreadable("", Level::Fatal)]
fn root_needs_its_capabilities(#[case] status: &str, #[case] level: Level) {
    let mut host = Host::new(&[("proc/self/status", status)]);
    host.root = true;
    assert_eq!(kernel::user_namespaces(&host.see()).level, level);
}

#[rstest]
#[case("6.1.0-13-amd64", Level::Ok)]
#[case("5.11.0", Level::Ok)]
#[case("5.10.0-8-amd64", Level::Fatal)]
#[case("strange", Level::Info)]
fn kernels(#[case] release: &str, #[case] level: Level) {
    assert_eq!(kernel::version(&Host::new(&[("proc/sys/kernel/osrelease", release)]).see()).level, level);
}

#[test]
fn kernel_features_are_told_apart() {
    let host = Host::new(&[
        ("sys/module/bridge/refcnt", "0"),
        ("lib/modules/6.1.0-13-amd64/modules.builtin", "kernel/fs/ext4/ext4.ko\n"),
        ("lib/modules/6.1.0-13-amd64/modules.dep", "kernel/drivers/net/veth.ko.xz:\n"),
    ]);
    let findings = kernel::features(&host.see(), None);
    let levels: Vec<_> = findings.iter().map(|f| (f.subject.as_str(), f.level)).collect();
    assert_eq!(
        levels,
        [
            ("kernel: overlay", Level::Ok),
            ("kernel: veth", Level::Ok),
            ("kernel: bridge", Level::Ok),
            ("kernel: nf_tables", Level::Warning)
        ]
    );
    assert!(findings[1].detail.contains("module"), "{findings:?}");
    assert_eq!(findings[3].remedy.as_deref(), Some("sudo modprobe nf_tables"));
}

#[rstest]
#[case::on(&[], Level::Ok)]
#[case::boot_parameter(&[("sys/module/ipv6/parameters/disable", "1")], Level::Fatal)]
#[case::off_in_new_namespaces(&[("sys/module/ipv6/parameters/disable_ipv6", "1")], Level::Warning)]
#[case::off_on_the_host(&[("proc/sys/net/ipv6/conf/all/disable_ipv6", "1")], Level::Info)]
fn ipv6(#[case] files: &[(&str, &str)], #[case] level: Level) {
    assert_eq!(kernel::ipv6(&Host::new(files).see()).level, level);
}

#[rstest]
#[case::debian_without_apt("ID=debian\n", "sudo apt-get update && sudo apt-get install -y frr")]
#[case::arch("ID=arch\n", "sudo pacman -S --needed frr")]
fn what_cannot_be_had_is_fatal_and_says_the_line(#[case] os_release: &str, #[case] line: &str) {
    let findings = programs::tools(&Host::new(&[("etc/os-release", os_release)]).see(), &[Tool::Frr]);
    assert_eq!((findings[0].subject.as_str(), findings[0].level), ("FRR", Level::Fatal));
    assert_eq!(findings[0].remedy.as_deref(), Some(line));
}

#[test]
fn limits_are_read() {
    assert_eq!(limits::available_mb("MemTotal: 9 kB\nMemAvailable:    2097152 kB\n"), Some(2048));
    assert_eq!(limits::available_mb("MemTotal: 9 kB\n"), None);
    let host = Host::new(&[
        ("proc/sys/net/ipv4/conf/eth0/rp_filter", "2"),
        ("proc/sys/net/ipv4/conf/default/rp_filter", "1"),
        ("proc/sys/net/ipv4/conf/all/rp_filter", "0"),
        ("proc/sys/fs/inotify/max_user_instances", "128"),
        ("proc/sys/fs/inotify/max_user_watches", "8192"),
    ]);
    let findings = limits::all(&host.see());
    let find = |subject: &str| findings.iter().find(|f| f.subject == subject).unwrap();
    assert!(find("rp_filter").detail.starts_with("all=0 default=1 eth0=2"), "{:?}", find("rp_filter"));
    assert!(find("rp_filter").detail.contains("ECMP"));
    assert!(find("inotify").remedy.as_deref().unwrap().contains("max_user_instances=512"));
}

#[test]
fn a_clock_that_runs_behind_is_told() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let built = now + Duration::from_secs(86_400);
    assert_eq!(limits::clock(now, Some(built)).unwrap().level, Level::Warning);
    assert_eq!(limits::clock(built, Some(now)).unwrap().level, Level::Ok);
    assert_eq!(limits::clock(now, None), None);
}

#[rstest]
#[case("overlay ok", Level::Ok)]
#[case("veth skipped no ip on this host", Level::Info)]
#[case("nat failed iptables: Permission denied", Level::Warning)]
#[case("proc failed mount: permission denied", Level::Fatal)]
fn trials_are_judged(#[case] line: &str, #[case] level: Level) {
    let finding = trial::judge(line, false).unwrap();
    assert_eq!(finding.level, level, "{finding:?}");
    assert_eq!(finding.remedy.is_some(), level == Level::Fatal);
}

#[test]
fn findings_as_text_and_json() {
    let findings =
        [Finding::ok("kernel", "6.1"), Finding::fatal("FRR", "not on this host").remedy("sudo apk add frr")];
    let text = to_text(&findings);
    assert_eq!(
        text,
        "ok       kernel  6.1\nfatal    FRR     not on this host\n                 type: sudo apk add frr\n\
         This machine cannot run a fabric yet: 1 fatal finding above.\n"
    );
    let json = to_json(&findings);
    assert_eq!(json["level"], "fatal");
    assert_eq!(json["findings"][1]["remedy"], "sudo apk add frr");
    assert_eq!(json["findings"][0]["remedy"], serde_json::Value::Null);
    assert_eq!(worst(&[]), Level::Ok);
    assert!(to_text(&findings[..1]).ends_with("This machine can run a fabric.\n"));
}

#[test]
fn the_preflight_of_this_machine_is_quick_and_every_problem_has_a_line_to_type() {
    let findings = preflight();
    for finding in findings.iter().filter(|f| f.level == Level::Fatal && f.subject != "kernel") {
        assert!(finding.remedy.is_some(), "{finding:?}");
    }
    for subject in ["user namespaces", "kernel: veth", "FRR", "GoBGP", "rp_filter", "docker"] {
        assert!(findings.iter().any(|f| f.subject == subject), "{subject}");
    }
}
