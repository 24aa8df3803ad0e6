//! What `gobgp -j neighbor` says of a neighbor, as far as anybody here reads it (api/gobgp.proto, `Peer`).
//!
//! What lives here: the shape; what is absent is zero or empty, as in protobuf. What does not: what it means to Cilium's
//! API (`peer`) and to a status (`twin::agent`).

use serde::Deserialize;

/// `SessionState` of a session that is up.
pub(crate) const ESTABLISHED: u64 = 6;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Neighbor {
    pub(crate) conf: Conf,
    pub(crate) state: State,
    pub(crate) timers: Timers,
    pub(crate) transport: Transport,
    pub(crate) ebgp_multihop: Multihop,
    pub(crate) graceful_restart: Restart,
    pub(crate) afi_safis: Vec<AfiSafi>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Conf {
    pub(crate) local_asn: u64,
    pub(crate) neighbor_address: String,
    pub(crate) peer_asn: u64,
    pub(crate) auth_password: String,
    pub(crate) description: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) session_state: u64,
    pub(crate) peer_asn: u64,
    pub(crate) local_cap: Vec<Capability>,
    pub(crate) remote_cap: Vec<Capability>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Capability {
    pub(crate) type_url: String,
    pub(crate) value: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Timers {
    pub(crate) config: TimersConfig,
    pub(crate) state: TimersState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TimersConfig {
    pub(crate) connect_retry: u64,
    pub(crate) hold_time: u64,
    pub(crate) keepalive_interval: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct TimersState {
    pub(crate) keepalive_interval: u64,
    pub(crate) negotiated_hold_time: u64,
    pub(crate) uptime: Option<Moment>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Moment {
    pub(crate) seconds: f64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Transport {
    pub(crate) remote_port: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Multihop {
    pub(crate) enabled: bool,
    pub(crate) multihop_ttl: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Restart {
    pub(crate) enabled: bool,
    pub(crate) restart_time: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct AfiSafi {
    pub(crate) state: FamilyState,
    pub(crate) config: FamilyConfig,
    pub(crate) mp_graceful_restart: FamilyRestart,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FamilyState {
    pub(crate) family: Option<Family>,
    pub(crate) received: u64,
    pub(crate) accepted: u64,
    pub(crate) advertised: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Family {
    pub(crate) afi: u64,
    pub(crate) safi: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FamilyConfig {
    pub(crate) family: Option<Family>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FamilyRestart {
    pub(crate) state: FamilyRestartState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FamilyRestartState {
    pub(crate) received: bool,
    pub(crate) advertised: bool,
}
