//! Hops: the pattern of one step of a path as lab.yaml writes it.
//!
//! What lives here: reading and writing `*`, `*?`, `{a|b}` and a lone symbol. What does not: holding a path against
//! what traceroute saw (`checks::path`).

use std::fmt;

use super::symbol::{Symbol, SymbolError};

/// What may stand at one hop of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hop {
    /// `*`: a hop that takes one off the TTL and says nothing.
    Silent,
    /// `*?`: such a hop, or none at all.
    MaybeSilent,
    /// A responder; `{a|b}` when any of several may answer (equal-cost paths).
    Responder(Vec<Symbol>),
}

impl Hop {
    /// Reads a hop.
    ///
    /// # Errors
    /// When the text is no hop, with the column inside it.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        match text {
            "*" => return Ok(Self::Silent),
            "*?" => return Ok(Self::MaybeSilent),
            _ => {}
        }
        let Some(inside) = text.strip_prefix('{') else {
            return address(text, text, 0).map(|symbol| Self::Responder(vec![symbol]));
        };
        let Some(inside) = inside.strip_suffix('}') else {
            let help = "close the set with `}`: {tor0:lo|tor1:lo}";
            return Err(error(text, text.chars().count() + 1, "the set is not closed", help));
        };
        let mut symbols = Vec::new();
        // Characters before the part that is read: the brace, then the earlier parts and their bars.
        let mut before = 1;
        for part in inside.split('|') {
            let lead = part.chars().take_while(|c| *c == ' ').count();
            symbols.push(address(text, part.trim_matches(' '), before + lead)?);
            before += part.chars().count() + 1;
        }
        Ok(Self::Responder(symbols))
    }

    /// The same hop seen from the other end of the path: see [`Symbol::exchanged`].
    #[must_use]
    pub fn exchanged(&self, left: &str, right: &str) -> Self {
        match self {
            Self::Responder(symbols) => {
                Self::Responder(symbols.iter().map(|symbol| symbol.exchanged(left, right)).collect())
            }
            silent => silent.clone(),
        }
    }

    /// A few words for the name of a check; nothing for a silent hop.
    pub fn short(&self) -> Option<String> {
        match self {
            Self::Responder(symbols) => {
                Some(symbols.iter().map(Symbol::short).collect::<Vec<_>>().join(" or "))
            }
            _ => None,
        }
    }
}

fn error(text: &str, column: usize, what: &str, help: &str) -> SymbolError {
    SymbolError { text: text.to_owned(), column, what: what.to_owned(), help: help.to_owned() }
}

fn address(whole: &str, part: &str, before: usize) -> Result<Symbol, SymbolError> {
    let symbol = Symbol::parse(part).map_err(|inner| SymbolError {
        text: whole.to_owned(),
        column: inner.column + before,
        help: if part.is_empty() || part.starts_with('*') {
            "a hop is `*` (silent), `*?` (silent or not there), a symbol, or {a|b}".to_owned()
        } else {
            inner.help
        },
        what: inner.what,
    })?;
    if symbol.names_an_address() {
        return Ok(symbol);
    }
    let help = "a hop is answered from an address: router0:lo, node(nettool-1):net0, gateway(nettool-1)";
    Err(error(whole, before + 1, &format!("`{symbol}` is a prefix, not an address"), help))
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("*"),
            Self::MaybeSilent => f.write_str("*?"),
            Self::Responder(symbols) => match symbols.as_slice() {
                [one] => one.fmt(f),
                several => {
                    let all: Vec<_> = several.iter().map(Symbol::to_string).collect();
                    write!(f, "{{{}}}", all.join("|"))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("*", Hop::Silent)]
    #[case("*?", Hop::MaybeSilent)]
    #[case("router0:lo", Hop::Responder(vec![Symbol::parse("router0:lo").unwrap()]))]
    #[case(
        "{tor0:lo|10.0.0.2}",
        Hop::Responder(vec![Symbol::parse("tor0:lo").unwrap(), Symbol::parse("10.0.0.2").unwrap()])
    )]
    fn reads_what_it_writes(#[case] text: &str, #[case] hop: Hop) {
        assert_eq!(Hop::parse(text).unwrap(), hop);
        assert_eq!(hop.to_string(), text);
    }

    #[rstest]
    #[case("{tor0:lo|tor1:lo", 17, "not closed")]
    #[case("{tor0:lo|tr(x)}", 10, "there is no `tr(...)`")]
    #[case("{tor0:lo| tor1}", 15, "says which box")]
    #[case("{}", 2, "nothing is written")]
    #[case("**", 1, "cannot begin with `*`")]
    #[case("mgmt", 1, "is a prefix")]
    fn says_where_it_goes_wrong(#[case] text: &str, #[case] column: usize, #[case] part: &str) {
        let error = Hop::parse(text).unwrap_err();
        assert!(error.what.contains(part), "{error}");
        assert_eq!(error.column, column, "{error}");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[{}|*? a-z:()0-9./-]{0,20}") {
            if let Ok(hop) = Hop::parse(&text) {
                prop_assert_eq!(Hop::parse(&hop.to_string()), Ok(hop));
            }
        }
    }
}
