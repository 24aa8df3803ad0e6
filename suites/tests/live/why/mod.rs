//! Routes that are not where they should be and packets that do not arrive: the report names what broke, once.

mod packets;
mod routes;
mod up;
