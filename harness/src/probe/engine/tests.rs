//! The engine against a network in which time is ours: every probe comes back after its hop's delay, or never.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rstest::rstest;

use super::super::report::{HopKind, IcmpError, TraceReport};
use super::Engine;

const TIMEOUT: Duration = Duration::from_millis(1200);
/// One way and back, per hop.
const TRIP: Duration = Duration::from_micros(200);

/// How a router behaves.
#[derive(Clone, Copy)]
enum Router {
    Answers,
    Silent,
    /// Linux's limit: this many answers at once, then one a second.
    Limited(u32),
    /// Ends the path.
    Refuses,
}

/// A path: its routers, then the target (or nobody).
struct World {
    routers: Vec<Router>,
    target: Option<Router>,
    /// Per responder: tokens spent, last time.
    spent: BTreeMap<u8, (f64, Instant)>,
    probes: usize,
}

impl World {
    fn new(routers: &[Router], target: Option<Router>) -> Self {
        Self { routers: routers.to_vec(), target, spent: BTreeMap::new(), probes: 0 }
    }

    fn speaks(&mut self, place: u8, router: Router, now: Instant) -> bool {
        match router {
            Router::Answers | Router::Refuses => true,
            Router::Silent => false,
            Router::Limited(burst) => {
                let (spent, last) = self.spent.entry(place).or_insert((0.0, now));
                *spent = (*spent - now.duration_since(*last).as_secs_f64()).max(0.0);
                *last = now;
                let allowed = *spent + 1.0 <= f64::from(burst) + 1e-9;
                *spent += if allowed { 1.0 } else { 0.0 };
                allowed
            }
        }
    }

    fn answer(&mut self, ttl: u8, now: Instant) -> Option<(IpAddr, HopKind)> {
        self.probes += 1;
        let end = self.routers.iter().position(|router| matches!(router, Router::Refuses));
        let last = u8::try_from(end.map_or(self.routers.len() + 1, |place| place + 1)).unwrap();
        let place = ttl.min(last);
        match self.routers.get(usize::from(place) - 1).copied() {
            Some(router) if self.speaks(place, router, now) => {
                let refuses = matches!(router, Router::Refuses);
                let kind =
                    if refuses { HopKind::Unreachable(IcmpError::Prohibited) } else { HopKind::TimeExceeded };
                Some((IpAddr::from([10, 0, 0, place]), kind))
            }
            Some(_) => None,
            None => {
                let target = self.target?;
                self.speaks(0, target, now).then_some((TARGET.into(), HopKind::PortUnreachable))
            }
        }
    }

    /// Runs a trace to its end; the report and how long it took.
    fn trace(&mut self, queries: u8, max_hops: u8, start: Instant) -> (TraceReport, Duration) {
        let mut engine = Engine::new(TARGET.into(), max_hops, queries, TIMEOUT, start);
        let mut under_way: Vec<(Instant, u16, IpAddr, HopKind)> = Vec::new();
        let mut now = start;
        loop {
            for shot in engine.due(now) {
                if let Some((ip, kind)) = self.answer(shot.ttl, now) {
                    under_way.push((now + TRIP * u32::from(shot.ttl), shot.tag, ip, kind));
                }
            }
            under_way.sort_by_key(|(at, ..)| *at);
            let Some(wake) = engine.wake(now) else { return (engine.report(), now - start) };
            match under_way.first().cloned() {
                Some((at, tag, ip, kind)) if at <= wake => {
                    under_way.remove(0);
                    now = at;
                    engine.answered(tag, ip, kind, now);
                }
                _ => {
                    assert!(wake >= now, "the engine wants to be woken in the past");
                    now = wake;
                }
            }
        }
    }
}

const TARGET: [u8; 4] = [10, 9, 9, 9];

fn seen(report: &TraceReport) -> String {
    let hops: Vec<String> = report
        .hops
        .iter()
        .map(|hop| match hop.responder {
            Some(IpAddr::V4(ip)) if ip.octets() == TARGET => "T".to_owned(),
            Some(IpAddr::V4(ip)) => ip.octets()[3].to_string(),
            _ => "*".to_owned(),
        })
        .collect();
    hops.join(" ")
}

