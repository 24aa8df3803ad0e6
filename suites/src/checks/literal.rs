//! For tests: a fabric on which only literals mean something.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::expect::{Named, Resolver, Symbol, Unresolved};

pub(super) struct Literal;

impl Resolver for Literal {
    fn prefixes(&self, symbol: &Symbol) -> Result<Vec<Named<IpNet>>, Unresolved> {
        match symbol {
            Symbol::Prefix(prefix) => Ok(vec![Named { value: *prefix, name: prefix.to_string() }]),
            other => Err(unknown(other)),
        }
    }

    fn addresses(&self, symbol: &Symbol) -> Result<Vec<Named<IpAddr>>, Unresolved> {
        match symbol {
            Symbol::Address(address) => Ok(vec![Named { value: *address, name: address.to_string() }]),
            other => Err(unknown(other)),
        }
    }
}

fn unknown(symbol: &Symbol) -> Unresolved {
    Unresolved::Never { symbol: symbol.clone(), why: "only literals here".into() }
}
