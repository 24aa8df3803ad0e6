//! Published ports, as `docker run --publish` writes them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::lab::yaml::{Diagnostics, FromTree, Node};

/// A port of a container that is a port of the machine too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    /// In the container.
    pub inside: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The machine's address, if not all of them.
    pub ip: Option<IpAddr>,
    /// On the machine: the first and the last that will do; none lets the engine choose.
    pub outside: Option<(u16, u16)>,
}

/// One line of `ports`: a range in the container is as many ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line(pub(super) Vec<PublishedPort>);

impl FromTree for Line {
    fn from_tree(node: &Node, ctx: &mut Diagnostics) -> Option<Self> {
        let text = String::from_tree(node, ctx)?;
        match parse(&text) {
            Ok(ports) => Some(Self(ports)),
            Err(why) => {
                ctx.error(&node.at, format!("{text:?} publishes no port: {why}")).help(
                    "write `8080:80`, `127.0.0.1:8080:80/tcp`, `[::1]:8080:80`, `8000-8005:80-85/udp` or, for any port of \
                     the machine, `80`",
                );
                None
            }
        }
    }
}

fn parse(text: &str) -> Result<Vec<PublishedPort>, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("{protocol:?} is not tcp, udp or sctp"));
    }
    let (rest, inside) = ports.rsplit_once(':').map_or((None, ports), |(rest, inside)| (Some(rest), inside));
    let (ip, outside) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
        Some((ip, outside)) => (address(ip)?, Some(outside).filter(|outside| !outside.is_empty())),
        None => (None, None),
    };
    let (first, last) = range(inside)?;
    let outside = outside.map(range).transpose()?;
    let port = |inside, outside| PublishedPort { inside, protocol: protocol.clone(), ip, outside };
    match outside {
        None => Ok((first..=last).map(|inside| port(inside, None)).collect()),
        // One port in the container, and several on the machine of which any will do.
        Some(outside) if first == last => Ok(vec![port(first, Some(outside))]),
        Some((from, to)) if to - from == last - first => Ok((first..=last)
            .zip(from..=to)
            .map(|(inside, outside)| port(inside, Some((outside, outside))))
            .collect()),
        Some((from, to)) => Err(format!(
            "{} ports of the container and {} of the machine",
            last - first + 1,
            u32::from(to - from) + 1
        )),
    }
}

fn address(text: &str) -> Result<Option<IpAddr>, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.is_empty() {
        return Ok(None);
    }
    bare.parse().map(Some).map_err(|_| format!("{text:?} is not an address"))
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("{text:?} is not a port, 1 to 65535")),
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if last < first { Err(format!("{text} ends before it begins")) } else { Ok((first, last)) }
}
