//! Which timers go into which wait, between Cilium and FRR and inside FRR and Kubernetes.
//!
//! What lives here: one constructor per thing that is waited for. The numbers that depend on Cilium's version come
//! from `cilium::promises`; those of FRR are read off the router or taken from its profile.

use std::time::Duration;

use super::deadline::{Deadline, seconds};
use crate::cilium::Promises;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// FRR starts a session this long after it is configured or came down: bgpd's start timer, 1 s with a jitter of up
/// to 1 s (FRR 8.4).
const FRR_START: Duration = secs(2);
/// How often a router advertises itself on an interface used for unnumbered BGP (`ipv6 nd ra-interval`, 10 s when
/// bgpd switches it on, FRR 8.4).
const ROUTER_ADVERTISEMENT: Duration = secs(10);
/// Three neighbor solicitations, one a second (RFC 4861 section 10, and Linux's defaults for ARP).
const NEIGHBOR_RESOLUTION: Duration = secs(3);
/// How often a kubelet writes its node's status (`nodeStatusUpdateFrequency`).
const NODE_STATUS: Duration = secs(10);
/// How often a kubelet asks its runtime whether the network is ready (Kubernetes 1.24).
const RUNTIME_STATUS: Duration = secs(5);
/// How long a silent kubelet is believed (`node-monitor-grace-period`, 40 s up to 1.31, 50 s from 1.32), with the
/// 5 s between two looks.
const NODE_GRACE: Duration = secs(55);

/// Cilium's end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CiliumEnd {
    /// What its version does.
    pub promises: Promises,
    /// ConnectRetry time.
    pub connect_retry: Duration,
    /// Hold time it offers.
    pub hold: Duration,
    /// Whether it listens, so that the other end's attempts can succeed: only with a local port annotation.
    pub listens: bool,
}

impl CiliumEnd {
    /// An end with all defaults: ConnectRetry 120 s, hold 90 s, not listening.
    pub fn new(promises: &Promises) -> Self {
        Self {
            promises: promises.clone(),
            connect_retry: Promises::CONNECT_RETRY,
            hold: Promises::HOLD,
            listens: false,
        }
    }
}

/// FRR's end of a session, as `show bgp neighbors json` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrrEnd {
    /// `connectRetryTimer`.
    pub connect_retry: Duration,
    /// `bgpTimerConfiguredHoldTimeMsecs`.
    pub hold: Duration,
    /// `minBtwnAdvertisementRunsTimerMsecs`: the advertisement interval (RFC 4271's MinRouteAdvertisementInterval).
    /// FRR's own default is 0; 30 s is RFC 4271's for eBGP.
    pub advertisement_interval: Duration,
    /// `update-delay`: how long a starting bgpd withholds its routes. 0 unless configured.
    pub update_delay: Duration,
}

impl FrrEnd {
    /// `frr defaults datacenter`: connect 10 s, hold 9 s, no advertisement interval (FRR 8.4).
    pub const fn datacenter() -> Self {
        let zero = Duration::ZERO;
        Self { connect_retry: secs(10), hold: secs(9), advertisement_interval: zero, update_delay: zero }
    }

    /// `frr defaults traditional`: connect 120 s, hold 180 s, no advertisement interval (FRR 8.4).
    pub const fn traditional() -> Self {
        let zero = Duration::ZERO;
        Self { connect_retry: secs(120), hold: secs(180), advertisement_interval: zero, update_delay: zero }
    }
}

/// Why a session goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownCause {
    /// A NOTIFICATION, such as Cease: at once.
    Notification,
    /// The TCP connection was closed or reset: at once.
    Closed,
    /// The interface under an unnumbered or directly connected eBGP session went down: at once (fast external
    /// failover, on by default in FRR).
    LinkDown,
    /// Nothing arrives any more: when the negotiated hold time has passed since the last message.
    Silence {
        /// The negotiated hold time: the smaller of both ends' (RFC 4271 section 4.2). Zero means never.
        hold: Duration,
    },
}

impl Deadline {
    /// From a Cilium speaker's start (or its neighbor's being added) to Established on both ends: Cilium dials, so
    /// its first connect, and one attempt that fails because the ToR was not ready.
    ///
    /// A ToR that dials a Cilium that does not listen is refused, so the ToR's ConnectRetry shortens the wait only
    /// when Cilium listens.
    pub fn session_up(cilium: &CiliumEnd, tor: &FrrEnd) -> Self {
        let retry = cilium.promises.retry_range(cilium.connect_retry).max;
        let missed = if cilium.listens { retry.min(tor.connect_retry) } else { retry };
        Self::of("first connect", cilium.promises.first_connect.max)
            .plus("one missed attempt", missed)
            .margin()
    }

