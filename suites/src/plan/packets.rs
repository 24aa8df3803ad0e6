//! Checks of packets: whether they arrive, and which way they take.

use super::planned::{CheckSpec, Sheet};
use crate::checks::{AgreeOn, AgreeSpec, PathSpec, ReachFact, ReachSpec, over};
use crate::expect::{Hop, PathsExpect, Prober, ReachExpect, Symbol, Via, WantedFamily};

pub(super) fn reach(sheet: &mut Sheet<'_>, all: &[ReachExpect]) {
    for expect in all {
        for family in each(&expect.families) {
            one_way(sheet, expect, family, &expect.from, &expect.to);
            if expect.both {
                one_way(sheet, expect, family, &expect.to, &expect.from);
            }
        }
    }
}

/// The families that are named, or the one nobody named.
fn each(families: &[WantedFamily]) -> Vec<Option<WantedFamily>> {
    if families.is_empty() { vec![None] } else { families.iter().copied().map(Some).collect() }
}

fn one_way(
    sheet: &mut Sheet<'_>,
    expect: &ReachExpect,
    family: Option<WantedFamily>,
    from: &Symbol,
    to: &Symbol,
) {
    let (near, far, over) = (from.short(), to.short(), over(family));
    for &prober in expect.via.probers() {
        let mut add = |statement: String, fact: ReachFact| {
            let spec = ReachSpec {
                from: from.clone(),
                to: to.clone(),
                family,
                port: expect.port,
                size: expect.size,
                prober,
                count: expect.count,
                fact,
            };
            sheet.plain(&near, statement, CheckSpec::Reach(spec), expect.patience, &expect.at);
        };
        if let Some(port) = expect.port {
            if expect.reachable {
                let fact = ReachFact::Reaches { loss: expect.loss };
                add(format!("{near} connects to {far} port {port}{over}"), fact);
            } else {
                add(format!("{near} gets no connection to {far} port {port}{over}"), ReachFact::Silence);
            }
            continue;
        }
        let own = prober == Prober::Own;
        if !expect.reachable {
            let who = if own { format!("{near}'s own ping") } else { near.clone() };
            add(format!("{who} gets no answer from {far}{over}"), ReachFact::Silence);
            continue;
        }
        let statement = if let Some(size) = expect.size {
            format!("{near}'s own ping of {size} bytes reaches {far}{over}")
        } else if own {
            format!("{near}'s own ping reaches {far}{over}")
        } else {
            format!("{near} pings {far}{over}")
        };
        add(statement, ReachFact::Reaches { loss: expect.loss });
        if !expect.ttl.is_empty() {
            let ttls = either(&expect.ttl);
            let seen = if own { format!(", as {near}'s own ping sees it") } else { String::new() };
            let statement = format!("{far} answers {near} with TTL {ttls}{over}{seen}");
            add(statement, ReachFact::Ttl(expect.ttl.clone()));
        }
    }
    if expect.reachable && expect.via == Via::Both {
        let on = AgreeOn::Ping { count: expect.count };
        let spec = CheckSpec::Agree(AgreeSpec { from: from.clone(), to: to.clone(), family, on });
        let statement = format!("{near}'s own ping to {far} agrees with the native one{over}");
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
        for family in each(&expect.families) {
            path(sheet, expect, family, (&expect.from, &expect.to), &expect.hops);
            if let Some(back) = &expect.back {
                path(sheet, expect, family, (&expect.to, &expect.from), back);
            }
        }
    }
}

fn path(
    sheet: &mut Sheet<'_>,
    expect: &PathsExpect,
    family: Option<WantedFamily>,
    (from, to): (&Symbol, &Symbol),
    hops: &[Hop],
) {
    let (near, far, over) = (from.short(), to.short(), over(family));
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
    let flows = expect.flows;
    for &prober in expect.via.probers() {
        let statement = match prober {
            Prober::Native if flows > 1 => {
                format!("{near} to {far} {through}, all of them used by {flows} flows{over}")
            }
            Prober::Native => format!("{near} to {far} {through}{over}"),
            Prober::Own => format!("{near}'s own traceroute to {far} {through}{over}"),
        };
        let spec =
            PathSpec { from: from.clone(), to: to.clone(), family, flows, prober, hops: hops.to_vec() };
        sheet.plain(&near, statement, CheckSpec::Path(spec), expect.patience, &expect.at);
    }
    if expect.via == Via::Both {
        let on = AgreeOn::Trace { flows };
        let spec = AgreeSpec { from: from.clone(), to: to.clone(), family, on };
        let statement = format!("{near}'s own traceroute to {far} agrees with the native one{over}");
        sheet.plain(&near, statement, CheckSpec::Agree(spec), expect.patience, &expect.at);
    }
}
