//! Which distribution this is, from os-release(5), and the one line that installs something on it.
//!
//! What does not live here: doing it. Nothing in this program installs anything on the host.

use serde::Serialize;

use super::Tool;

/// Distributions that install packages in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Debian, Ubuntu and what derives from them: apt and dpkg.
    Debian,
    /// Fedora, RHEL and what derives from them: dnf.
    Fedora,
    /// Arch Linux and what derives from it: pacman.
    Arch,
    /// openSUSE and SLE: zypper.
    Suse,
    /// Alpine: apk.
    Alpine,
    /// One we cannot give a line for.
    Other,
}

/// The distribution of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Distro {
    /// `ID` of os-release: `debian`, `ubuntu`, `fedora`; `linux` when it does not say.
    pub id: String,
    /// `VERSION_ID` (`12`, `24.04`), else `VERSION_CODENAME` (Debian testing has no number), else `rolling`.
    pub release: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
    /// How packages are installed.
    pub family: Family,
    /// Whether its archive is Ubuntu's, or one derived from it, and not Debian's.
    ubuntu: bool,
}

/// GoBGP's own release, for distributions that do not package it: one static archive with both programs.
const GOBGP_RELEASE: &str = "3.37.0";

impl Distro {
    /// Reads the text of an os-release file; never fails, since every key is optional there.
    pub fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines().filter_map(|line| line.trim().split_once('=')).find(|(k, _)| *k == key).and_then(
                |(_, raw)| {
                    let words = shell_words::split(raw).ok()?;
                    let joined = words.join(" ");
                    (!joined.is_empty()).then_some(joined)
                },
            )
        };
        // os-release(5): an absent ID means `linux`.
        let id = value("ID").unwrap_or_else(|| "linux".to_owned());
        let like = value("ID_LIKE").unwrap_or_default();
        let family = std::iter::once(id.as_str())
            .chain(like.split_whitespace())
            .map(family_of)
            .find(|family| *family != Family::Other)
            .unwrap_or(Family::Other);
        Self {
            release: value("VERSION_ID")
                .or_else(|| value("VERSION_CODENAME"))
                .unwrap_or_else(|| "rolling".to_owned()),
            name: value("PRETTY_NAME").unwrap_or_else(|| id.clone()),
            ubuntu: std::iter::once(id.as_str()).chain(like.split_whitespace()).any(|id| id == "ubuntu"),
            id,
            family,
        }
    }

    /// Whether its packages come from Ubuntu's archive, or a mirror of it.
    pub(super) fn is_ubuntu(&self) -> bool {
        self.ubuntu
    }

    /// The folder of this distribution's layers in the cache: `debian-12-x86_64`. Only letters, digits, `.`, `_` and
    /// `-` survive, so that no os-release can lead out of the cache.
    pub(super) fn folder(&self) -> String {
        let clean = |text: &str| -> String {
            let kept =
                text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '_' { c } else { '-' });
            kept.collect::<String>().trim_matches('.').to_owned()
        };
        format!("{}-{}-{}", clean(&self.id), clean(&self.release), std::env::consts::ARCH)
    }

    /// The one line to type that puts `tools` on this host.
    pub fn install_line(&self, tools: &[Tool]) -> String {
        let mut packages: Vec<&str> = tools.iter().filter_map(|tool| tool.package(self.family)).collect();
        packages.dedup();
        let mut steps = Vec::new();
        if !packages.is_empty() {
            let packages = packages.join(" ");
            steps.push(match self.family {
                Family::Debian => format!("sudo apt-get update && sudo apt-get install -y {packages}"),
                Family::Fedora => format!("sudo dnf install -y {packages}"),
                Family::Arch => format!("sudo pacman -S --needed {packages}"),
                Family::Suse => format!("sudo zypper install -y {packages}"),
                Family::Alpine => format!("sudo apk add {packages}"),
                Family::Other => String::new(),
            });
        }
        if self.family == Family::Other {
            let names: Vec<String> = tools.iter().map(Tool::to_string).collect();
            return format!(
                "install {} with this system's package manager, so that a shell finds them",
                names.join(", ")
            );
        }
        if self.family == Family::Fedora && tools.contains(&Tool::Frr) {
            // Fedora keeps FRR's daemons under libexec; the labs, as everyone writes them, call /usr/lib/frr/frrinit.sh.
            steps.push("sudo ln -sfn /usr/libexec/frr /usr/lib/frr".to_owned());
        }
        if tools.contains(&Tool::Gobgp) && Tool::Gobgp.package(self.family).is_none() {
            let arch = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
            steps.push(format!(
                "curl -fsSL https://github.com/osrg/gobgp/releases/download/v{GOBGP_RELEASE}/gobgp_{GOBGP_RELEASE}_linux_{arch}.tar.gz \
                 | sudo tar -xz -C /usr/local/bin gobgp gobgpd"
            ));
        }
        steps.join(" && ")
    }
}

