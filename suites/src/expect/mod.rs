//! expect: see the module's files.
