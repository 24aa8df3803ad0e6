//! The chart's values: those that a version refuses, ignores, advises against, or begins to act on.

use std::collections::BTreeSet;

use fabric_harness::cilium::helm::{
    BOTH_ROUTING_VALUES, CHART_VALUES, ChartValue, Standing, ipam_mode, kube_proxy_replacement,
    kube_proxy_words,
};
use fabric_harness::cilium::known_lines;
use fabric_harness::lab::yaml::{Location, Node};

use super::super::finding::line;
use super::super::{Asked, Finding, Severity};

pub(super) fn find(asked: &Asked) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for value in &CHART_VALUES {
        if let Some((at, node)) = asked.value(value.key) {
            findings.extend(changed(asked, value, at, node));
        }
    }
    findings.extend(both(asked));
    findings.extend(words(asked));
    findings
}

/// Where what a version makes of a value turns into something else.
fn changed(asked: &Asked, value: &ChartValue, at: &Location, node: &Node) -> Vec<Finding> {
    // Switching off what is not there changes nothing.
    let is_off = value.key.ends_with(".enabled") && node.as_text() == Some("false");
    let lines = known_lines().map(|row| row.line).filter(|line| asked.crosses(*line));
    let mut before = value.standing(asked.from.line());
    let mut findings = Vec::new();
    for with in lines {
        let now = value.standing(with);
        if now != before && !is_off {
            let refused_later =
                matches!(value.standing(asked.to.line()), Standing::Refused(_) | Standing::Gone(_));
            findings.extend(turned(value, with, now, before, refused_later).map(|finding| finding.at(at)));
        }
        before = now;
    }
    findings
}

fn turned(
    value: &ChartValue,
    with: (u32, u32),
    now: Standing,
    before: Standing,
    gone_later: bool,
) -> Option<Finding> {
    let (key, with_line) = (value.key, line(with));
    let finding = match now {
        Standing::Refused(words) => Finding::new(
            "value-refused",
            Severity::Breaks,
            with,
            format!("the chart of Cilium {with_line} refuses `{key}`, and nothing is installed: \"{words}\""),
        ),
        // What ends with this very upgrade is said once, by its end.
        Standing::Deprecated(_) if gone_later => return None,
        Standing::Deprecated(_) => Finding::new(
            "value-deprecated",
            Severity::Note,
            with,
            format!("`{key}` still does what it did, and is deprecated since Cilium {with_line}"),
        ),
        Standing::Gone(_) => Finding::new(
            "value-ignored",
            Severity::Breaks,
            with,
            format!(
                "the chart of Cilium {with_line} takes `{key}` in silence, and nothing acts on it any more"
            ),
        ),
        Standing::There if matches!(before, Standing::NotYet(_)) => {
            return Some(
                Finding::new(
                    "value-takes-effect",
                    Severity::Changes,
                    with,
                    format!("`{key}` was ignored so far; Cilium {with_line} acts on it"),
                )
                .instead("leave it out if it is not meant")
                .source("the chart's values.yaml by version"),
            );
        }
        Standing::There | Standing::NotYet(_) => return None,
    };
    Some(finding.instead(value.instead).source(source(key)))
}

/// Where it is known from what becomes of a value.
fn source(key: &str) -> &'static str {
    match key {
        "tunnel" | "routingMode" | "tunnelProtocol" => {
            "be04d3b458, 39324b279c, 835183f484; pull requests 34213 and 34229"
        }
        "nativeRoutingCIDR" => "pull request 18095",
        "bgp.enabled" | "bgp.announce" => "e645d1fdfb, 5a122c2bf7; notes of 1.14",
        _ => "f50d292dcd, 88c5cb2800, 0c51baecc0, 77737c18d1, 348bee444f",
    }
}

/// `tunnel` beside `routingMode`, which the agent of 1.14 does not bear.
fn both(asked: &Asked) -> Option<Finding> {
    let tunnel =
        asked.value("tunnel").is_some_and(|(_, node)| node.as_text().is_some_and(|word| !word.is_empty()));
    let (at, _) = asked.value("routingMode")?;
    let bad = tunnel && asked.crosses((1, 14)) && asked.to.line() == (1, 14);
    bad.then(|| {
        let what = format!("cilium-agent of 1.14 ends at its start: \"{BOTH_ROUTING_VALUES}\"");
        Finding::new("values-both", Severity::Breaks, (1, 14), what)
            .at(at)
            .instead("leave `tunnel` out: `routingMode` and `tunnelProtocol` say the same")
            .source("issue 27213")
    })
}

/// What a line says to a word; an error is in its own words.
type Judge = dyn Fn((u32, u32), &str) -> Result<(), String>;

/// Values whose words change: kubeProxyReplacement and ipam.mode.
fn words(asked: &Asked) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines: BTreeSet<(u32, u32)> =
        known_lines().map(|row| row.line).filter(|line| asked.crosses(*line)).collect();
    let mut first = |key: &str, judge: &Judge, instead: &str, source| {
        let Some((_, node)) = asked.value(key) else { return };
        let Some(word) = node.as_text() else { return };
        if judge(asked.from.line(), word).is_err() {
            return;
        }
        if let Some((with, said)) = lines.iter().find_map(|line| Some((*line, judge(*line, word).err()?))) {
            let what = format!("Cilium {} refuses `{key}: {word}`: \"{said}\"", line(with));
            let finding = Finding::new("value-word", Severity::Breaks, with, what);
            findings.push(finding.at(&node.at).instead(instead).source(source));
        }
    };
    let proxy = format!("write {}", kube_proxy_words(asked.to.line()));
    first("kubeProxyReplacement", &kube_proxy_replacement, &proxy, "pull request 22083, issue 36131");
    first("ipam.mode", &ipam_mode, "write `multi-pool` for `cluster-pool-v2beta`", "pull request 25767");
    findings
}
