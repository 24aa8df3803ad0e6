//! Everything at once: whom a fabric has, what each is asked, side by side, until a deadline.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fabric_harness::capture::LinkCapture;
use fabric_harness::fabric::Fabric;
use fabric_harness::lab::NetworkMode;
use fabric_harness::node::NodeRef;
use futures::StreamExt;
use tokio::time::Instant;

use super::part::{Part, Piece, ask};
use super::redact::Redactor;
use super::routers::Daemons;
use super::{cluster, lab, links, nodes, routers, speakers};

/// All of it takes no longer than this, whatever hangs.
const WHOLE: Duration = Duration::from_secs(30);
/// Finding out what there is takes no longer than this.
const LOOKING: Duration = Duration::from_secs(8);
const AT_ONCE: usize = 12;

/// What a bundle is made of.
#[derive(Debug, Default)]
pub struct Sources {
    /// The fabric's name, or the lab's where there is no fabric.
    pub name: String,
    /// Why it is made, a sentence.
    pub why: String,
    /// The fabric, if there is one left.
    pub fabric: Option<Arc<Fabric>>,
    /// The lab's folder.
    pub lab: Option<PathBuf>,
    /// The folder of the fabric's keeper.
    pub keeper: Option<PathBuf>,
    /// What was captured, or why nothing was.
    pub captures: Captured,
}

