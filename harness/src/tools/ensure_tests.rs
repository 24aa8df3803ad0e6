//! Tests of finding and refusing on made-up hosts; the real fetch is in `live`.

use std::os::unix::fs::PermissionsExt;

use rstest::rstest;

use super::*;

struct Host {
    dir: tempfile::TempDir,
    settings: Settings,
}

fn host(os_release: &str, programs: &[&str]) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    put("etc/os-release", os_release);
    put(
        dpkg::STATUS,
        "Package: iputils-ping\nStatus: install ok installed\nVersion: 3:20221126-1+deb12u1\n\n\
         Package: gobgpd\nStatus: install ok installed\nVersion: 3.10.0-1+b4\n",
    );
    for program in programs {
        put(program, "#!/bin/sh\necho gobgpd version 4.1.0\n");
    }
    let settings = Settings { host: root, cache: Some(dir.path().join("cache")), assume_absent: Vec::new() };
    Host { dir, settings }
}

const DEBIAN: &str = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";

#[tokio::test]
async fn a_hosts_own_tools_need_no_layer() {
    let host = host(DEBIAN, &["usr/bin/ping", "usr/bin/gobgpd", "usr/bin/gobgp"]);
    let told = |line: &str| panic!("nothing takes long here: {line}");
    let layers = ensure_with(&host.settings, &[Tool::Ping, Tool::Gobgp, Tool::Ping], &told).await.unwrap();
    assert!(layers.dirs.is_empty());
    assert_eq!(layers.provided.len(), 2, "asked twice, provided once");
    assert_eq!(layers.version(Tool::Ping), Some("20221126"));
    assert_eq!(layers.version(Tool::Gobgp), Some("3.10.0"));
    assert_eq!(layers.provided[0].path, Path::new("/usr/bin/ping"));
    assert!(!host.dir.path().join("cache").exists(), "the cache is not touched");
}

#[tokio::test]
async fn a_program_no_package_owns_is_asked_for_its_version() {
    let host = host(DEBIAN, &["usr/local/bin/gobgpd", "usr/local/bin/gobgp"]);
    assert_eq!(present_with(&host.settings, &[Tool::Gobgp]).layers.version(Tool::Gobgp), None);
    let layers = ensure_with(&host.settings, &[Tool::Gobgp], &|_| ()).await.unwrap();
    assert_eq!(layers.versions(), BTreeMap::from([("GoBGP".to_owned(), "4.1.0".to_owned())]));
}

#[rstest]
#[case("ID=fedora\nPRETTY_NAME=\"Fedora Linux 43\"\n", "Fedora Linux 43", "sudo dnf install -y frr")]
#[case("ID=alpine\n", "alpine", "sudo apk add frr")]
#[case::debian_without_apt(DEBIAN, "bookworm", "sudo apt-get install -y frr")]
#[tokio::test]
async fn where_nothing_can_be_fetched_the_line_to_type_is_told(
    #[case] os_release: &str,
    #[case] name: &str,
    #[case] line: &str,
) {
    let host = host(os_release, &["usr/bin/ping"]);
    let error = ensure_with(&host.settings, &[Tool::Ping, Tool::Frr], &|_| ()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(&error, ToolsError::Missing { missing, .. } if *missing == [Tool::Frr]), "{text}");
    assert!(text.contains("FRR is not on this host") && text.contains(name) && text.contains(line), "{text}");
}

#[test]
fn a_damaged_layer_counts_as_missing_and_says_why() {
    let host = host(DEBIAN, &[]);
    let place = layer::place(&host.settings, &host.settings.distro(), Tool::Frr).unwrap();
    std::fs::create_dir_all(place.join("root")).unwrap();
    let presence = present_with(&host.settings, &[Tool::Frr]);
    assert_eq!(presence.missing, [Tool::Frr]);
    assert!(presence.damaged[0].contains("manifest.json"), "{:?}", presence.damaged);
}

#[rstest]
#[case("bgpd version 8.4.4\nCopyright 1996-2005", Some("8.4.4"))]
#[case("gobgpd version 3.10.0\n", Some("3.10.0"))]
#[case("ping from iputils 20221126\nlibcap: yes", Some("20221126"))]
#[case("ip utility, iproute2-6.1.0, libbpf 1.1.0", Some("6.1.0"))]
#[case("iptables v1.8.9 (nf_tables)", Some("1.8.9"))]
#[case("Modern traceroute for Linux, version 2.1.2", Some("2.1.2"))]
#[case("usage: gobgpd", None)]
fn versions_out_of_what_programs_say(#[case] said: &str, #[case] version: Option<&str>) {
    assert_eq!(version_in(said).as_deref(), version);
}