use Router::{Answers as A, Limited as L, Refuses as R, Silent as S};

#[rstest]
#[case::next_door(&[], Some(A), "T", true)]
#[case::the_article(&[A, A, A, A, A], Some(A), "1 2 3 4 5 T", true)]
#[case::cilium_1_12(&[S, A, A, A, A, A, S], Some(A), "* 2 3 4 5 6 * T", true)]
#[case::refused_on_the_way(&[A, A, R, A], Some(A), "1 2 3", false)]
#[case::held_back(&[A, A, A], Some(L(1)), "1 2 3 T", true)]
fn a_path(
    #[case] routers: &[Router],
    #[case] target: Option<Router>,
    #[case] expected: &str,
    #[case] reached: bool,
) {
    let (report, _) = World::new(routers, target).trace(1, 30, Instant::now());
    assert_eq!(seen(&report), expected);
    assert_eq!(report.reached, reached);
}

#[test]
fn a_path_that_answers_takes_no_longer_than_its_round_trips() {
    let mut world = World::new(&[A; 5], Some(A));
    let (_, took) = world.trace(1, 30, Instant::now());
    assert!(took < Duration::from_millis(5), "{took:?}");
    assert!(world.probes <= 8, "{} probes for 6 hops", world.probes);
}

#[rstest]
#[case::one(&[A, A, S, A], Some(A))]
#[case::many(&[S, A, S, S, A, S], Some(A))]
fn silent_hops_cost_one_timeout_in_all(#[case] routers: &[Router], #[case] target: Option<Router>) {
    let (report, took) = World::new(routers, target).trace(1, 30, Instant::now());
    assert!(report.reached);
    assert!(took >= TIMEOUT && took < TIMEOUT + Duration::from_millis(100), "{took:?}");
}

#[test]
fn nobody_there_takes_little_more_than_one_timeout() {
    let (report, took) = World::new(&[A, A], None).trace(1, 30, Instant::now());
    assert_eq!(report.hops.len(), 30);
    assert!(!report.reached);
    assert!(took < TIMEOUT + Duration::from_millis(300), "{took:?}");
}

#[test]
fn a_silent_hop_was_asked_three_times() {
    let mut world = World::new(&[S], Some(A));
    let (report, _) = world.trace(1, 3, Instant::now());
    assert_eq!(seen(&report), "* T");
    assert_eq!(world.probes, 3 + 2);
}

#[test]
fn rate_limits_leave_no_holes_when_traces_follow_each_other() {
    // Six answers at once and one a second, as Linux has it, for the routers and the target alike.
    let mut world = World::new(&[L(6); 5], Some(L(6)));
    let mut now = Instant::now();
    for round in 0..10 {
        let (report, took) = world.trace(1, 30, now);
        assert_eq!(seen(&report), "1 2 3 4 5 T", "round {round}");
        now += took;
    }
}

#[test]
fn further_queries_stand_beside_the_first() {
    let (report, _) = World::new(&[A, A], Some(A)).trace(3, 30, Instant::now());
    assert_eq!(seen(&report), "1 2 T");
    assert!(report.hops.iter().all(|hop| hop.also.len() == 2 && hop.responders().len() == 1));
}

#[test]
fn an_answer_to_nothing_is_ignored() {
    let now = Instant::now();
    let mut engine = Engine::new(TARGET.into(), 30, 1, TIMEOUT, now);
    let shots = engine.due(now);
    engine.answered(999, TARGET.into(), HopKind::PortUnreachable, now);
    assert!(engine.wake(now).is_some());
    engine.answered(shots[0].tag, TARGET.into(), HopKind::PortUnreachable, now);
    // A second answer to the same probe, from somebody else, changes nothing.
    engine.answered(shots[0].tag, [10, 0, 0, 1].into(), HopKind::TimeExceeded, now);
    assert_eq!(engine.wake(now), None);
    assert_eq!(seen(&engine.report()), "T");
}
