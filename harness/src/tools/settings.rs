//! Where to look and where to keep: the environment's word, read once, so that everything below takes it as data.

use std::path::{Path, PathBuf};

use super::{Tool, ToolsError};

/// Where tools are looked for and where layers are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The root under which the host's programs, os-release and package status are; `/` but in tests.
    pub host: PathBuf,
    /// The folder all layers are under; `None` when the environment names none (then only the host counts).
    pub cache: Option<PathBuf>,
    /// Tools to treat as absent from the host even if they are there.
    pub assume_absent: Vec<Tool>,
}

impl Settings {
    /// Reads `FABRIC_CACHE_DIR` (the cache, else `$XDG_CACHE_HOME/fabric`, else `~/.cache/fabric`) and
    /// `FABRIC_ASSUME_ABSENT` (`frr,gobgp,...`: these are fetched even if the host has them).
    pub fn from_env() -> Result<Self, ToolsError> {
        Self::from_variables(|name| std::env::var_os(name).map(|v| v.to_string_lossy().into_owned()), home)
    }

    fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
        home: impl Fn() -> Option<PathBuf>,
    ) -> Result<Self, ToolsError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let absent = variable("FABRIC_ASSUME_ABSENT").unwrap_or_default();
        let assume_absent = absent
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().map_err(|source| ToolsError::AssumeAbsent { source }))
            .collect::<Result<_, _>>()?;
        let own = match variable("FABRIC_CACHE_DIR") {
            Some(dir) => {
                Some(std::path::absolute(&dir).map_err(ToolsError::io("cannot make absolute", dir))?)
            }
            None => None,
        };
        // The XDG base directory specification: a relative path is to be ignored.
        let xdg = variable("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
        let dotted = || variable("HOME").map(PathBuf::from).or_else(home).map(|home| home.join(".cache"));
        let cache = own.or_else(|| xdg.or_else(dotted).map(|dir| dir.join("fabric")));
        Ok(Self { host: PathBuf::from("/"), cache, assume_absent })
    }

    /// The folder of packages in the cache.
    pub(super) fn packages(&self) -> Option<PathBuf> {
        self.cache.as_deref().map(|cache| cache.join("packages"))
    }

    /// A path of the host: `usr/bin/ping` as it is under the host's root.
    pub(super) fn on_host(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.host.join(path.strip_prefix("/").unwrap_or(path))
    }
}

fn home() -> Option<PathBuf> {
    // A daemon or a container may have no HOME; the user database still knows.
    nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten().map(|user| user.dir)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, ToolsError> {
        Settings::from_variables(
            |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
            || Some(PathBuf::from("/home/of-passwd")),
        )
    }

    #[rstest]
    #[case::own(&[("FABRIC_CACHE_DIR", "/var/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], "/var/c")]
    #[case::xdg(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")], "/x/fabric")]
    #[case::relative_xdg(&[("XDG_CACHE_HOME", "x"), ("HOME", "/h")], "/h/.cache/fabric")]
    #[case::home(&[("HOME", "/h")], "/h/.cache/fabric")]
    #[case::nothing(&[("HOME", "")], "/home/of-passwd/.cache/fabric")]
    fn the_cache(#[case] variables: &[(&str, &str)], #[case] cache: &str) {
        assert_eq!(read(variables).unwrap().cache, Some(PathBuf::from(cache)));
    }

    #[test]
    fn what_to_assume_absent() {
        let settings = read(&[("FABRIC_ASSUME_ABSENT", "frr, gobgp,,ping")]).unwrap();
        assert_eq!(settings.assume_absent, [Tool::Frr, Tool::Gobgp, Tool::Ping]);
        let wrong = read(&[("FABRIC_ASSUME_ABSENT", "frr,quagga")]).unwrap_err();
        assert!(wrong.to_string().contains("`quagga` is not a tool"), "{wrong}");
    }
}
