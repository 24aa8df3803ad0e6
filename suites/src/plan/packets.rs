//! Checks of packets: whether they arrive, and which way they take.

use super::planned::{CheckSpec, Sheet};
use crate::checks::{AgreeOn, AgreeSpec, PathSpec, ReachFact, ReachSpec};
use crate::expect::{Hop, PathsExpect, Prober, ReachExpect, Symbol, Via};

pub(super) fn reach(sheet: &mut Sheet<'_>, all: &[ReachExpect]) {
    for expect in all {
        one_way(sheet, expect, &expect.from, &expect.to);
        if expect.both {
            one_way(sheet, expect, &expect.to, &expect.from);
        }
    }
}

fn one_way(sheet: &mut Sheet<'_>, expect: &ReachExpect, from: &Symbol, to: &Symbol) {
    let (near, far) = (from.short(), to.short());
    for &prober in expect.via.probers() {
        let mut add = |statement: String, fact: ReachFact| {
            let spec = ReachSpec { from: from.clone(), to: to.clone(), prober, count: expect.count, fact };
            sheet.plain(&near, statement, CheckSpec::Reach(spec), expect.patience, &expect.at);
        };
        let own = prober == Prober::Own;
        if !expect.reachable {
            let who = if own { format!("{near}'s own ping") } else { near.clone() };
            add(format!("{who} gets no answer from {far}"), ReachFact::Silence);
            continue;
        }
        let statement =
            if own { format!("{near}'s own ping reaches {far}") } else { format!("{near} pings {far}") };
        add(statement, ReachFact::Reaches { loss: expect.loss });
        if !expect.ttl.is_empty() {
            let ttls = either(&expect.ttl);
            let seen = if own { format!(", as {near}'s own ping sees it") } else { String::new() };
            add(format!("{far} answers {near} with TTL {ttls}{seen}"), ReachFact::Ttl(expect.ttl.clone()));
        }
    }
    if expect.reachable && expect.via == Via::Both {
        let on = AgreeOn::Ping { count: expect.count };
        let spec = CheckSpec::Agree(AgreeSpec { from: from.clone(), to: to.clone(), on });
        let statement = format!("{near}'s own ping to {far} agrees with the native one");
        sheet.plain(&near, statement, spec, expect.patience, &expect.at);
    }
}

fn either(ttls: &[u8]) -> String {
    let all: Vec<String> = ttls.iter().map(u8::to_string).collect();
    match all.as_slice() {
        [init @ .., last] if !init.is_empty() => format!("{} or {last}", init.join(", ")),
        _ => all.concat(),
    }
}

pub(super) fn paths(sheet: &mut Sheet<'_>, all: &[PathsExpect]) {
    for expect in all {
        path(sheet, expect, &expect.from, &expect.to, &expect.hops);
        if let Some(back) = &expect.back {
            path(sheet, expect, &expect.to, &expect.from, back);
        }
    }
}

fn path(sheet: &mut Sheet<'_>, expect: &PathsExpect, from: &Symbol, to: &Symbol, hops: &[Hop]) {
    let (near, far) = (from.short(), to.short());
    let mut through: Vec<String> = hops.iter().filter_map(Hop::short).collect();
    // The far end is where the path goes, not what it goes through.
    if through.last() == Some(&far) {
        through.pop();
    }
    let through = if through.is_empty() {
        "goes straight".to_owned()
    } else {
        format!("goes through {}", through.join(", "))
    };
    for &prober in expect.via.probers() {
        let statement = match prober {
            Prober::Native => format!("{near} to {far} {through}"),
            Prober::Own => format!("{near}'s own traceroute to {far} {through}"),
        };
        let spec = PathSpec { from: from.clone(), to: to.clone(), prober, hops: hops.to_vec() };
        sheet.plain(&near, statement, CheckSpec::Path(spec), expect.patience, &expect.at);
    }
    if expect.via == Via::Both {
        let spec = AgreeSpec { from: from.clone(), to: to.clone(), on: AgreeOn::Trace };
        let statement = format!("{near}'s own traceroute to {far} agrees with the native one");
        sheet.plain(&near, statement, CheckSpec::Agree(spec), expect.patience, &expect.at);
    }
}
