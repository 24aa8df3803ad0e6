//! Checks of what a fabric is made of: exec lines, interfaces, nodes, pods.

use fabric_harness::lab::yaml::Location;

use super::planned::{CheckSpec, Sheet};
use crate::checks::{InterfaceFact, InterfaceSpec, LinesSpec, NodeFact, NodeSpec, PodFact, PodSpec};
use crate::expect::{BoxInterfaces, NodesExpect, Patience, PodCidrs, PodExpect};

/// That every `exec:` line of a node ended well: made without being asked for.
pub(super) fn lines(sheet: &mut Sheet<'_>, node: &str, lines: &[String], at: &Location) {
    if lines.is_empty() {
        return;
    }
    let statement = match lines.len() {
        1 => "its exec line succeeded".to_owned(),
        more => format!("its {more} exec lines succeeded"),
    };
    let spec = LinesSpec { node: node.to_owned(), lines: lines.to_vec() };
    sheet.about(node, statement, CheckSpec::Lines(spec), Patience::default(), at);
}

pub(super) fn interfaces(sheet: &mut Sheet<'_>, all: &[BoxInterfaces]) {
    for BoxInterfaces { place, interfaces, patience } in all {
        for expect in interfaces {
            let mut facts = vec![InterfaceFact::State(expect.state)];
            facts.extend(expect.mtu.map(InterfaceFact::Mtu));
            facts.extend(expect.addresses.iter().copied().map(InterfaceFact::Address));
            facts.extend(expect.inside.clone().map(InterfaceFact::AddressIn));
            for fact in facts {
                let verb = if matches!(fact, InterfaceFact::State(_)) { "is" } else { "has" };
                let name = &expect.name.value;
                let statement = format!("{name} {verb} {}", fact.phrase());
                let spec = InterfaceSpec { place: place.value.clone(), name: name.clone(), fact };
                let patience = expect.patience.or(*patience);
                sheet.about(place, statement, CheckSpec::Interface(spec), patience, &expect.name.at);
            }
        }
    }
}

pub(super) fn nodes(sheet: &mut Sheet<'_>, expect: &NodesExpect) {
    let mut all = |statement: String, spec: NodeSpec, at: &Location| {
        sheet.plain("cluster", statement, CheckSpec::Nodes(spec), expect.patience, at);
    };
    if let Some(count) = expect.count {
        all(format!("there are {count}"), NodeSpec::Count(count), &expect.at);
    }
    if let Some(ready) = expect.ready {
        let word = if ready { "Ready" } else { "NotReady" };
        all(format!("all are {word}"), NodeSpec::AllReady(ready), &expect.at);
    }
    for PodCidrs { family, at, count, length, inside } in &expect.pod_cidrs {
        let adjective = family.adjective();
        let how_many = count.map_or_else(String::new, |count| format!("{count} "));
        let what = length.map_or_else(
            || format!("{adjective}pod CIDRs"),
            |length| format!("different /{length} {adjective}pod CIDRs"),
        );
        let of = inside.map_or_else(String::new, |inside| format!(" of {inside}"));
        let spec = NodeSpec::PodCidrs { family: *family, count: *count, length: *length, inside: *inside };
        all(format!("they have {how_many}{what}{of}"), spec, at);
    }
    for expect_one in &expect.each {
        let mut facts = Vec::new();
        if let Some(ready) = expect_one.ready {
            let word = if ready { "is Ready" } else { "is NotReady" };
            facts.push((word.to_owned(), NodeFact::Ready(ready)));
        }
        for address in expect_one.addresses.iter().copied() {
            facts.push((format!("has the InternalIP {address}"), NodeFact::Address(address)));
        }
        if !expect_one.labels.is_empty() {
            let labels: Vec<_> =
                expect_one.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            facts.push((
                format!("is labelled {}", labels.join(", ")),
                NodeFact::Labels(expect_one.labels.clone()),
            ));
        }
        for (statement, fact) in facts {
            let node = expect_one.node.value.clone();
            let spec = CheckSpec::Nodes(NodeSpec::Of { node: node.clone(), fact });
            sheet.about(&node, statement, spec, expect_one.patience.or(expect.patience), &expect_one.node.at);
        }
    }
}

pub(super) fn pods(sheet: &mut Sheet<'_>, all: &[PodExpect]) {
    for expect in all {
        let mut facts = Vec::new();
        if let Some(phase) = expect.phase {
            facts.push((format!("is {}", phase.word()), PodFact::Phase(phase)));
        }
        if !expect.node.is_empty() {
            let fact = PodFact::On(expect.node.clone());
            facts.push((format!("is {}", fact.phrase()), fact));
        }
        if let Some(symbol) = &expect.address {
            let fact = PodFact::AddressIn(symbol.clone());
            facts.push((format!("has {}", fact.phrase()), fact));
        }
        for (statement, fact) in facts {
            let spec = PodSpec { pod: expect.pod.clone(), fact };
            sheet.about(&expect.pod.short(), statement, CheckSpec::Pod(spec), expect.patience, &expect.at);
        }
    }
}
