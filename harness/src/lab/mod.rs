//! What the user wrote: topology, cluster, values, manifests, `lab.yaml`, each with its place for errors.

pub mod yaml;
