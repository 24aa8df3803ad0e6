//! tools: see the module's files.