    /// The same without a missed attempt: for a ToR that is known to be reachable and listening.
    pub fn session_up_at_first(cilium: &CiliumEnd) -> Self {
        Self::of("first connect", cilium.promises.first_connect.max).margin()
    }

    /// From the moment the way is open again to Established, after a session that was up went down: GoBGP stays
    /// Idle, then counts as if it had just started.
    pub fn session_back(cilium: &CiliumEnd, tor: &FrrEnd) -> Self {
        Self::of("idle after a session that went down", Promises::IDLE_AFTER_DOWN)
            .then(Self::session_up(cilium, tor))
    }

    /// From the start of both bgpd to Established on an unnumbered link: each end must have heard the other's router
    /// advertisement, then whichever dials first wins, and one attempt may fail.
    pub fn unnumbered_session_up(a: &FrrEnd, b: &FrrEnd) -> Self {
        Self::of("router advertisement interval", ROUTER_ADVERTISEMENT)
            .plus("BGP start", FRR_START)
            .plus("connect retry", a.connect_retry.min(b.connect_retry))
            .margin()
    }

    /// From two numbered bgpd that both know each other to Established.
    pub fn numbered_session_up(a: &FrrEnd, b: &FrrEnd) -> Self {
        Self::of("BGP start", FRR_START).plus("connect retry", a.connect_retry.min(b.connect_retry)).margin()
    }

    /// From the cause to the session's being down on the end that is looked at. `None` when it never will be: a
    /// negotiated hold time of zero (RFC 4271 section 4.4) under silence.
    pub fn session_down(cause: DownCause) -> Option<Self> {
        match cause {
            DownCause::Notification | DownCause::Closed | DownCause::LinkDown => {
                Some(Self::default().margin())
            }
            DownCause::Silence { hold } if hold.is_zero() => None,
            DownCause::Silence { hold } => Some(Self::of("negotiated hold time", hold).margin()),
        }
    }

    /// The negotiated hold time of two ends (RFC 4271 section 4.2): the smaller one.
    pub fn negotiated_hold(one: Duration, other: Duration) -> Duration {
        one.min(other)
    }

