//! What is to be drawn. How it is drawn is not known here.

use crate::record::{Record, Topology};

/// What is to be drawn: the fabric, and what lives on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scene {
    /// Boxes and links. Two boxes of one name, and a link to a box that is not there, are drawn as nothing.
    pub topology: Topology,
    /// Every pod that ever has a place, and the box where it is. A pod that moves is there once for each of its boxes.
    pub pods: Vec<Pod>,
    /// Sessions between boxes that no link connects, each as its two boxes. Those over links need not be told.
    pub sessions: Vec<[String; 2]>,
}

/// A pod on a box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pod {
    /// Its name as it is written in the picture's attributes: `default/nettool-1`.
    pub name: String,
    /// The box.
    pub node: String,
}

impl Scene {
    /// The scene of a topology alone.
    pub fn of(topology: &Topology) -> Self {
        Self { topology: topology.clone(), ..Self::default() }
    }

    /// The scene of a run: its topology, if its record has one.
    pub fn of_record(record: &Record) -> Option<Self> {
        record.topology.as_ref().map(Self::of)
    }
}
