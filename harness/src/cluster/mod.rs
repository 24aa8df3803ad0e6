//! cluster: see the module's files.
