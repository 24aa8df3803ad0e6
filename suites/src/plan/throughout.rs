//! Checks of what broke while a phase did its work: one per flow and per router.

use fabric_harness::lab::Topology;

use super::planned::{CheckSpec, Sheet};
use crate::checks::{ThroughoutFact, ThroughoutSpec, over};
use crate::expect::{Patience, ReachExpect, Symbol, ThroughoutExpect, WantedFamily};

/// A flow that some phase has declared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Flow {
    from: Symbol,
    to: Symbol,
    family: Option<WantedFamily>,
}

/// The flows that phases have declared so far: those that are to be answered, each once.
#[derive(Debug, Default)]
pub(super) struct Flows(Vec<Flow>);

impl Flows {
    /// Takes in what a phase declares.
    pub(super) fn learn(&mut self, all: &[ReachExpect]) {
        for reach in all.iter().filter(|reach| reach.port.is_none()) {
            let families: Vec<Option<WantedFamily>> = match reach.families.as_slice() {
                [] => vec![None],
                named => named.iter().copied().map(Some).collect(),
            };
            for family in families {
                self.know(&reach.from, &reach.to, family, reach.reachable);
                if reach.both {
                    self.know(&reach.to, &reach.from, family, reach.reachable);
                }
            }
        }
    }

    fn know(&mut self, from: &Symbol, to: &Symbol, family: Option<WantedFamily>, reachable: bool) {
        let flow = Flow { from: from.clone(), to: to.clone(), family };
        // What a later phase wants silent is no flow any more.
        self.0.retain(|known| *known != flow);
        if reachable {
            self.0.push(flow);
        }
    }
}

/// The checks of a phase's budgets.
pub(super) fn throughout(
    sheet: &mut Sheet<'_>,
    expect: &ThroughoutExpect,
    flows: &Flows,
    topology: &Topology,
) {
    let patience = Patience::default();
    let mut add = |target: &str, statement: String, fact: ThroughoutFact, budget| {
        let spec = CheckSpec::Throughout(ThroughoutSpec { fact, budget });
        sheet.about(target, statement, spec, patience, &expect.at);
    };
    let most = |budget: std::time::Duration| match budget {
        std::time::Duration::ZERO => "never".to_owned(),
        some => format!("for at most {some:?}"),
    };
    if let Some(budget) = expect.loss {
        for Flow { from, to, family } in &flows.0 {
            let (near, far) = (from.short(), to.short());
            let statement = format!("{far} leaves it without answers {}{}", most(budget), over(*family));
            let fact = ThroughoutFact::Loss { from: from.clone(), to: to.clone(), family: *family };
            add(&near, statement, fact, budget);
        }
    }
    let routers = || topology.nodes.iter().filter(|node| node.routing().is_some());
    if let Some(budget) = expect.absent {
        for router in routers() {
            let fact = ThroughoutFact::Absent { router: router.name.clone() };
            add(&router.name, format!("each prefix is absent {}", most(budget)), fact, budget);
        }
    }
    if let Some(budget) = expect.down {
        for router in routers() {
            let fact = ThroughoutFact::Down { router: router.name.clone() };
            add(&router.name, format!("each session is down {}", most(budget)), fact, budget);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fabric_harness::lab::load;

    use crate::expect::Expect;
    use crate::plan::{CheckKind, plan};

    fn throughout(folder: &str, change: impl Fn(String) -> String) -> Vec<String> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures");
        let made = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixtures.join(folder)).unwrap().map(Result::unwrap) {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let text = text.replace("../", &format!("{}/", fixtures.display()));
            std::fs::write(made.path().join(entry.file_name()), change(text)).unwrap();
        }
        let lab = load::<Expect>(made.path()).unwrap_or_else(|error| panic!("{error}"));
        let checks = plan(&lab).into_iter().flat_map(|phase| phase.checks);
        checks.filter(|check| check.kind == CheckKind::Throughout).map(|check| check.name).collect()
    }

    #[test]
    fn a_check_for_each_flow_and_each_router() {
        let all = throughout("cilium-bgp-upgrade", |text| text);
        assert_eq!(all.len(), 8 + 6 + 8, "{all:#?}");
        let of_flow = "to-1.20::throughout::nettool-2::nettool-1 leaves it without answers for at most 10s";
        assert!(all.iter().any(|name| name == of_flow), "{all:#?}");
    }

    #[test]
    fn what_a_later_phase_wants_silent_is_no_flow_any_more() {
        let silent = "      reach:\n        - { from: pod/nettool-1, to: pod/nettool-2, both: true, reachable: false }\n";
        let all = throughout("cilium-bgp-upgrade", |text| {
            let Some((before, after)) = text.split_once("- name: migrate") else { return text };
            let after = after.replacen("    expect:\n", &format!("    expect:\n{silent}"), 1);
            let after = after.replacen(
                "        - { from: pod/nettool-1, to: pod/nettool-2, both: true, via: native }\n",
                "",
                1,
            );
            let after =
                after.replacen("      reach:\n      throughout: { loss", "      throughout: { loss", 1);
            format!("{before}- name: migrate{after}")
        });
        assert!(
            !all.iter().any(|name| name.starts_with("to-1.20") && name.contains("without answers")),
            "{all:#?}"
        );
    }
}
