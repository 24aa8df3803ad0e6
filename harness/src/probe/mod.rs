//! probe: see the module's files.
