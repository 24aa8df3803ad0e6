//! Ways into nodes, as users write them: `router0=docker:clab-demo-router0`, `tor0=kubectl:lab/tor0-5d9`,
//! `tor1=exec:ssh tor1`.

use std::fmt;
use std::str::FromStr;

use crate::runtime::prefix::Prefix;

/// A way into a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// A container of this name.
    Docker(String),
    /// A pod; its first container unless named; words in front of every command.
    Kubectl {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container in it.
        container: Option<String>,
        /// Words in front of every command: `docker exec -i router0`, where the router is a container in the pod.
        before: Vec<String>,
    },
    /// A program that runs its arguments in the node.
    Exec(Prefix),
}

/// A node's name and the way into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterWay {
    /// The node, as the lab calls it.
    pub node: String,
    /// The way.
    pub way: Way,
}

/// What is written is no way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}`: {why}; write NAME=docker:CONTAINER, NAME=kubectl:NAMESPACE/POD (or NAMESPACE/POD/CONTAINER), or NAME=exec:COMMAND"
)]
pub struct WayError {
    text: String,
    why: String,
}

impl FromStr for RouterWay {
    type Err = WayError;

    fn from_str(text: &str) -> Result<Self, WayError> {
        let wrong = |why: &str| WayError { text: text.to_owned(), why: why.to_owned() };
        let (node, way) = text.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
        let (kind, rest) = way.split_once(':').ok_or_else(|| wrong("it does not say by what way"))?;
        let (node, rest) = (node.trim(), rest.trim());
        if node.is_empty() || rest.is_empty() {
            return Err(wrong("a name is missing"));
        }
        let way = match kind {
            "docker" => Way::Docker(rest.to_owned()),
            "kubectl" => {
                let (place, before) = rest.split_once(' ').unwrap_or((rest, ""));
                let before = before.trim().trim_start_matches("--");
                let before = shell_words::split(before).map_err(|error| wrong(&error.to_string()))?;
                let mut parts = place.split('/');
                let (namespace, pod) = (parts.next(), parts.next());
                let (Some(namespace), Some(pod)) = (namespace, pod) else {
                    return Err(wrong("a pod has a namespace and a name"));
                };
                Way::Kubectl {
                    namespace: namespace.to_owned(),
                    pod: pod.to_owned(),
                    container: parts.next().map(str::to_owned),
                    before,
                }
            }
            "exec" => Way::Exec(Prefix::parse(rest).map_err(|why| wrong(&why))?),
            other => return Err(wrong(&format!("there is no way `{other}`"))),
        };
        Ok(Self { node: node.to_owned(), way })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker(container) => write!(f, "docker:{container}"),
            Self::Kubectl { namespace, pod, container, before } => {
                write!(f, "kubectl:{namespace}/{pod}")?;
                if let Some(container) = container {
                    write!(f, "/{container}")?;
                }
                if !before.is_empty() {
                    write!(f, " -- {}", shell_words::join(before))?;
                }
                Ok(())
            }
            Self::Exec(prefix) => write!(f, "exec:{prefix}"),
        }
    }
}

impl fmt::Display for RouterWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.node, self.way)
    }
}

impl Way {
    /// How a person would run a line there.
    pub fn typed(&self, line: &str) -> String {
        match self {
            Self::Docker(container) => format!("docker exec {container} {line}"),
            Self::Kubectl { namespace, pod, container, before } => {
                let container = container.iter().map(|name| format!(" -c {name}")).collect::<String>();
                let before = before.iter().map(|word| format!("{word} ")).collect::<String>();
                format!("kubectl -n {namespace} exec {pod}{container} -- {before}{line}")
            }
            Self::Exec(prefix) => prefix.typed(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("router0=docker:clab-demo-router0", "docker exec clab-demo-router0 ip route")]
    #[case("tor0=kubectl:lab/tor0-5d9", "kubectl -n lab exec tor0-5d9 -- ip route")]
    #[case("tor0=kubectl:lab/tor0-5d9/frr", "kubectl -n lab exec tor0-5d9 -c frr -- ip route")]
    #[case(
        "tor0=kubectl:lab/tor0-5d9 -- docker exec -i tor0",
        "kubectl -n lab exec tor0-5d9 -- docker exec -i tor0 ip route"
    )]
    #[case("tor1=exec:ssh tor1", "ssh tor1 'ip route'")]
    #[case("tor1=exec:fabric exec --name b:c tor1 --", "fabric exec --name b:c tor1 -- ip route")]
    fn a_way_is_read_shown_and_typed(#[case] text: &str, #[case] line: &str) {
        let way: RouterWay = text.parse().unwrap();
        assert_eq!(way.to_string(), text);
        assert_eq!(way.way.typed("ip route"), line);
    }

    #[rstest]
    #[case("router0", "there is no `=`")]
    #[case("router0=clab-demo-router0", "by what way")]
    #[case("router0=podman:x", "there is no way `podman`")]
    #[case("router0=kubectl:pod", "a namespace and a name")]
    #[case("=docker:x", "a name is missing")]
    #[case("router0=exec:ssh 'x", "quote")]
    fn what_is_no_way_says_so(#[case] text: &str, #[case] why: &str) {
        let error = text.parse::<RouterWay>().unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("write NAME="), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_breaks_it(text: String) {
            if let Ok(way) = text.parse::<RouterWay>() {
                let _ = way.to_string();
            }
        }
    }
}
