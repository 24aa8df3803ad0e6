//! What a run tells GitHub Actions: annotations at the places where failed checks are written, and the job's summary.
//!
//! Nothing of it is done elsewhere: [`Actions::here`] says whether this is a job of GitHub's.

mod actions;

pub use actions::{Actions, GithubError, tell};