fn family_of(id: &str) -> Family {
    match id {
        "debian" | "ubuntu" => Family::Debian,
        "fedora" | "rhel" | "centos" | "amzn" => Family::Fedora,
        "arch" | "archlinux" => Family::Arch,
        "suse" | "opensuse" | "sles" | "opensuse-tumbleweed" | "opensuse-leap" => Family::Suse,
        "alpine" => Family::Alpine,
        _ => Family::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::debian(
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n",
        "debian",
        "12",
        Family::Debian
    )]
    #[case::testing("ID=debian\nVERSION_CODENAME=forky\n", "debian", "forky", Family::Debian)]
    #[case::ubuntu("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n", "ubuntu", "24.04", Family::Debian)]
    #[case::mint(
        "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID='22'\n",
        "linuxmint",
        "22",
        Family::Debian
    )]
    #[case::rocky(
        "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n",
        "rocky",
        "9.4",
        Family::Fedora
    )]
    #[case::arch("ID=arch\n", "arch", "rolling", Family::Arch)]
    #[case::suse(
        "ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n",
        "opensuse-tumbleweed",
        "rolling",
        Family::Suse
    )]
    #[case::alpine("ID=alpine\nVERSION_ID=3.20.1\n", "alpine", "3.20.1", Family::Alpine)]
    #[case::empty("", "linux", "rolling", Family::Other)]
    #[case::junk("ID=\n# ID=debian\n=\nVERSION_ID=\"open\n", "linux", "rolling", Family::Other)]
    fn reads_os_release(#[case] text: &str, #[case] id: &str, #[case] release: &str, #[case] family: Family) {
        let distro = Distro::parse(text);
        assert_eq!((distro.id.as_str(), distro.release.as_str(), distro.family), (id, release, family));
    }

    #[rstest]
    #[case("ID=debian", "sudo apt-get update && sudo apt-get install -y frr gobgpd iputils-ping")]
    #[case("ID=arch", "sudo pacman -S --needed frr iputils && curl -fsSL https://github.com/osrg/gobgp/")]
    #[case(
        "ID=fedora",
        "sudo dnf install -y frr iputils && sudo ln -sfn /usr/libexec/frr /usr/lib/frr && curl "
    )]
    #[case("ID=plan9", "install FRR, GoBGP, ping with this system's package manager")]
    fn one_line_to_type(#[case] text: &str, #[case] start: &str) {
        let line = Distro::parse(text).install_line(&[Tool::Frr, Tool::Gobgp, Tool::Ping]);
        assert!(line.starts_with(start), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn a_folder_stays_in_the_cache() {
        let folder = Distro::parse("ID=../../etc\nVERSION_ID=/\n").folder();
        assert!(!folder.contains('/') && !folder.starts_with('.'), "{folder}");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC*") {
            let distro = Distro::parse(&text);
            prop_assert!(!distro.id.is_empty() && !distro.release.is_empty());
            prop_assert!(!distro.folder().contains('/'));
        }
    }
}
