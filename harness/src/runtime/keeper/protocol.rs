//! What a client and a keeper say to each other: one line of JSON each way on a unix socket, progress in between.
//!
//! What lives here: the messages. What does not: sending them (`client`, `control`). A descriptor may ride on an
//! answer: that is how a client gets sockets that live in a node's network namespace, and needs no helper process.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::SystemTime;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::cilium::BgpSettings;
use crate::lab::{KindCluster, Roll, Step, Topology};
use crate::node::SocketKind;
use crate::outside::LabSpec;
use crate::runtime::docker::ImageMap;
use crate::twin::agent::{Contents, SecondSeen};

/// All a keeper needs to know; it never reads the lab's files, which may change under it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeeperSpec {
    /// The fabric's name: the lab's, or what `--name` said; unique among the user's running fabrics.
    pub id: String,
    /// The lab's folder, for people to read.
    pub lab: PathBuf,
    /// The routers and links.
    pub topology: Topology,
    /// The cluster, if the lab has one.
    pub cluster: Option<KindCluster>,
    /// Cilium's version, if the lab installs it.
    pub cilium: Option<String>,
    /// Whether Cilium's agents speak BGP; false where the lab's values switch it off, or leave it off.
    #[serde(default = "yes")]
    pub bgp: bool,
    /// What the lab's values tell them about it.
    #[serde(default)]
    pub bgp_settings: BgpSettings,
    /// The version of the GoBGP that the cluster's nodes run, if there is one and it is known.
    #[serde(default)]
    pub gobgp: Option<String>,
    /// Where its nodes live.
    #[serde(default)]
    pub runtime: RuntimeSpec,
    /// The programs of others that make its cluster, and perhaps its topology; none where the twin is the cluster.
    #[serde(default)]
    pub outside: Option<LabSpec>,
    /// Unpacked packages to lay over the nodes' file systems.
    pub layers: Vec<PathBuf>,
    /// The names of the lab's phases, for people to read.
    pub phases: Vec<String>,
    /// The keeper's own folder: state file, control socket, logs.
    pub dir: PathBuf,
    /// Ends with the process that started it (a test run), or stays (`fabric up`).
    pub ephemeral: bool,
}

/// Where a fabric's nodes live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeSpec {
    /// In namespaces of ours.
    #[default]
    Netns,
    /// In containers of an engine.
    Docker {
        /// Where the engine is: `unix:///path`, `tcp://address:port`.
        host: String,
        /// Which image stands for which.
        images: ImageMap,
    },
}

const fn yes() -> bool {
    true
}

/// What a client may ask.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// Do a part of bringing up; answers with [`Answer::Progress`] lines, then [`Answer::Step`].
    Step(Step),
    /// Go to another version of Cilium; answers as [`Request::Step`].
    Upgrade(UpgradeOrder),
    /// Open a socket in the network namespace of the node whose first process has this pid.
    Socket { init: i32, kind: SocketKind },
    /// Remember the phase that the fabric has reached.
    Phase(String),
    /// List the nodes, pods included.
    Nodes,
    /// Tell of the agents now and whenever something about them changes, until the client goes.
    Agents,
    /// End everything and the keeper itself.
    Down,
}

/// Another version of Cilium to go to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpgradeOrder {
    /// The version, without a leading `v`.
    pub to: String,
    /// Whether its agents speak BGP.
    pub bgp: bool,
    /// What its values tell them about it.
    pub bgp_settings: BgpSettings,
    /// The folder on this machine with the gobgpd (and gobgp) that this version's agents are to run; none leaves each node the one it
    /// was made with.
    pub speaker: Option<PathBuf>,
    /// The version of that GoBGP, where it is known.
    pub speaker_version: Option<String>,
    /// The values file, for the programs of others, from the lab's folder.
    pub values_file: Option<PathBuf>,
    /// What upgrades a real cluster instead of `helm upgrade`.
    pub command: Option<String>,
    /// In which order things happen.
    pub roll: Roll,
}

/// What a keeper answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Done, nothing to tell.
    Done,
    /// Something has begun or ended.
    Progress(Progress),
    /// A part of bringing up is done.
    Step(StepReport),
    /// The descriptor that rides on this line.
    Socket,
    /// The nodes.
    Nodes(Vec<NodeInfo>),
    /// The agents.
    Agents(Vec<AgentInfo>),
    /// It did not work.
    Failed { why: String },
}

/// A moment in bringing a fabric up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What has been done.
    pub what: String,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// Where it is of a command line of another program's, that command line and what this says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandMoment>,
}

/// A moment of a command line of another program's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandMoment {
    /// The command line.
    pub line: String,
    /// What happened.
    pub what: CommandEvent,
}

/// What happened to a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandEvent {
    /// It was started; the text is its limit and what that is made of.
    Began,
    /// It wrote a line; the text is the line.
    Said,
    /// It ended well.
    Ended,
    /// It did not; the text says why, and what to do.
    Failed,
}

