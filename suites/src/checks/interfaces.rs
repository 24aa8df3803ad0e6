//! Judging interfaces: there or not, up or not, with which addresses.

use fabric_harness::router::{Link, LinkAddress};
use ipnet::IpNet;
use serde_json::json;

use super::verdict::{Verdict, listed};
use crate::expect::{Resolver, Symbol, WantedLink};

/// What one check wants of an interface.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfaceSpec {
    /// The box, by its name in the topology.
    pub place: String,
    /// The interface's name in it.
    pub name: String,
    /// The fact.
    pub fact: InterfaceFact,
}

/// One fact of an interface.
#[derive(Debug, Clone, PartialEq)]
pub enum InterfaceFact {
    /// Up, down or absent.
    State(WantedLink),
    /// Its MTU in bytes.
    Mtu(u32),
    /// It has this address, among others.
    Address(IpNet),
    /// One of its addresses lies in a prefix of this symbol.
    AddressIn(Symbol),
}

/// Judges one fact against all interfaces and addresses of the box.
pub fn judge_interface(
    spec: &InterfaceSpec,
    links: &[Link],
    addresses: &[LinkAddress],
    resolver: &dyn Resolver,
) -> Verdict {
    let subject = format!("{}:{}", spec.place, spec.name);
    let expected = spec.fact.phrase();
    let link = links.iter().find(|link| link.name == spec.name);
    let own: Vec<_> = addresses.iter().filter(|address| address.dev == spec.name).collect();
    let detail = json!({ "link": link, "addresses": own });
    let Some(link) = link else {
        let lines = if spec.fact == InterfaceFact::State(WantedLink::Absent) {
            Vec::new()
        } else {
            let all = listed(links.iter().map(|link| link.name.as_str()));
            vec![format!("{} has no interface {}; it has {all}", spec.place, spec.name)]
        };
        return Verdict::of(&subject, expected, "absent", lines).detail(&detail);
    };
    let mut lines = Vec::new();
    let usable = || own.iter().filter(|address| !address.tentative).map(|address| address.address);
    let phrase = match &spec.fact {
        InterfaceFact::State(wanted) => {
            let up = link.up && link.carrier;
            let seen = match (link.up, link.carrier) {
                (true, true) => "up",
                (true, false) => "up without a carrier: its other end is down",
                (false, _) => "down",
            };
            let fits = match wanted {
                WantedLink::Up => up,
                WantedLink::Down => !up,
                WantedLink::Absent => false,
            };
            if !fits {
                lines.push(format!("it is {seen}, not {}", wanted.word()));
            }
            seen.to_owned()
        }
        InterfaceFact::Mtu(wanted) => {
            if link.mtu != *wanted {
                lines.push(format!("its MTU is {}, not {wanted}", link.mtu));
            }
            format!("MTU {}", link.mtu)
        }
        InterfaceFact::Address(wanted) => {
            let all = listed(own.iter().map(|address| address.address.to_string()));
            if !usable().any(|address| address == *wanted) {
                lines.push(format!("its addresses are {all}"));
            }
            all
        }
        InterfaceFact::AddressIn(symbol) => {
            let all = listed(own.iter().map(|address| address.address.to_string()));
            match resolver.prefixes(symbol) {
                Err(why) => return Verdict::unresolved(&subject, expected, &why).detail(&detail),
                Ok(prefixes) => {
                    let inside = |address: IpNet| prefixes.iter().any(|p| p.value.contains(&address.addr()));
                    if !usable().any(inside) {
                        let wanted = listed(prefixes.iter().map(ToString::to_string));
                        lines.push(format!("its addresses are {all}, none of them in {wanted}"));
                    }
                    all
                }
            }
        }
    };
    Verdict::of(&subject, expected, phrase, lines).detail(&detail)
}

impl InterfaceFact {
    /// The fact as a phrase, for names too.
    pub fn phrase(&self) -> String {
        match self {
            Self::State(state) => state.word().to_owned(),
            Self::Mtu(mtu) => format!("MTU {mtu}"),
            Self::Address(address) => format!("the address {address}"),
            Self::AddressIn(symbol) => format!("an address of {symbol}"),
        }
    }
}
