//! Judges fabrics: the expectation language, the plan, the checks, the runner.

pub mod bundle;
pub mod checks;
pub mod expect;
pub mod ladder;
pub mod learn;
pub mod plan;
pub mod run;
pub mod upgrade;
