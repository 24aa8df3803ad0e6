//! The grammar of symbols: a cursor over one short text, with errors that say the column and what to write.
//!
//! What lives here: reading. What does not: the value ([`Symbol`]) and its meaning on a fabric.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Place, PodName, Select, ServiceAddress, Symbol};

/// What is wrong with the text of a symbol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`, column {column}: {what}; {help}")]
pub struct SymbolError {
    /// The whole text.
    pub text: String,
    /// Where it goes wrong: the character's position in the text, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
    /// What to write instead.
    pub help: String,
}

/// The words with which a symbol can begin and a parenthesis follow.
const FUNCTIONS: [&str; 6] = ["podCIDR", "node", "tor", "gateway", "clusterIP", "externalIP"];
/// What a symbol can look like, for error texts.
const EXAMPLES: &str = "write router0:lo, tor0:net1, podCIDR(*), node(nettool-1):net0, pod/nettool-1, node/worker, \
                        gateway(nettool-1), service/web, mgmt, or a prefix or an address";

/// Reads one symbol; the whole text must be it.
pub(super) fn symbol(text: &str) -> Result<Symbol, SymbolError> {
    let mut cursor = Cursor { text, at: 0 };
    if text.trim().is_empty() {
        return Err(cursor.error("nothing is written here", EXAMPLES));
    }
    if let Some(literal) = literal(&cursor)? {
        return Ok(literal);
    }
    let symbol = cursor.symbol()?;
    match cursor.peek() {
        None => Ok(symbol),
        Some(extra) => {
            Err(cursor.error(format!("`{extra}` after the end of `{symbol}`"), "take away what follows"))
        }
    }
}

/// A prefix or an address written out, if the text is meant as one.
fn literal(cursor: &Cursor<'_>) -> Result<Option<Symbol>, SymbolError> {
    let text = cursor.text;
    if let Ok(prefix) = text.parse::<IpNet>() {
        if prefix != prefix.trunc() {
            let help = format!("write {} for the prefix, {} for the address", prefix.trunc(), prefix.addr());
            return Err(cursor.error("this is an address with a length, not a prefix", help));
        }
        return Ok(Some(Symbol::Prefix(prefix)));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Some(Symbol::Address(address)));
    }
    let digits = |c: char| c.is_ascii_digit() || c == '.' || c == '/';
    if text.contains('.') && text.chars().all(digits) {
        let what = "this is neither an IPv4 address nor a prefix";
        return Err(
            cursor.error(what, "write four numbers of 0 to 255, with a length of 0 to 32 for a prefix")
        );
    }
    Ok(None)
}

struct Cursor<'t> {
    text: &'t str,
    /// Byte offset, always on a character's border.
    at: usize,
}

