//! Against a real gobgpd, in a network namespace of its own. They take GoBGP's first connect (5 to 10 s) and need
//! `gobgpd`, `gobgp`, `unshare` and `nsenter` on the PATH: `cargo test -p fabric-harness --lib speaker -- --ignored`.

use super::*;
use crate::twin::agent::plan::Password;
use crate::twin::agent::testing::{self, Netns};

fn router(last: u8, peer: u8, port: Option<u16>, export: &[&str]) -> VirtualRouter {
    VirtualRouter {
        local_port: port,
        export: export.iter().map(|prefix| prefix.parse().unwrap()).collect(),
        ..testing::router(65010, [127, 0, 0, last], vec![neighbor(peer, 65010)])
    }
}

fn neighbor(last: u8, asn: u32) -> Neighbor {
    testing::neighbor([10, 9, 0, last], asn)
}

async fn up(speaker: &Speaker, peer: u8) -> SpeakerView {
    let peer = IpAddr::from([10, 9, 0, peer]);
    let is_up = |view: &SpeakerView| view.peers.get(&peer).is_some_and(|peer| peer.up_since.is_some());
    until(&mut speaker.watch(), &Deadline::of("first connect", Duration::from_secs(12)), is_up).await.unwrap()
}

/// Two speakers on the two ends of a veth: 10.9.0.1 dials, 10.9.0.2 listens.
async fn pair(export: &[&str]) -> (Netns, Speaker, Netns, Speaker) {
    let (near, far) = Netns::pair("near", "far").await;
    let listening = Speaker::start(far.node(), router(2, 1, Some(179), &[]), Arc::default()).await.unwrap();
    let dialing = Speaker::start(near.node(), router(1, 2, None, export), Arc::default()).await.unwrap();
    (near, dialing, far, listening)
}

#[tokio::test]
#[ignore = "needs a real gobgpd and 5 to 10 s"]
async fn a_session_its_route_a_change_and_a_farewell() {
    let (_near, mut dialing, _far, listening) = pair(&["10.1.1.0/24"]).await;
    up(&dialing, 2).await;
    up(&listening, 1).await;

    let [seen] = dialing.client().neighbors().await.unwrap().try_into().unwrap();
    assert_eq!((seen.state, seen.hold), (gobgp::SessionState::Established, Some(90)));
    let rib = listening.client().rib(Family::Ipv4).await.unwrap();
    let path = &rib[&"10.1.1.0/24".parse().unwrap()][0];
    assert_eq!((path.origin, path.local_preference), (Some(0), Some(100)));
    assert_eq!(path.next_hop, Some("10.9.0.1".parse().unwrap()));

    // Another neighbor and other prefixes: the session that was there stays up.
    let mut changed = router(1, 2, None, &["10.1.7.0/24", "fd00:1::/64"]);
    changed.neighbors.push(neighbor(99, 65099));
    dialing.update(changed.clone()).await.unwrap();
    let own = dialing.client().rib(Family::Ipv4).await.unwrap();
    assert_eq!(own.keys().map(ToString::to_string).collect::<Vec<_>>(), ["10.1.7.0/24"]);
    assert_eq!(dialing.client().rib(Family::Ipv6).await.unwrap().len(), 1);
    assert_eq!(dialing.client().neighbors().await.unwrap().len(), 2);
    assert_eq!(dialing.view().peers[&IpAddr::from([10, 9, 0, 2])].times_up, 1);

    // A neighbor whose AS number changes goes and comes.
    changed.neighbors[1].asn = 65098;
    dialing.update(changed).await.unwrap();
    let asns: Vec<u32> = dialing.client().neighbors().await.unwrap().iter().map(|seen| seen.asn).collect();
    assert!(asns.contains(&65098) && !asns.contains(&65099), "{asns:?}");

    dialing.stop(AgentStop::Cease).await.unwrap();
    let peer = IpAddr::from([10, 9, 0, 1]);
    let told = |view: &SpeakerView| view.peers[&peer].last_down.is_some();
    let view = until(&mut listening.watch(), &Deadline::default().margin(), told).await.unwrap();
    let why = view.peers[&peer].last_down.clone().unwrap();
    assert!(why.contains("cease") && why.contains("deconfigured"), "{why}");
}

