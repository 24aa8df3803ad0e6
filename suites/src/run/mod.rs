//! run: see the module's files.
