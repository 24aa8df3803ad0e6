//! router: see the module's files.
