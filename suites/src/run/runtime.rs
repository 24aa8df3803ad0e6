//! The threads on which a run is carried out.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// How much stack each thread may use: a ladder follows a route from router to router, one call deeper with each, and what is
/// not used of it costs nothing.
const STACK: usize = 64 << 20;

/// A runtime for a run.
///
/// # Errors
/// When the system has no more threads or descriptors.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).thread_stack_size(STACK).enable_all().build()
}