/// One `exec:` line as it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecResult {
    /// The node.
    pub node: String,
    /// The line as the lab gives it.
    pub line: String,
    /// Where the lab gives it: `file:line:column`.
    pub at: String,
    /// Exit code; -1 when the program could not be started.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error, or why the program could not be started.
    pub stderr: String,
    /// When it began, in milliseconds from the beginning of the step.
    pub began_ms: f64,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
}

impl ExecResult {
    /// Whether the line runs a program of FRR's: its start script, or vtysh. The time is then FRR's own.
    pub fn is_frr(&self) -> bool {
        let program = self.line.split_whitespace().next().unwrap_or_default();
        program == "vtysh" || program.ends_with("/vtysh") || program.contains("lib/frr/")
    }
}

/// What a part of bringing up did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The parts, with their times.
    pub parts: Vec<Progress>,
    /// The `exec:` lines, with how they went.
    pub exec: Vec<ExecResult>,
    /// What did not go as asked but did not stop the step.
    pub warnings: Vec<String>,
}

/// What one of Cilium's agents has acted on, and with whom its node speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// Its node, by its full name.
    pub node: String,
    /// Its version; none where it does not say.
    #[serde(default)]
    pub version: Option<String>,
    /// Whether that version reads CiliumBGPPeeringPolicies.
    #[serde(default = "yes")]
    pub reads_policies: bool,
    /// Whether it has acted on what there was at least once.
    pub running: bool,
    /// The resourceVersion of its Node object that it last acted on.
    pub node_seen: Option<String>,
    /// The resourceVersion of each peering policy that it last acted on, by name.
    pub policies_seen: BTreeMap<String, String>,
    /// What of the second BGP API it last acted on; none where that is not served.
    #[serde(default)]
    pub second_seen: Option<SecondSeen>,
    /// What the operator last acted on to make the node's configuration; none where it has none to make.
    #[serde(default)]
    pub operator: Option<OperatorSeen>,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
    /// Why something is not spoken though nothing is wrong, one sentence each.
    #[serde(default)]
    pub silences: Vec<String>,
    /// Its neighbors.
    pub neighbors: Vec<AgentNeighbor>,
    /// Its speakers, by their AS numbers.
    #[serde(default)]
    pub speakers: Vec<AgentSpeaker>,
}

impl AgentInfo {
    /// The same without what speakers and their sessions do by themselves: what the agent has acted on.
    #[must_use]
    pub fn without_sessions(&self) -> Self {
        let mut still = self.clone();
        still.speakers.clear();
        still.neighbors.iter_mut().for_each(|neighbor| neighbor.session = None);
        still
    }
}

/// A speaker of one of Cilium's agents: a gobgpd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSpeaker {
    /// The name of its instance in the second BGP API.
    pub instance: Option<String>,
    /// Its AS number.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Where it listens, if at all.
    pub local_port: Option<u16>,
    /// When its gobgpd was started; `None` while it waits to be started again.
    pub started_at: Option<SystemTime>,
    /// How often gobgpd had to be started again after it ended by itself.
    pub restarts: u32,
    /// The prefixes it advertises.
    pub advertised: Vec<IpNet>,
}

/// What Cilium's operator has acted on, as far as it matters to one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorSeen {
    /// Whether nothing is left to be written.
    pub done: bool,
    /// CiliumBGPClusterConfigs.
    pub clusters: Contents,
    /// CiliumBGPPeerConfigs.
    pub peers: Contents,
    /// CiliumBGPNodeConfigOverrides.
    pub overrides: Contents,
    /// The node's CiliumBGPNodeConfig.
    pub node_config: Option<String>,
    /// The node's labels.
    pub labels: BTreeMap<String, String>,
}

/// A neighbor that one of Cilium's agents speaks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentNeighbor {
    /// Its address.
    pub address: IpAddr,
    /// The AS number it must have; 0 for any.
    pub asn: u32,
    /// The AS number it is told.
    pub local_asn: u32,
    /// The address families that are offered to it, as `ipv4/unicast`.
    #[serde(default)]
    pub families: Vec<String>,
    /// How its session stands, by the speaker's log; `None` while the speaker does not run.
    #[serde(default)]
    pub session: Option<AgentSession>,
}

/// A session of one of Cilium's speakers, as its log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSession {
    /// When the speaker took the neighbor in: its first connect timer runs from here.
    pub added_at: SystemTime,
    /// Since when it is Established; `None` while it is not.
    pub up_since: Option<SystemTime>,
    /// How often it became Established.
    pub times_up: u32,
    /// Why it last went down, in GoBGP's words.
    pub last_down: Option<String>,
}

/// A node as the state file and `fabric status` show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Name as the lab knows it; `namespace/name` for a pod.
    pub name: String,
    /// Name as a container would have it (`clab-<lab>-<node>`); same as the name for cluster nodes and pods.
    pub container: String,
    /// `router`, `bridge`, `server` (a container in a cluster node's network), `cluster` or `pod`.
    pub role: String,
    /// Pid of its first process, as the host sees it.
    pub init: i32,
    /// The container's id, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// Address on the management network, if it has one.
    pub mgmt: Option<String>,
}
