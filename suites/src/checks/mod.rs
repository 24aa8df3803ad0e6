//! checks: see the module's files.
