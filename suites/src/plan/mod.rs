//! plan: see the module's files.
