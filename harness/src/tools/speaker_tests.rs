//! Tests of choosing a GoBGP on made-up hosts; the real fetch is in `live`.

use std::os::unix::fs::PermissionsExt;

use rstest::rstest;

use super::super::manifest::{Manifest, Package};
use super::*;

const DEBIAN: &str = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";

struct Host {
    _dir: tempfile::TempDir,
    settings: Settings,
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A host with neither apt nor dpkg-deb, so that nothing can be fetched; with gobgpd `version` of a package, if any.
fn host(version: Option<&str>) -> Host {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    put(&root, "etc/os-release", DEBIAN);
    if let Some(version) = version {
        let status = format!("Package: gobgpd\nStatus: install ok installed\nVersion: {version}\n");
        put(&root, dpkg::STATUS, &status);
        put(&root, "usr/bin/gobgpd", "#!/bin/sh\n");
        put(&root, "usr/bin/gobgp", "#!/bin/sh\n");
    }
    let settings = Settings { host: root, cache: Some(dir.path().join("cache")), assume_absent: Vec::new() };
    Host { _dir: dir, settings }
}

fn put_layer(settings: &Settings, generation: Generation, version: &str) -> PathBuf {
    let place = place(settings, &settings.distro(), generation).unwrap();
    let root = place.join("root");
    put(&root, "usr/bin/gobgpd", version);
    put(&root, "usr/bin/gobgp", version);
    let package = Package { name: PACKAGE.into(), version: version.into(), size: 7, sha256: "00".into() };
    Manifest::of(&root, Tool::Gobgp, vec![package]).unwrap().write(&place).unwrap();
    root
}

async fn speaker(settings: &Settings, wanted: Generation) -> Layers {
    ensure_speaker_with(settings, &[Tool::Gobgp], Some(wanted), &|_| ()).await.unwrap()
}

#[tokio::test]
async fn the_hosts_own_is_taken_when_it_is_of_the_generation() {
    let host = host(Some("3.10.0-1+b4"));
    put_layer(&host.settings, Generation::V4, "4.8.0-1~bpo13+1");
    let silent = |line: &str| panic!("nothing takes long here: {line}");
    let layers =
        ensure_speaker_with(&host.settings, &[Tool::Gobgp], Some(Generation::V3), &silent).await.unwrap();
    assert_eq!((layers.version(Tool::Gobgp), layers.dirs.len()), (Some("3.10.0"), 0));
    assert_eq!(layers.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn a_layer_of_the_generation_is_laid_over_a_host_that_has_another() {
    let host = host(Some("3.10.0-1+b4"));
    let root = put_layer(&host.settings, Generation::V3_35, "3.36.0-2+b3");
    put_layer(&host.settings, Generation::V4, "4.8.0-1~bpo13+1");
    let layers = speaker(&host.settings, Generation::V3_35).await;
    assert_eq!(layers.version(Tool::Gobgp), Some("3.36.0"));
    assert_eq!((layers.dirs, layers.warnings), (vec![root], Vec::new()));
}

#[rstest]
#[case(Generation::V3_35, &[], "3.10.0")]
#[case(Generation::V4, &[(Generation::V3_35, "3.36.0-2")], "3.36.0")]
#[tokio::test]
async fn the_nearest_is_taken_and_a_warning_names_both(
    #[case] wanted: Generation,
    #[case] layers: &[(Generation, &str)],
    #[case] runs: &str,
) {
    let host = host(Some("3.10.0-1+b4"));
    for (generation, version) in layers {
        put_layer(&host.settings, *generation, version);
    }
    let got = speaker(&host.settings, wanted).await;
    assert_eq!(got.version(Tool::Gobgp), Some(runs));
    let [warning] = got.warnings.as_slice() else { panic!("{:?}", got.warnings) };
    assert!(warning.contains(&format!("the nodes run GoBGP {runs}")), "{warning}");
    assert!(warning.contains(&wanted.to_string()) && warning.contains("keep its time"), "{warning}");
}

#[tokio::test]
async fn without_any_the_error_is_the_plain_one() {
    let host = host(None);
    let error = ensure_speaker_with(&host.settings, &[Tool::Gobgp], Some(Generation::V4), &|_| ()).await;
    assert!(matches!(error, Err(ToolsError::Missing { .. })), "{error:?}");
}

#[tokio::test]
async fn a_damaged_layer_is_not_taken() {
    let host = host(Some("3.10.0-1+b4"));
    let root = put_layer(&host.settings, Generation::V4, "4.8.0-1");
    std::fs::remove_file(root.join("usr/bin/gobgpd")).unwrap();
    assert_eq!(speaker(&host.settings, Generation::V4).await.version(Tool::Gobgp), Some("3.10.0"));
}

#[test]
fn an_archive_fits_alone_and_in_its_generation() {
    let archive = |name: &str, version: &str| Archive {
        name: name.into(),
        version: version.into(),
        file: String::new(),
        size: 1,
    };
    let gobgpd = archive(PACKAGE, "4.8.0-1~bpo13+1");
    assert_eq!(fitting(vec![gobgpd.clone()], Generation::V4, "trixie-backports").unwrap(), gobgpd);
    let error =
        |archives: Vec<Archive>| fitting(archives, Generation::V3, "bookworm").unwrap_err().to_string();
    assert!(error(vec![gobgpd.clone()]).contains("bookworm packages have gobgpd 4.8.0"));
    assert!(error(vec![archive("libc6", "2.41-1"), gobgpd]).contains("needs a newer libc6"));
    assert!(error(Vec::new()).contains("have no gobgpd"));
}
