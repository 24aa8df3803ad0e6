//! How much a store keeps: what bounds the memory of a cluster, whoever writes to it.
//!
//! What lives here: the numbers, and why they are so. What does not: holding to them (`keep`).

/// Bounds of a store. Weights are bytes of memory, as far as they can be told: an object that is two kilobytes of JSON
/// weighs about ten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many changes a collection remembers. A watcher further behind than this is cut off.
    pub events: usize,
    /// How much the changes that one collection remembers may weigh.
    pub collection: usize,
    /// How much all that is remembered may weigh; beyond it the oldest changes are forgotten, wherever they are.
    pub history: usize,
    /// How many bytes of JSON an object may be.
    pub object: usize,
    /// How much the objects that are there may weigh together.
    pub objects: usize,
}

impl Default for Limits {
    /// An object may be as large as etcd lets it be (1.5 MiB). A thousand pods, each with the dozen changes of a pod's
    /// life, are remembered for as long as it takes a watcher to come back.
    fn default() -> Self {
        Self { events: 2048, collection: 64 << 20, history: 128 << 20, object: 3 << 19, objects: 512 << 20 }
    }
}
