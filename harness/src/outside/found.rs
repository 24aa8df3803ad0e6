//! Finding the programs of others, and whether they are new enough.
//!
//! What lives here: where, which version, the oldest that will do, the line that installs it. What does not: the programs that
//! nodes run (`crate::tools`).

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::tools::child;

/// A program of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Program {
    /// The Docker client, which kind calls.
    Docker,
    /// kind.
    Kind,
    /// helm.
    Helm,
    /// containerlab.
    Containerlab,
    /// kubectl, for people.
    Kubectl,
}

/// Major, minor, patch.
pub type Version = (u64, u64, u64);

/// A program that is wanted is not there, or too old.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It is not on the path.
    #[error("{name} is not on the PATH, and {what} needs it; type: {line}")]
    Missing {
        /// The program.
        name: &'static str,
        /// Who wants it.
        what: String,
        /// What installs it.
        line: &'static str,
    },
    /// It is too old.
    #[error("{} is {name} {found}, and {oldest} is the oldest that will do ({why}); type: {line}", path.display())]
    TooOld {
        /// Where it is.
        path: PathBuf,
        /// The program.
        name: &'static str,
        /// Its version.
        found: String,
        /// The oldest that will do.
        oldest: String,
        /// What the older ones lack.
        why: &'static str,
        /// What installs a newer one.
        line: &'static str,
    },
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Docker, Self::Kind, Self::Helm, Self::Containerlab, Self::Kubectl];

    /// Its name on the path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Kind => "kind",
            Self::Helm => "helm",
            Self::Containerlab => "containerlab",
            Self::Kubectl => "kubectl",
        }
    }

    /// The oldest version that will do, and what the older ones lack.
    pub fn oldest(self) -> (Version, &'static str) {
        match self {
            Self::Docker => ((20, 10, 0), "its API is 1.41"),
            Self::Kind => ((0, 11, 0), "its nodes run on cgroup v2"),
            Self::Helm => ((3, 0, 0), "older ones need a server in the cluster"),
            Self::Containerlab => {
                ((0, 31, 0), "it is of the time of the article's lab, which older ones were never tried with")
            }
            Self::Kubectl => ((1, 18, 0), "server-side apply"),
        }
    }

    /// The line that installs it.
    pub fn install_line(self) -> &'static str {
        match self {
            Self::Docker => "apt-get install docker.io",
            Self::Kind => "go install sigs.k8s.io/kind@latest",
            Self::Helm => {
                "curl -fsSL https://raw.githubusercontent.com/helm/helm/main/scripts/get-helm-3 | bash"
            }
            Self::Containerlab => "bash -c \"$(curl -sL https://get.containerlab.dev)\"",
            // Distributions' own are too old to exec (Debian 12 has 1.20), or not there (Ubuntu 24.04).
            Self::Kubectl => {
                "curl -fsSLO \"https://dl.k8s.io/release/$(curl -fsSL https://dl.k8s.io/release/stable.txt)/bin/linux/amd64/kubectl\" && sudo install kubectl /usr/local/bin"
            }
        }
    }

    fn version_args(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &["version", "--format", "{{.Client.Version}}"],
            Self::Kind | Self::Containerlab => &["version"],
            Self::Helm => &["version", "--short"],
            Self::Kubectl => &["version", "--client"],
        }
    }

    /// Its version, by running it; none if it does not say one within five seconds.
    pub async fn version(self, path: &Path) -> Option<Version> {
        let mut command = std::process::Command::new(path);
        command.args(self.version_args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut text = String::new();
        let running = child::lines(command, |line| match line {
            child::Line::Out(line) | child::Line::Err(line) => {
                text.push_str(&line);
                text.push('\n');
            }
        });
        // A version is asked of the program alone: five seconds are a program that hangs.
        tokio::time::timeout(Duration::from_secs(5), running).await.ok()?.ok()?;
        version_in(&text)
    }
}

/// The first thing in a text that looks like a version: `v0.24.0`, `20.10.24+dfsg1`.
fn version_in(text: &str) -> Option<Version> {
    let words = text.split(|char: char| char.is_whitespace() || "\",(:".contains(char));
    words.filter_map(version_of).next()
}

fn version_of(word: &str) -> Option<Version> {
    let word = word.strip_prefix('v').unwrap_or(word);
    let end = word.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(word.len());
    let mut numbers = word[..end].split('.');
    let version =
        (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(version)
}

pub(crate) fn shown(version: Version) -> String {
    format!("{}.{}.{}", version.0, version.1, version.2)
}

/// A program on the `PATH`, new enough; `what` says who needs it.
///
/// # Errors
/// When it is not there, or too old.
pub async fn find(program: Program, what: &str) -> Result<(PathBuf, Option<Version>), ProgramError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = on_path(program.name(), std::env::split_paths(&path));
    let Some(found) = found else {
        return Err(ProgramError::Missing {
            name: program.name(),
            what: what.to_owned(),
            line: program.install_line(),
        });
    };
    let version = program.version(&found).await;
    let (oldest, why) = program.oldest();
    if let Some(version) = version.filter(|version| *version < oldest) {
        return Err(ProgramError::TooOld {
            path: found,
            name: program.name(),
            found: shown(version),
            oldest: shown(oldest),
            why,
            line: program.install_line(),
        });
    }
    Ok((found, version))
}

pub(crate) fn on_path(name: &str, dirs: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    dirs.map(|dir| dir.join(name)).find(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::kind("kind v0.24.0 go1.22.6 linux/amd64", (0, 24, 0))]
    #[case::helm("v3.17.3+ge4da497", (3, 17, 3))]
    #[case::docker("20.10.24+dfsg1", (20, 10, 24))]
    #[case::kubectl("Client Version: v1.31.0\nKustomize Version: v5.4.2", (1, 31, 0))]
    #[case::old_kubectl("Client Version: version.Info{Major:\"1\", Minor:\"24\", GitVersion:\"v1.24.0\"}", (1, 24, 0))]
    #[case::containerlab("    version: 0.44.3\n     commit: 1\n       date: 2023", (0, 44, 3))]
    fn versions_as_the_programs_say_them(#[case] text: &str, #[case] version: Version) {
        assert_eq!(version_in(text), Some(version));
    }

    #[test]
    fn what_is_no_version_is_none() {
        assert_eq!(version_in("unable to connect: 1.2"), None);
    }

    #[tokio::test]
    async fn what_is_there_and_what_is_not() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("kind");
        std::fs::write(&path, "#!/bin/sh\necho kind v0.9.0 go1.15 linux/amd64\n").unwrap();
        assert_eq!(on_path("kind", [room.path().to_owned()].into_iter()), None, "it may not be run");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(on_path("kind", [room.path().to_owned()].into_iter()).as_ref(), Some(&path));
        assert_eq!(Program::Kind.version(&path).await, Some((0, 9, 0)));
        assert!((0, 9, 0) < Program::Kind.oldest().0);
    }
}
