//! The real fetch, from the host's real package archive; run by `FABRIC_LIVE_FETCH=1 cargo test -- tools::live`, and not
//! otherwise, since it needs a network and a Debian or Ubuntu host.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use super::*;
use crate::cilium::Generation;

fn wanted() -> bool {
    let wanted = std::env::var_os("FABRIC_LIVE_FETCH").is_some();
    if !wanted {
        eprintln!("skipped: set FABRIC_LIVE_FETCH=1 to fetch real packages");
    }
    wanted
}

/// Runs a script as root of a user namespace in which the layers lie over the host's /usr, the host's own FRR, GoBGP,
/// tools and the libraries that only they need being whited out, so that nothing but the layers can have them.
fn in_a_node(dirs: &[std::path::PathBuf], script: &str) -> Output {
    let lower: Vec<String> = dirs.iter().map(|dir| dir.join("usr").display().to_string()).collect();
    let setup = "set -e
        mount -t tmpfs none /mnt
        cd /usr
        for f in lib/frr lib/*/frr lib/*/libyang.so* lib/*/libcares.so* lib/*/libxtables.so* bin/vtysh bin/gobgp* bin/ping bin/traceroute* \
            sbin/iptables; do
            if [ -e $f ]; then mkdir -p /mnt/hide/${f%/*}; mknod /mnt/hide/$f c 0 0; fi
        done
        cd /; mkdir -p /mnt/hide /mnt/only
        mount -t overlay none -o lowerdir=/mnt/hide:/usr /mnt/only
        for f in lib/frr/bgpd bin/vtysh bin/gobgpd bin/ping sbin/iptables; do [ ! -e /mnt/only/$f ]; done
        mount -t overlay none -o lowerdir=$LOWER:/mnt/hide:/usr /usr
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n";
    Command::new("unshare")
        .args(["-U", "-r", "-m", "-n", "sh", "-c", &format!("{setup}{script}")])
        .env("LOWER", lower.join(":"))
        .output()
        .unwrap()
}

#[tokio::test]
async fn what_the_host_lacks_is_fetched_and_runs() {
    if !wanted() {
        return;
    }
    let given = std::env::var_os("FABRIC_CACHE_DIR").map(std::path::PathBuf::from);
    let room = tempfile::tempdir().unwrap();
    let settings = Settings {
        host: "/".into(),
        cache: Some(given.unwrap_or_else(|| room.path().to_owned())),
        assume_absent: Tool::ALL.to_vec(),
    };
    let started = Instant::now();
    let tell = |line: &str| eprintln!("  {:6.2} s  {line}", started.elapsed().as_secs_f64());
    let layers = ensure_with(&settings, &Tool::ALL, &tell).await.unwrap();
    eprintln!("first run: {:?}", started.elapsed());
    for info in &layers.provided {
        eprintln!(
            "  {} {:?} {} [{}]",
            info.tool,
            info.version,
            info.path.display(),
            info.packages.join(", ")
        );
        assert!(matches!(&info.origin, Origin::Layer(dir) if layers.dirs.contains(dir)), "{info:?}");
    }

    let silent = |line: &str| panic!("the second run has nothing to tell: {line}");
    for &tool in &Tool::ALL {
        let again = Instant::now();
        present_with(&settings, &[tool]);
        eprintln!("  looking at {tool}: {:?}", again.elapsed());
    }
    let again = Instant::now();
    assert_eq!(ensure_with(&settings, &Tool::ALL, &silent).await.unwrap(), layers);
    eprintln!("second run: {:?}", again.elapsed());

    let output = in_a_node(
        &layers.dirs,
        "/usr/lib/frr/bgpd --version | head -1; /usr/lib/frr/zebra --version | head -1; vtysh --help | head -1
         gobgpd --version; gobgp --version; ping -V; traceroute -V 2>&1; ip -V; iptables -t nat -A POSTROUTING -j MASQUERADE; iptables -t nat -S",
    );
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    eprintln!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    for word in [
        "bgpd version",
        "zebra version",
        "vtysh",
        "gobgpd version",
        "gobgp version",
        "ping from",
        "traceroute",
        "ip utility",
        "-j MASQUERADE",
    ] {
        assert!(said.contains(word), "{word} is missing");
    }

    // A file cut short, as by a full disk, is noticed, and the layer is fetched again.
    let bgpd = layers.dirs[0].join("usr/lib/frr/bgpd");
    std::fs::write(&bgpd, "cut").unwrap();
    assert_eq!(present_with(&settings, &Tool::ALL).missing, [Tool::Frr]);
    let again = ensure_with(&settings, &Tool::ALL, &tell).await.unwrap();
    assert_eq!(again, layers);
    assert!(std::fs::metadata(&bgpd).unwrap().len() > 1000);
    let left: Vec<_> = work_folders(settings.cache.as_deref().unwrap());
    assert!(left.is_empty(), "{left:?}");
}

fn work_folders(cache: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(cache.join("packages")).unwrap().flatten();
    entries.map(|e| e.path()).filter(|p| p.to_string_lossy().contains(".work-")).collect()
}

#[tokio::test]
async fn two_at_once_fetch_once() {
    if !wanted() {
        return;
    }
    let room = tempfile::tempdir().unwrap();
    let settings =
        Settings { host: "/".into(), cache: Some(room.path().to_owned()), assume_absent: vec![Tool::Gobgp] };
    let fetched = std::sync::atomic::AtomicUsize::new(0);
    let tell = |line: &str| {
        eprintln!("  {line}");
        if line.starts_with("unpacking") {
            fetched.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    };
    let (one, two) = tokio::join!(
        ensure_with(&settings, &[Tool::Gobgp], &tell),
        ensure_with(&settings, &[Tool::Gobgp], &tell)
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(fetched.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_speaker_of_each_generation_is_fetched_once() {
    if !wanted() {
        return;
    }
    let room = tempfile::tempdir().unwrap();
    let settings =
        Settings { host: "/".into(), cache: Some(room.path().to_owned()), assume_absent: vec![Tool::Gobgp] };
    for wanted in Generation::ALL {
        let started = Instant::now();
        let tell = |line: &str| eprintln!("  {:6.2} s  {line}", started.elapsed().as_secs_f64());
        let layers = ensure_speaker_with(&settings, &[Tool::Gobgp], Some(wanted), &tell).await.unwrap();
        assert_eq!((&layers.warnings, layers.dirs.len()), (&Vec::new(), 1));
        let version = layers.version(Tool::Gobgp).unwrap();
        assert_eq!(Generation::of(version), Some(wanted), "{version}");
        let silent = |line: &str| panic!("the second run has nothing to tell: {line}");
        let again = ensure_speaker_with(&settings, &[Tool::Gobgp], Some(wanted), &silent).await.unwrap();
        assert_eq!(again, layers);
        // Laid over a host that has another one, it is the one that a node finds.
        let output = in_a_node(&layers.dirs, "gobgpd --version; gobgp --version\n");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.matches(version).count(), 2, "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What a run does, by the environment alone: try it twice with FABRIC_ASSUME_ABSENT set.
#[tokio::test]
async fn as_the_environment_says() {
    if !wanted() {
        return;
    }
    let started = Instant::now();
    let tell = |line: &str| eprintln!("  {:6.2} s  {line}", started.elapsed().as_secs_f64());
    match ensure(&[Tool::Frr, Tool::Gobgp, Tool::Ping, Tool::Traceroute], &tell).await {
        Ok(layers) => eprintln!("{:?}: {:?} from {:?}", started.elapsed(), layers.versions(), layers.dirs),
        Err(error) => panic!("{:?}: {error}", started.elapsed()),
    }
}

#[tokio::test]
async fn doctor_of_this_machine() {
    if !wanted() {
        return;
    }
    let started = Instant::now();
    let quick = preflight();
    eprintln!("preflight: {:?}", started.elapsed());
    let started = Instant::now();
    let findings = doctor().await;
    eprintln!("doctor: {:?}\n{}", started.elapsed(), to_text(&findings));
    assert!(findings.len() > quick.len());
    assert!(worst(&findings) < Level::Fatal);
}
