//! Checks of routing tables. A set of prefixes becomes two checks, one per table; each path one more.
//!
//! `adds` and `removes` are relative to the phase that judged the router before. The set they make is worked out here,
//! from the files alone, so that a single check can be run without the phases before it having been judged.

use std::collections::BTreeMap;

use super::planned::{CheckSpec, Sheet};
use crate::checks::{FibFact, FibSpec, RibFact, RibSpec};
use crate::expect::{Patience, PrefixExpect, RouterRoutes, Symbol, WantedFamily, WantedFib};

/// The whole set of each router and family as the last phase that said it left it.
pub(super) type Known = BTreeMap<(String, WantedFamily), Vec<Symbol>>;

pub(super) fn routes(sheet: &mut Sheet<'_>, all: &[RouterRoutes], known: &mut Known) {
    for expect in all {
        let (router, family) = (expect.router.value.as_str(), expect.family);
        let key = (router.to_owned(), family);
        let set = whole_set(expect, known.get(&key));
        tables(sheet, expect, set.as_deref());
        for prefix in expect.prefixes.iter().flatten().chain(&expect.adds) {
            by_prefix(sheet, router, family, prefix, expect.patience);
        }
        gone(sheet, expect, set.is_some());
        if let Some(set) = set {
            known.insert(key, set);
        }
    }
}

/// The whole set, if it can be known: given, or an earlier one changed.
fn whole_set(expect: &RouterRoutes, before: Option<&Vec<Symbol>>) -> Option<Vec<Symbol>> {
    if let Some(prefixes) = &expect.prefixes {
        return Some(prefixes.iter().map(|prefix| prefix.prefix.clone()).collect());
    }
    if expect.adds.is_empty() && expect.removes.is_empty() {
        return None;
    }
    let mut set: Vec<Symbol> = before?.clone();
    set.retain(|symbol| !expect.removes.iter().any(|removed| removed.value == *symbol));
    for added in &expect.adds {
        if !set.contains(&added.prefix) {
            set.push(added.prefix.clone());
        }
    }
    Some(set)
}

/// The checks of the two tables as sets.
fn tables(sheet: &mut Sheet<'_>, expect: &RouterRoutes, set: Option<&[Symbol]>) {
    let router = expect.router.value.as_str();
    let mut add = |statement: String, spec: CheckSpec| {
        sheet.about(router, statement, spec, expect.patience, &expect.router.at);
    };
    let (family, adjective) = (expect.family, expect.family.adjective());
    let rib = |fact| CheckSpec::Rib(RibSpec { router: router.to_owned(), family, fact });
    let fib = |fact| CheckSpec::Fib(FibSpec { router: router.to_owned(), family, fact });
    let Some(set) = set else {
        if let Some(count) = expect.count {
            add(format!("rib has {count} {adjective}prefixes"), rib(RibFact::Count(count)));
        }
        if !expect.adds.is_empty() {
            let added: Vec<Symbol> = expect.adds.iter().map(|added| added.prefix.clone()).collect();
            let names = format!("{adjective}{}", names(&added));
            add(format!("rib has {names}"), rib(RibFact::Contains(added.clone())));
            if expect.fib != WantedFib::Unjudged {
                add(format!("fib routes to {names}"), fib(FibFact::Contains(added)));
            }
        }
        return;
    };
    let count = expect.count.or_else(|| set.iter().all(is_one).then_some(set.len()));
    let what = count.map_or_else(
        || format!("{adjective}{}", names(set)),
        |count| format!("the {count} {adjective}prefixes"),
    );
    let fact = RibFact::Exactly { prefixes: set.to_vec(), count };
    add(format!("rib has {what}"), rib(fact));
    match &expect.fib {
        WantedFib::Unjudged => {}
        WantedFib::Contains => add(format!("fib routes to {what}"), fib(FibFact::Contains(set.to_vec()))),
        WantedFib::Exact { besides } => {
            let mut all = set.to_vec();
            all.extend(besides.iter().cloned());
            let besides = if besides.is_empty() { String::new() } else { format!(", {},", names(besides)) };
            add(format!("fib routes to {what}{besides} and no others"), fib(FibFact::Exactly(all)));
        }
    }
}

/// Whether a symbol stands for one prefix on every fabric.
fn is_one(symbol: &Symbol) -> bool {
    matches!(symbol, Symbol::Prefix(_) | Symbol::Default | Symbol::Interface { .. })
}

fn names(symbols: &[Symbol]) -> String {
    symbols.iter().map(Symbol::to_string).collect::<Vec<_>>().join(", ")
}

/// The checks of the way to one prefix.
fn by_prefix(
    sheet: &mut Sheet<'_>,
    router: &str,
    family: WantedFamily,
    expect: &PrefixExpect,
    outer: Patience,
) {
    let name = format!("{}{}", family.adjective(), expect.prefix);
    let patience = expect.patience.or(outer);
    if !expect.path.is_empty() {
        let phrase = expect.path.phrase();
        let statement = match phrase.strip_prefix("with ") {
            Some(rest) => format!("{name} has {rest}"),
            None => format!("{name} comes {phrase}"),
        };
        let fact = RibFact::Path { prefix: expect.prefix.clone(), path: Box::new(expect.path.clone()) };
        let spec = CheckSpec::Rib(RibSpec { router: router.to_owned(), family, fact });
        sheet.about(router, statement, spec, patience, &expect.at);
    }
    if !expect.out.is_empty() {
        let statement = format!("{name} leaves through {}", expect.out.join(" and "));
        let fact = FibFact::Leaves { prefix: expect.prefix.clone(), out: expect.out.clone() };
        let spec = CheckSpec::Fib(FibSpec { router: router.to_owned(), family, fact });
        sheet.about(router, statement, spec, patience, &expect.at);
    }
}

/// The checks of what must not be there. Where the whole set is judged, what was removed is judged with it.
fn gone(sheet: &mut Sheet<'_>, expect: &RouterRoutes, whole: bool) {
    let (router, family) = (expect.router.value.as_str(), expect.family);
    let removed = expect.removes.iter().filter(|_| !whole);
    for symbol in removed.chain(&expect.absent) {
        let prefixes = vec![symbol.value.clone()];
        let name = format!("{}{}", family.adjective(), symbol.value);
        let rib = RibSpec { router: router.to_owned(), family, fact: RibFact::Lacks(prefixes.clone()) };
        let statement = format!("rib lacks {name}");
        sheet.about(router, statement, CheckSpec::Rib(rib), expect.patience, &symbol.at);
        if expect.fib != WantedFib::Unjudged {
            let fib = FibSpec { router: router.to_owned(), family, fact: FibFact::Lacks(prefixes) };
            let statement = format!("fib lacks {name}");
            sheet.about(router, statement, CheckSpec::Fib(fib), expect.patience, &symbol.at);
        }
    }
}
