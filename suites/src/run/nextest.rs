//! Under nextest, where each check is a process of its own and none of them may bring a lab up: which checks there is a
//! fabric for, and what is said of the others.
//!
//! nextest takes what a test's process prints for that test's own and knows no result but passed and failed. So a check that
//! cannot be judged must be *listed* as ignored, which nextest shows as skipped, and fails if it is run all the same.

use fabric_harness::runtime::keeper::{State, states};

use super::prepare::Prepared;

/// What there is to judge under nextest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// The fabric of the lab, if one is up.
    pub(super) fabric: Option<String>,
    /// How many of the plan's phases it has left behind.
    left: usize,
    /// The phase it is in.
    phase: Option<String>,
}

impl Standing {
    /// As things are on this machine; a state that cannot be read is as good as none.
    pub(super) fn of(prepared: &Prepared) -> Self {
        let phases: Vec<&str> = prepared.plan.iter().map(|phase| phase.name.as_str()).collect();
        let all = states().unwrap_or_default();
        let ours = |state: &State| !state.spec.ephemeral && state.spec.lab == prepared.lab.dir;
        Self::at(&phases, all.into_iter().find(ours).map(|state| (state.spec.id, state.phase)))
    }

    fn at(phases: &[&str], fabric: Option<(String, Option<String>)>) -> Self {
        let Some((id, phase)) = fabric else { return Self { fabric: None, left: 0, phase: None } };
        let left = phases.iter().position(|name| Some(*name) == phase.as_deref()).unwrap_or_default();
        Self { fabric: Some(id), left, phase }
    }

    /// Why the checks of a phase (by its place in the plan) cannot be judged; `None` where they can.
    pub(super) fn cannot(&self, number: usize) -> Option<String> {
        match (&self.fabric, &self.phase) {
            (None, _) => Some(
                "no fabric is up to attach to: run `fabric up` first, or `cargo test --test fabric`"
                    .to_owned(),
            ),
            (Some(id), Some(phase)) if number < self.left => Some(format!(
                "the fabric {id} has left this phase behind: it is in {phase}; `fabric down` and `fabric up --to` go back"
            )),
            _ => None,
        }
    }
}

/// Whether this process was started by nextest.
pub(super) fn is_here() -> bool {
    std::env::var_os("NEXTEST").is_some()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PHASES: [&str; 3] = ["cluster", "underlay", "cni"];

    #[rstest]
    #[case::none_is_up(None, [true, true, true])]
    #[case::just_begun(Some(None), [false, false, false])]
    #[case::at_the_beginning(Some(Some("cluster")), [false, false, false])]
    #[case::in_the_middle(Some(Some("underlay")), [true, false, false])]
    #[case::at_the_end(Some(Some("cni")), [true, true, false])]
    fn what_a_fabric_has_left_behind_cannot_be_judged(
        #[case] fabric: Option<Option<&str>>,
        #[case] cannot: [bool; 3],
    ) {
        let fabric = fabric.map(|phase| ("demo".to_owned(), phase.map(str::to_owned)));
        let standing = Standing::at(&PHASES, fabric);
        assert_eq!([0, 1, 2].map(|number| standing.cannot(number).is_some()), cannot);
    }

    #[test]
    fn the_reason_says_what_to_do() {
        let none = Standing::at(&PHASES, None).cannot(0).unwrap();
        assert!(none.contains("run `fabric up` first"), "{none}");
        let past =
            Standing::at(&PHASES, Some(("demo".to_owned(), Some("cni".to_owned())))).cannot(0).unwrap();
        assert!(past.contains("demo has left this phase behind: it is in cni"), "{past}");
    }
}
