//! cilium: see the module's files.