impl<'t> Cursor<'t> {
    fn error(&self, what: impl Into<String>, help: impl Into<String>) -> SymbolError {
        let column = self.text.get(..self.at).map_or(0, |before| before.chars().count()) + 1;
        SymbolError { text: self.text.to_owned(), column, what: what.into(), help: help.into() }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.at += wanted.len_utf8();
        }
        there
    }

    fn need(&mut self, wanted: char, after: &str) -> Result<(), SymbolError> {
        if self.take(wanted) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the text ends".to_owned(), |c| format!("`{c}` stands"));
        Err(self
            .error(format!("{found} where `{wanted}` is wanted"), format!("close {after} with `{wanted}`")))
    }

    /// A name: letters, digits, `-`, `_`, `.`, and whatever `also` holds.
    fn name(&mut self, also: &[char]) -> &'t str {
        let rest = self.rest();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || also.contains(&c);
        let length = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn need_name(&mut self, what: &str, example: &str) -> Result<String, SymbolError> {
        let before = self.at;
        let name = self.name(&[]);
        if name.is_empty() {
            self.at = before;
            return Err(self.error(format!("{what} is missing"), format!("write for example {example}")));
        }
        Ok(name.to_owned())
    }

    fn symbol(&mut self) -> Result<Symbol, SymbolError> {
        let word = self.name(&[]);
        if word.is_empty() {
            let found = self.peek().unwrap_or(' ');
            return Err(self.error(format!("a symbol cannot begin with `{found}`"), EXAMPLES));
        }
        match self.peek() {
            Some('(') => self.function(word),
            Some(':') => self.interface(Place::Device(word.to_owned())),
            Some('/') if word == "pod" => {
                self.take('/');
                Ok(Symbol::Pod(self.in_namespace("pod", "pod/kube-system/coredns")?))
            }
            Some('/') if word == "service" => {
                self.take('/');
                let name = self.in_namespace("service", "service/web")?;
                Ok(Symbol::Service(ServiceAddress::LoadBalancer, name))
            }
            Some('/') if word == "node" => {
                self.take('/');
                Ok(Symbol::Node(self.need_name("the node's name", "node/worker")?))
            }
            Some('/') => {
                self.at = 0;
                let help =
                    "a slash follows `pod`, `node` or `service`: pod/nettool-1, node/worker, service/web";
                Err(self.error(format!("`{word}/` is no kind of thing"), help))
            }
            _ if word == "mgmt" => Ok(Symbol::Management),
            _ if word == "default" => Ok(Symbol::Default),
            None => Err(self.error(
                format!("`{word}` alone says which box, not which address"),
                format!(
                    "write {word}:lo or another interface of it; a pod is pod/{word}, a node is node/{word}"
                ),
            )),
            Some(other) => Err(self.error(format!("`{other}` cannot follow `{word}`"), EXAMPLES)),
        }
    }

    fn function(&mut self, word: &str) -> Result<Symbol, SymbolError> {
        if !FUNCTIONS.contains(&word) {
            self.at = 0;
            let near = FUNCTIONS
                .into_iter()
                .max_by(|a, b| strsim::jaro(word, a).total_cmp(&strsim::jaro(word, b)))
                .unwrap_or("podCIDR");
            let help = format!(
                "did you mean `{near}(...)`? There are podCIDR, node, tor, gateway, clusterIP and externalIP"
            );
            return Err(self.error(format!("there is no `{word}(...)`"), help));
        }
        self.take('(');
        if word == "podCIDR" {
            let select = self.select()?;
            self.need(')', "podCIDR(...")?;
            return Ok(Symbol::PodCidr(select));
        }
        if let "clusterIP" | "externalIP" = word {
            let which = if word == "clusterIP" { ServiceAddress::Cluster } else { ServiceAddress::External };
            let name = self.in_namespace("service", &format!("{word}(web)"))?;
            self.need(')', &format!("{word}({}", name.short()))?;
            return Ok(Symbol::Service(which, name));
        }
        let whose = self.need_name("the name of a pod or a node", &format!("{word}(nettool-1)"))?;
        self.need(')', &format!("{word}({whose}"))?;
        let place = match word {
            "gateway" => return Ok(Symbol::Gateway(whose)),
            "tor" => Place::TorOf(whose),
            _ => Place::NodeOf(whose),
        };
        if self.peek() == Some(':') {
            return self.interface(place);
        }
        let help = format!("write {place}:lo or {place}:net0");
        Err(self.error(format!("`{place}` alone says which box, not which address"), help))
    }

    fn interface(&mut self, place: Place) -> Result<Symbol, SymbolError> {
        self.take(':');
        let interface = self.need_name("the interface", &format!("{place}:lo"))?;
        Ok(Symbol::Interface { place, interface })
    }

    /// `name` or `namespace/name`.
    fn in_namespace(&mut self, kind: &str, example: &str) -> Result<PodName, SymbolError> {
        let what = format!("the {kind}'s name");
        let first = self.need_name(&what, example)?;
        if !self.take('/') {
            return Ok(PodName { namespace: "default".to_owned(), name: first });
        }
        let name = self.need_name(&what, example)?;
        Ok(PodName { namespace: first, name })
    }

    fn select(&mut self) -> Result<Select, SymbolError> {
        if self.take('*') {
            return Ok(Select::All);
        }
        // A label's key may have a domain before it: topology.kubernetes.io/zone=a.
        let before = self.at;
        let first = self.name(&['/']);
        if first.is_empty() {
            return Err(self.error(
                "which nodes is missing",
                "write podCIDR(*), podCIDR(worker) or podCIDR(rack=rack0)",
            ));
        }
        if self.peek() != Some('=') {
            if first.contains('/') {
                self.at = before;
                return Err(
                    self.error(format!("`{first}` is no name of a node"), "a label wants a value: key=value")
                );
            }
            return Ok(Select::Of(first.to_owned()));
        }
        let mut labels = Vec::new();
        let mut key = first.to_owned();
        loop {
            if !self.take('=') {
                let help = format!("write {key}=value");
                return Err(self.error(format!("the label `{key}` has no value"), help));
            }
            let value = self.need_name("the label's value", &format!("{key}=rack0"))?;
            labels.push((key, value));
            if !self.take(',') {
                return Ok(Select::Labels(labels));
            }
            while self.take(' ') {}
            key = self.name(&['/']).to_owned();
            if key.is_empty() {
                return Err(self.error("a label is missing after the comma", "write rack=rack0,role=worker"));
            }
        }
    }
}
