//! Whether this machine can run a fabric, and what to type where it cannot: what `fabric doctor` shows.

mod finding;
mod kernel;
mod limits;
mod programs;
mod see;
mod trial;

use super::{Settings, Tool};
use see::See;

pub use finding::{Finding, Level, to_json, to_text, worst};

/// Looks at this machine without changing it and without running a program; a few milliseconds, so that every run
/// can begin with it.
pub fn preflight() -> Vec<Finding> {
    match Settings::from_env() {
        Ok(settings) => look(&See::new(settings), None),
        Err(error) => vec![Finding::fatal("settings", error.to_string())],
    }
}

/// [`preflight`], and then what only a trial can tell: namespaces, mounts and links are really made (in namespaces
/// that end with the trial), every file of the cached layers is summed, and their programs are started; those of others that
/// a real lab uses say their versions.
pub async fn doctor() -> Vec<Finding> {
    match Settings::from_env() {
        Ok(settings) => {
            let see = See::new(settings);
            let config = trial::kernel_config(&see).await;
            let mut findings = look(&see, config.as_deref());
            programs::versions(&see, &mut findings).await;
            findings.extend(trial::namespaces(&see).await);
            findings.extend(trial::layers(&see).await);
            findings
        }
        Err(error) => vec![Finding::fatal("settings", error.to_string())],
    }
}

fn look(see: &See, kernel_config: Option<&str>) -> Vec<Finding> {
    let mut findings = vec![kernel::user_namespaces(see), kernel::version(see)];
    findings.extend(kernel::features(see, kernel_config));
    findings.push(kernel::ipv6(see));
    findings.extend(programs::tools(see, &Tool::ALL));
    findings.extend(limits::all(see));
    findings.extend(programs::optional(see));
    findings
}

#[cfg(test)]
mod tests;
