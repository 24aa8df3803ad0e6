//! twin: see the module's files.
