//! What gives Services their endpoints and their addresses.
