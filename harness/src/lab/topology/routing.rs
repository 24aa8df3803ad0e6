//! Which routing daemon a node of a topology is meant to run: what has to be there for it, and what a person would type.
//!
//! What does not live here: which one it does run; a router is asked by whatever is found on it (`router`).

use std::path::Path;

use super::types::NodeSpec;

/// A routing daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Routing {
    /// FRR.
    Frr,
    /// BIRD.
    Bird,
}

impl Routing {
    /// By the name of an image: `frr` anywhere in it, or `bird` (`bird2`, `bird3`) as a word of its last part, before the
    /// tag (`frrouting/frr:v8.2.2`, `pierky/bird:2.0.12`).
    pub fn of_image(image: &str) -> Option<Self> {
        if image.contains("frr") {
            return Some(Self::Frr);
        }
        let name = image.rsplit('/').next().unwrap_or(image);
        let name = name.split(['@', ':']).next().unwrap_or(name);
        let bird = |word: &str| word.trim_end_matches(|c: char| c.is_ascii_digit()) == "bird";
        name.split(|c: char| !c.is_ascii_alphanumeric()).any(bird).then_some(Self::Bird)
    }

    /// By a command that starts it.
    fn of_command(argv: &[String]) -> Option<Self> {
        let is = |word: &str, name: &str| {
            Path::new(word).file_name().is_some_and(|program| program.to_string_lossy() == name)
        };
        // It may stand behind another program (`ip vrf exec red bird`), or in a shell's line (`sh -c 'sleep 1; bird'`).
        let words = || argv.iter().flat_map(|word| word.split([' ', ';', '&', '|', '\n']));
        if words().any(|word| is(word, "bird")) {
            return Some(Self::Bird);
        }
        words().any(|word| is(word, "frrinit.sh") || is(word, "bgpd")).then_some(Self::Frr)
    }

    /// The command that shows its BGP table to a person.
    pub fn shows_table(self) -> &'static str {
        match self {
            Self::Frr => "vtysh -c 'show bgp ipv4 wide'",
            Self::Bird => "birdc show route",
        }
    }
}

impl NodeSpec {
    /// Whether the node says that it runs a daemon: by the name of its image, or by a command that starts it.
    pub fn runs(&self, routing: Routing) -> bool {
        self.image.as_deref().and_then(Routing::of_image) == Some(routing)
            || self.commands().any(|argv| Routing::of_command(&argv) == Some(routing))
    }

    /// The daemon it runs; what is started counts for more than what an image is called.
    pub fn routing(&self) -> Option<Routing> {
        let started = self.commands().find_map(|argv| Routing::of_command(&argv));
        started.or_else(|| self.image.as_deref().and_then(Routing::of_image))
    }

    fn commands(&self) -> impl Iterator<Item = Vec<String>> {
        let start = [&self.entrypoint, &self.cmd].into_iter().flatten();
        let start = start.filter_map(|text| shell_words::split(text).ok());
        start.chain(self.lines().map(|line| line.argv.clone()))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("frrouting/frr:v8.2.2", Some(Routing::Frr))]
    #[case("quay.io/frrouting/frr@sha256:abc", Some(Routing::Frr))]
    #[case("pierky/bird:2.0.12", Some(Routing::Bird))]
    #[case("registry.example.org:5000/net/bird2", Some(Routing::Bird))]
    #[case("example/router-bird:3", Some(Routing::Bird))]
    #[case("netbirdio/netbird:latest", None)]
    #[case("nicolaka/netshoot:latest", None)]
    fn an_image_says_what_is_in_it(#[case] image: &str, #[case] expected: Option<Routing>) {
        assert_eq!(Routing::of_image(image), expected);
    }

    #[rstest]
    #[case("bird -c /etc/bird/bird.conf", Some(Routing::Bird))]
    #[case("/usr/sbin/bird", Some(Routing::Bird))]
    #[case("ip vrf exec red bird", Some(Routing::Bird))]
    #[case("sh -c 'mkdir -p /run/bird && exec bird -f'", Some(Routing::Bird))]
    #[case("usr/lib/frr/frrinit.sh start", Some(Routing::Frr))]
    #[case("birdc show protocols", None)]
    #[case("touch /etc/frr/vtysh.conf", None)]
    fn a_command_says_what_it_starts(#[case] line: &str, #[case] expected: Option<Routing>) {
        assert_eq!(Routing::of_command(&shell_words::split(line).unwrap()), expected);
    }
}