#[tokio::test]
#[ignore = "needs a real gobgpd and 5 to 10 s"]
async fn what_goes_out_changes_while_the_session_stays() {
    use crate::twin::agent::plan::{Attributes, Exports};

    let (near, far) = Netns::pair("near", "far").await;
    let password = || Some(Password("geheim".to_owned()));
    let mut listener = router(2, 1, Some(179), &[]);
    listener.neighbors[0].password = password();
    let listening = Speaker::start(far.node(), listener, Arc::default()).await.unwrap();
    let prefixes = ["10.1.1.0/24", "10.1.2.0/24"];
    let said = Attributes {
        communities: ["65010:7".to_owned()].into(),
        local_preference: Some(150),
        ..Attributes::default()
    };
    let mut wanted = router(1, 2, None, &prefixes);
    (wanted.instance, wanted.filtered, wanted.rejects_inbound) = (Some("rack0".to_owned()), true, true);
    wanted.neighbors[0].password = password();
    wanted.neighbors[0].exports = Exports::default();
    wanted.neighbors[0].exports.prefixes.insert(prefixes[0].parse().unwrap(), Attributes::default());
    let mut dialing = Speaker::start(near.node(), wanted.clone(), Arc::default()).await.unwrap();
    up(&dialing, 2).await;
    up(&listening, 1).await;

    // The other end has what was selected, and nothing else of the table.
    let has = async |count: usize, preference: Option<u32>| {
        let enough = Instant::now() + Duration::from_secs(5);
        loop {
            let rib = listening.client().rib(Family::Ipv4).await.unwrap();
            let first = rib.get(&prefixes[0].parse().unwrap()).and_then(|paths| paths.first());
            if rib.len() == count && first.and_then(|path| path.local_preference) == preference {
                return;
            }
            assert!(Instant::now() < enough, "{rib:#?}");
            sleep(Duration::from_millis(20)).await;
        }
    };
    has(1, Some(100)).await;
    wanted.neighbors[0].exports.prefixes.insert(prefixes[0].parse().unwrap(), said.clone());
    wanted.neighbors[0].exports.prefixes.insert(prefixes[1].parse().unwrap(), said);
    dialing.update(wanted.clone()).await.unwrap();
    has(2, Some(150)).await;
    let peer = IpAddr::from([10, 9, 0, 2]);
    assert_eq!(dialing.client().advertised_to(peer, Family::Ipv4).await.unwrap().len(), 2);
    // Not selected any more, though still in the table.
    wanted.neighbors[0].exports.prefixes.clear();
    dialing.update(wanted).await.unwrap();
    has(0, None).await;
    assert_eq!(dialing.view().peers[&peer].times_up, 1);
    dialing.stop(AgentStop::Close).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a real gobgpd and 5 to 10 s"]
async fn a_killed_speaker_says_nothing() {
    let (_near, dialing, _far, listening) = pair(&[]).await;
    up(&listening, 1).await;
    drop(dialing);
    let peer = IpAddr::from([10, 9, 0, 1]);
    let told = |view: &SpeakerView| view.peers[&peer].last_down.is_some();
    let view = until(&mut listening.watch(), &Deadline::default().margin(), told).await.unwrap();
    assert_eq!(view.peers[&peer].last_down.as_deref(), Some("read-failed"));
}

#[tokio::test]
#[ignore = "needs a real gobgpd"]
async fn a_speaker_that_cannot_start_says_why() {
    let (near, _far) = Netns::pair("near", "far").await;
    let first = Speaker::start(near.node(), router(1, 2, Some(179), &[]), Arc::default()).await.unwrap();
    let second = Speaker::start(near.node(), router(1, 2, Some(179), &[]), Arc::default()).await;
    let error = second.err().unwrap().to_string();
    assert!(error.contains("gobgpd ended") && error.contains("address already in use"), "{error}");
    assert!(!first.view().ended);
}

#[tokio::test]
#[ignore = "needs a real gobgpd"]
async fn a_speaker_that_dies_wakes_its_owner() {
    let (near, _far) = Netns::pair("near", "far").await;
    let wake = Arc::new(Notify::new());
    let speaker = Speaker::start(near.node(), router(1, 2, None, &[]), Arc::clone(&wake)).await.unwrap();
    speaker.signal(Signal::SIGKILL).unwrap();
    let view = until(&mut speaker.watch(), &Deadline::default().margin(), |view| view.ended).await.unwrap();
    assert!(view.ended);
    wake.notified().await;
    speaker.stop(AgentStop::Cease).await.unwrap();
}
