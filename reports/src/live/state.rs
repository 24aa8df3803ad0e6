//! What the page is told. Who finds it out is not known here.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything the drawing shows, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// The boxes, by name.
    pub boxes: BTreeMap<String, BoxNow>,
    /// The links, in the topology's order.
    pub links: Vec<LinkNow>,
    /// The sessions that routers have.
    pub sessions: Vec<SessionNow>,
    /// The pods.
    pub pods: Vec<PodNow>,
}

/// A box at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BoxNow {
    /// Why it does not do what it is for; none when it does.
    pub trouble: Option<String>,
    /// Its AS number, as far as it says one.
    pub asn: Option<u32>,
    /// Grows when anything in its panel has changed.
    pub version: u64,
}

/// A link at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkNow {
    /// As the drawing calls it: `router0:net0--tor0:net0`.
    pub link: String,
    /// Whether both ends are up; none when neither can be seen.
    pub up: Option<bool>,
}

/// A session as one router sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionNow {
    /// The router.
    pub node: String,
    /// The session's key there: an interface or an address.
    pub neighbor: String,
    /// The box at the other end, where it is known.
    pub peer: Option<String>,
    /// The link it runs over, as the drawing calls it; none where no link connects the two.
    pub link: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// The router's own word for its state.
    pub state: String,
}

/// How a session stands, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Routes flow.
    Established,
    /// It is being set up, or waits for a peer that was never there.
    Trying,
    /// It was lost, or is shut down.
    Down,
}

/// A pod at one moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PodNow {
    /// `namespace/name`.
    pub pod: String,
    /// The box it is on.
    pub node: String,
    /// Whether it is running and ready.
    pub ready: bool,
}

/// What is to be known of one box, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Panel {
    /// The box.
    pub node: String,
    /// What it is, in a few words.
    pub about: String,
    /// Its tables.
    pub sections: Vec<Section>,
}

/// One table of a panel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// What it is a table of.
    pub title: String,
    /// What is to be said of it; why it is empty, say.
    pub note: String,
    /// The columns' names.
    pub columns: Vec<&'static str>,
    /// The rows; each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}
