//! runtime: see the module's files.