/// What was captured.
#[derive(Debug)]
pub enum Captured {
    /// These links.
    Links(Vec<LinkCapture>),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

impl Default for Captured {
    fn default() -> Self {
        Self::Nothing("there was no fabric to listen to")
    }
}

/// A bundle that is collected and not written yet. Secrets are still in it.
#[derive(Debug)]
pub struct Collected {
    pub(super) pieces: Vec<Piece>,
    pub(super) redactor: Redactor,
    pub(super) fabric: String,
    pub(super) why: String,
    pub(super) notes: Vec<String>,
    pub(super) began: DateTime<Utc>,
}

impl Collected {
    /// Adds a part that is had elsewhere.
    pub fn add(&mut self, piece: Piece) {
        self.pieces.push(piece);
    }
}

/// One node to be asked.
struct Place {
    name: String,
    is_pod: bool,
    /// It has no network namespace of its own: whose it has.
    shares: Option<String>,
}

/// Collects all there is. Never fails: what cannot be had is a line in the index.
pub async fn collect(sources: Sources) -> Collected {
    let began = Utc::now();
    let until = Instant::now() + WHOLE;
    let Sources { name, why, fabric, lab: folder, keeper, captures } = sources;
    let mut pieces = Vec::new();
    let mut notes = Vec::new();
    let redactor = Arc::new(Mutex::new(Redactor::new()));
    // First, so that the questions below are not in them.
    match captures {
        Captured::Links(all) => pieces.extend(links::pieces(&all)),
        Captured::Nothing(why) => {
            pieces.push(Piece::missing(
                "captures",
                "the last packets of each link",
                "a packet socket per node",
                why,
            ));
        }
    }
    let mut parts = lab::host();
    if let Some(folder) = &folder {
        let (files, missing) = lab::files(folder);
        parts.extend(files);
        pieces.extend(missing);
    }
    parts.extend(keeper.iter().flat_map(|folder| lab::keeper(folder)));
    match &fabric {
        None => notes.push(
            "There was no fabric any more when this was made: nodes and cluster could not be asked.".into(),
        ),
        Some(fabric) => {
            let (of_nodes, of_cluster) = tokio::join!(of_nodes(fabric), of_cluster(fabric, &redactor));
            for (more, missing) in [of_nodes, of_cluster] {
                parts.extend(more);
                pieces.extend(missing);
            }
        }
    }
    pieces.extend(ask(parts, until).await);
    let redactor = redactor.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Collected { pieces, redactor, fabric: name, why, notes, began }
}

type Found = (Vec<Part>, Vec<Piece>);

/// Whom there is, and what runs in each.
async fn of_nodes(fabric: &Arc<Fabric>) -> Found {
    let boxes = match tokio::time::timeout(LOOKING, boxes(fabric)).await {
        Ok(Ok(boxes)) => boxes,
        Ok(Err(why)) => return (Vec::new(), vec![unseen("nodes", why)]),
        Err(_) => {
            return (Vec::new(), vec![unseen("nodes", format!("no answer within {} s", LOOKING.as_secs()))]);
        }
    };
    let looked = boxes.into_iter().map(|one| async move {
        let folder = if one.is_pod { format!("pods/{}", one.name) } else { format!("nodes/{}", one.name) };
        match tokio::time::timeout(LOOKING, look(fabric, &one, &folder)).await {
            Ok(Ok(found)) => found,
            Ok(Err(why)) => (Vec::new(), vec![unseen(&folder, why)]),
            Err(_) => {
                (Vec::new(), vec![unseen(&folder, format!("no answer within {} s", LOOKING.as_secs()))])
            }
        }
    });
    let all: Vec<Found> = futures::stream::iter(looked).buffer_unordered(AT_ONCE).collect().await;
    all.into_iter().fold(Found::default(), |mut sum, (parts, missing)| {
        sum.0.extend(parts);
        sum.1.extend(missing);
        sum
    })
}

fn unseen(path: &str, why: String) -> Piece {
    Piece::missing(path, "everything a node can be asked", "the node", why)
}

async fn boxes(fabric: &Fabric) -> Result<Vec<Place>, String> {
    let topology = fabric.topology();
    let shares = |name: &str| match topology.node(name).map(|node| &node.network_mode) {
        Some(NetworkMode::Container(other)) => topology.resolve_container(fabric.cluster(), other),
        _ => None,
    };
    if let Some(found) = fabric.found() {
        let one = |name: String| Place { is_pod: false, shares: shares(&name), name };
        return Ok(found.names().into_iter().map(one).collect());
    }
    let all = fabric.nodes().await.map_err(|error| error.to_string())?;
    let one = |info: fabric_harness::runtime::keeper::NodeInfo| Place {
        is_pod: info.role == "pod",
        shares: shares(&info.name),
        name: info.name,
    };
    Ok(all.into_iter().map(one).collect())
}

async fn look(fabric: &Fabric, one: &Place, folder: &str) -> Result<Found, String> {
    let node: NodeRef = fabric.node(&one.name).await.map_err(|error| error.to_string())?;
    if one.is_pod {
        return Ok((nodes::of_pod(folder, &node), Vec::new()));
    }
    let daemons = Daemons::of(&node).await?;
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    match &one.shares {
        None => parts.extend(nodes::of_node(folder, &node)),
        Some(other) => {
            parts.push(nodes::processes(folder, &node));
            let why = format!("it has the network of {other}: see nodes/{other}");
            missing.push(Piece::missing(
                format!("{folder}/interfaces.txt"),
                "its kernel's tables",
                "the node",
                why,
            ));
        }
    }
    if daemons.frr {
        parts.extend(routers::frr(folder, &node));
    }
    if daemons.bird {
        parts.extend(routers::bird(folder, &node));
    }
    for socket in &daemons.gobgp {
        parts.extend(speakers::gobgp(folder, &node, socket));
    }
    if daemons.cilium {
        parts.extend(speakers::cilium(folder, &node));
    }
    Ok((parts, missing))
}

async fn of_cluster(fabric: &Fabric, redactor: &Arc<Mutex<Redactor>>) -> Found {
    if fabric.cluster().is_none() {
        return Found::default();
    }
    let missing = |why: String| {
        let piece = Piece::missing("cluster", "the cluster's objects and events", "its API", why);
        (Vec::new(), vec![piece])
    };
    let asked = async {
        let client = fabric.client().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(cluster::parts(&client, redactor).await)
    };
    match tokio::time::timeout(LOOKING, asked).await {
        Ok(Ok(found)) => found,
        Ok(Err(why)) => missing(why),
        Err(_) => missing(format!("no answer within {} s", LOOKING.as_secs())),
    }
}
