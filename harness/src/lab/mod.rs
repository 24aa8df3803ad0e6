//! lab: see the module's files.
