//! wire: see the module's files.