    /// From the session (or the change) to the route in the BGP table at the end of the path: each router on the way
    /// may hold an update back by its advertisement interval, and a starting one by its update delay.
    pub fn route_in_rib<'a>(routers: impl IntoIterator<Item = &'a FrrEnd>) -> Self {
        let held = |what: &str, index: usize, duration: Duration| {
            (format!("{what} of router {}", index + 1), duration)
        };
        routers
            .into_iter()
            .enumerate()
            .flat_map(|(index, end)| {
                [
                    held("update delay", index, end.update_delay),
                    held("advertisement interval", index, end.advertisement_interval),
                ]
            })
            .fold(Self::default(), |sum, (what, duration)| sum.plus(what, duration))
            .margin()
    }

    /// From the best path to the kernel's route: bgpd hands it to zebra, zebra to the kernel; no timer runs but
    /// next hop tracking, which resolves in a second at most.
    pub fn fib_after_rib() -> Self {
        Self::of("next hop resolved", secs(1)).margin()
    }

    /// From the kernel's route to packets over it: each link on the way may first have to find its neighbor.
    pub fn packets_after_fib() -> Self {
        Self::of("neighbor resolution", NEIGHBOR_RESOLUTION).margin()
    }

    /// From a CNI configuration's being there to the node's Ready.
    pub fn node_ready() -> Self {
        Self::of("kubelet asks its runtime", RUNTIME_STATUS)
            .plus("kubelet writes the status", NODE_STATUS)
            .margin()
    }

    /// From a kubelet's falling silent to the node's no longer being Ready.
    pub fn node_not_ready() -> Self {
        Self::of("node status grace", NODE_GRACE).margin()
    }

    /// From a pod's creation to Running, on a node that is Ready. `image` is what pulling the image may take: zero
    /// where it is there.
    pub fn pod_running(image: Duration) -> Self {
        Self::of("image pull", image).plus("scheduling, sandbox and start", secs(10)).margin()
    }

    /// From a Service's creation (or end) to its address's announcement (or withdrawal) by the nodes: no timer is
    /// involved, but the API server is asked and told several times on the way.
    pub fn service_announced() -> Self {
        Self::of("address given to the Service and announced", secs(5))
    }

    /// The sentence for a timeout: what the time was made of, and which timer was the last to run.
    pub fn explain(&self, waited: Duration) -> String {
        match self.running_at(waited) {
            Some(term) => format!("after {} `{}` was still running ({self})", seconds(waited), term.what),
            None => format!("all timers had run out after {} ({self})", seconds(waited)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::cilium::{Promises, promises};

    fn cilium(version: &str) -> CiliumEnd {
        CiliumEnd::new(promises(&version.parse().unwrap()).unwrap())
    }

    #[rstest]
    #[case("1.12.1", "10 s first connect + 240 s one missed attempt + 2 s margin")]
    #[case("1.18.0", "2 s first connect + 240 s one missed attempt + 2 s margin")]
    #[case("1.20-dev", "2 s first connect + 120 s one missed attempt + 2 s margin")]
    fn cilium_dials_so_its_timers_count(#[case] version: &str, #[case] expected: &str) {
        assert_eq!(Deadline::session_up(&cilium(version), &FrrEnd::datacenter()).to_string(), expected);
    }

    #[test]
    fn a_cilium_that_listens_is_helped_by_the_tor() {
        let end = CiliumEnd { listens: true, ..cilium("1.12.1") };
        let deadline = Deadline::session_up(&end, &FrrEnd::datacenter());
        assert_eq!(deadline.to_string(), "10 s first connect + 10 s one missed attempt + 2 s margin");
    }

    #[test]
    fn small_timers_make_small_deadlines() {
        let end = CiliumEnd { connect_retry: Duration::from_secs(1), ..cilium("1.18.0") };
        assert_eq!(Deadline::session_up(&end, &FrrEnd::traditional()).budget, Duration::from_secs(2 + 2 + 2));
    }

    #[test]
    fn a_session_that_fell_first_stays_idle() {
        let deadline = Deadline::session_back(&cilium("1.12.1"), &FrrEnd::datacenter());
        assert!(deadline.to_string().starts_with("5 s idle"), "{deadline}");
        assert!(deadline.to_string().ends_with("2 s margin"), "{deadline}");
    }

    #[test]
    fn measured_times_fit_their_deadlines() {
        // Seconds as measured on Cilium 1.12.1, 1.20-dev and FRR 8.4 (article's lab).
        let fits =
            |deadline: Deadline, measured: f64| assert!(Duration::from_secs_f64(measured) < deadline.budget);
        fits(Deadline::session_up_at_first(&cilium("1.12.1")), 9.7);
        fits(Deadline::session_up_at_first(&cilium("1.20-dev")), 2.2);
        fits(Deadline::unnumbered_session_up(&FrrEnd::traditional(), &FrrEnd::datacenter()), 2.8);
        let silence = DownCause::Silence { hold: Duration::from_secs(9) };
        fits(Deadline::session_down(silence).unwrap(), 6.99);
        fits(Deadline::session_down(DownCause::Notification).unwrap(), 0.25);
        fits(Deadline::pod_running(Duration::ZERO), 1.47);
    }

    #[test]
    fn without_a_hold_time_silence_takes_nothing_down() {
        assert_eq!(Deadline::session_down(DownCause::Silence { hold: Duration::ZERO }), None);
    }

    #[test]
    fn every_router_on_the_way_may_hold_an_update_back() {
        let slow = FrrEnd { advertisement_interval: Duration::from_secs(30), ..FrrEnd::traditional() };
        let delayed = FrrEnd { update_delay: Duration::from_secs(5), ..FrrEnd::datacenter() };
        let text = Deadline::route_in_rib([&delayed, &slow]).to_string();
        assert_eq!(
            text,
            "5 s update delay of router 1 + 30 s advertisement interval of router 2 + 2 s margin"
        );
        assert_eq!(Deadline::route_in_rib([&FrrEnd::datacenter()]).to_string(), "2 s margin");
    }

    #[test]
    fn explains_a_timeout() {
        let deadline = Deadline::session_up(&cilium("1.12.1"), &FrrEnd::datacenter());
        assert!(deadline.explain(Duration::from_secs(30)).contains("`one missed attempt` was still running"));
        assert!(deadline.explain(Duration::from_secs(300)).contains("all timers had run out"));
        assert_eq!(
            Deadline::negotiated_hold(Promises::HOLD, FrrEnd::datacenter().hold),
            Duration::from_secs(9)
        );
    }
}
