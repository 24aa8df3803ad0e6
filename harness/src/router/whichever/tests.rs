use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::*;
use crate::router::testing::Here;

fn at(folder: &Path) -> Whichever {
    Whichever::at(Here::node(), vec![folder.to_owned()], vec![folder.join("bird.ctl")])
}

fn what(router: &Whichever) -> String {
    router.by_hand(&Show::Sessions)
}

#[tokio::test]
async fn the_daemon_that_listens_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let bird = UnixListener::bind(folder.path().join("bird.ctl")).unwrap();
    let router = at(folder.path());
    router.look().await.unwrap();
    assert_eq!(what(&router), "birdc show protocols");
    // FRR beside it comes first.
    let _frr = UnixListener::bind(folder.path().join("bgpd.vty")).unwrap();
    router.look().await.unwrap();
    assert_eq!(what(&router), "vtysh -c 'show bgp summary'");
    drop(bird);
}

/// Where nobody answers, neither daemon's own tool could show anything: what runs there is the thing to look at.
#[tokio::test]
async fn where_no_daemon_runs_no_daemons_tool_is_recommended() {
    let folder = tempfile::tempdir().unwrap();
    let router = at(folder.path());
    let error = router.version().await.unwrap_err();
    assert!(matches!(error, RouterError::NoDaemon { .. }), "{error}");
    assert_eq!(what(&router), "ps ax");
    // One that starts later is found all the same.
    let _bird = UnixListener::bind(folder.path().join("bird.ctl")).unwrap();
    router.look().await.unwrap();
    assert_eq!(what(&router), "birdc show protocols");
}

#[tokio::test]
async fn one_that_is_gone_still_gives_its_own_error() {
    let folder = tempfile::tempdir().unwrap();
    let socket: PathBuf = folder.path().join("bird.ctl");
    let bird = UnixListener::bind(&socket).unwrap();
    let router = at(folder.path());
    router.look().await.unwrap();
    drop(bird);
    std::fs::remove_file(&socket).unwrap();
    let error = router.version().await.unwrap_err();
    assert!(matches!(error, RouterError::BirdNotRunning { .. }), "{error}");
    assert_eq!(what(&router), "birdc show protocols");
}
