//! Two records, and what their two versions of Cilium make of them.

use fabric_harness::cilium::CiliumVersion;
use fabric_reports::diff::{Expectations, Outage};
use fabric_reports::record::{Kind, Record};

use super::super::kept::question;
use super::places::Places;
use super::{outage, predict};
use crate::run::CILIUM;

/// What the version table says about two runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Between {
    /// Changes that are a version's doing, each with its source. None of them is the loss of a session or a route.
    pub expected: Expectations,
    /// The nodes that speak no more, because the new version does not serve what tells them to.
    pub outage: Option<Outage>,
}

/// What is known of an upgrade between two runs. Nothing where both ran the same version, the later one ran first, or a
/// record does not say what it was given: the rules are about upgrades.
pub fn between(old: &Record, new: &Record) -> Between {
    let (Some(from), Some(to), Some(given)) = (version(old), version(new), &old.lab.cilium) else {
        return Between::default();
    };
    if from >= to {
        return Between::default();
    }
    let before = question(given, from, to);
    let places = Places::of([old, new]);
    let in_place = [old, new].iter().all(|record| record.environment.env == Kind::Attach);
    let mut expected = predict::of(&before, &places, in_place);
    expected.extend(predict::speaker(&before));
    let outage = new.lab.cilium.as_ref().and_then(|given| {
        let after = question(given, from, to);
        outage::of(&before, &after, &lab_of(old, new, from))
    });
    Between { expected: Expectations(expected), outage }
}

/// The Cilium that a run had, modelled or not.
fn version(record: &Record) -> Option<CiliumVersion> {
    let versions = &record.environment.versions;
    versions.get("Cilium").or_else(|| versions.get(CILIUM))?.parse().ok()
}

/// The lab as `fabric upgrade check` takes it.
fn lab_of(old: &Record, new: &Record, from: CiliumVersion) -> String {
    match old.lab.dir.as_str() {
        "" => "LAB".to_owned(),
        // Its lab.yaml may name the later version by now.
        dir if dir == new.lab.dir => format!("{dir} --from {from}"),
        dir => dir.to_owned(),
    }
}
