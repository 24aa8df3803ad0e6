//! The way up of a topology's nodes, stage by stage, where a lab says who waits for what.
//!
//! What lives here: the stages of each node in their order, whom each waits for, and what runs on entering and leaving
//! them. What does not: making links and running lines (`underlay`); that nobody waits in a circle is seen when the
//! topology is read.
//!
//! A node's namespaces are there from the beginning, empty. Its start counts from the stage `create`: that is where
//! `startup-delay` is spent. Links are made as soon as both their ends have come to `create-links`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Mutex, watch};

use super::whole::WorldError;
use crate::lab::{Endpoint, ExecLine, Link, NodeSpec, StageName, Stages};

/// Whether a lab says anything about the order of its nodes' start. If not, everything is done at once.
pub(super) fn is_told(nodes: &[NodeSpec]) -> bool {
    nodes.iter().any(|node| !node.startup_delay.is_zero() || node.stages != Stages::default())
}

/// What the way up makes happen.
#[async_trait]
pub(super) trait Doer: Send + Sync {
    /// Makes a link; `number` is its place in the topology.
    async fn link(&self, number: usize) -> Result<(), WorldError>;
    /// Runs a node's start command: at its creation, as a container's.
    async fn begin(&self, node: &str);
    /// Runs lines in a node, one after the other.
    async fn run(&self, node: &str, lines: &[ExecLine]);
    /// Something took this long that the lab asked for.
    fn waited(&self, what: String, since: Instant);
}

/// Goes up with all nodes side by side, each at its own pace.
pub(super) async fn go(nodes: &[NodeSpec], links: &[Link], doer: &dyn Doer) -> Result<(), WorldError> {
    let way = Way::new(nodes, links);
    let each = nodes.iter().map(|node| way.of(node, doer));
    futures::future::try_join_all(each).await.map(drop)
}

/// What on the way up cannot be as it is on containerlab, in words for the user.
pub(super) fn warnings(nodes: &[NodeSpec]) -> Vec<String> {
    let mut warnings = Vec::new();
    for node in nodes {
        if !node.stages.create.on_enter.is_empty() {
            let name = &node.name;
            warnings.push(format!(
                "{name}: commands on entering `create` are not run: there is no node yet to run them in"
            ));
        }
        for wait in node.stages.in_order().into_iter().flat_map(|(_, stage)| &stage.wait_for) {
            let counts = match wait.stage {
                StageName::Healthy => "has no image that says how healthy it is: it counts as healthy",
                StageName::Exit => "does not end by itself: it counts as ended",
                _ => continue,
            };
            let other = &wait.node;
            warnings.push(format!("{}: {other} {counts} once its exec lines have run", wait.at));
        }
    }
    warnings
}

struct Way<'a> {
    /// The last stage each node has left.
    passed: BTreeMap<&'a str, watch::Sender<Option<StageName>>>,
    links: &'a [Link],
    /// For each link, how many of its ends are not there yet.
    missing: Mutex<Vec<usize>>,
}

impl<'a> Way<'a> {
    fn new(nodes: &'a [NodeSpec], links: &'a [Link]) -> Self {
        let passed: BTreeMap<&str, _> =
            nodes.iter().map(|node| (node.name.as_str(), watch::Sender::new(None))).collect();
        let ends = |link: &Link| ends(link).filter(|end| passed.contains_key(end)).count();
        let missing = Mutex::new(links.iter().map(ends).collect());
        Self { passed, links, missing }
    }

    async fn of(&self, node: &NodeSpec, doer: &dyn Doer) -> Result<(), WorldError> {
        for (name, stage) in node.stages.in_order() {
            self.wait(node, name, doer).await;
            if name == StageName::Create {
                self.delay(node, doer).await;
                doer.begin(&node.name).await;
            } else {
                doer.run(&node.name, &stage.on_enter).await;
            }
            match name {
                StageName::CreateLinks => self.attach(node, doer).await?,
                StageName::Configure => doer.run(&node.name, &node.exec).await,
                _ => {}
            }
            doer.run(&node.name, &stage.on_exit).await;
            if let Some(passed) = self.passed.get(node.name.as_str()) {
                passed.send_replace(Some(name));
            }
        }
        Ok(())
    }

    /// Waits for what the stage says must have happened elsewhere. Nodes that are not of this part of the lab (a whole
    /// cluster) are there already.
    async fn wait(&self, node: &NodeSpec, stage: StageName, doer: &dyn Doer) {
        let (began, mut whom) = (Instant::now(), Vec::new());
        let all = node.stages.in_order().into_iter().filter(|(name, _)| *name == stage);
        for wait in all.flat_map(|(_, stage)| &stage.wait_for) {
            let Some(other) = self.passed.get(wait.node.as_str()) else { continue };
            let mut other = other.subscribe();
            if other.borrow().is_none_or(|passed| passed < wait.stage) {
                whom.push(wait.node.as_str());
            }
            // The sender lives as long as we.
            let _ = other.wait_for(|passed| passed.is_some_and(|passed| passed >= wait.stage)).await;
        }
        if !whom.is_empty() {
            doer.waited(format!("{} waited for {}", node.name, whom.join(", ")), began);
        }
    }

    async fn delay(&self, node: &NodeSpec, doer: &dyn Doer) {
        if node.startup_delay > Duration::ZERO {
            let began = Instant::now();
            // Not a wait for anything: the lab asks for this much time.
            tokio::time::sleep(node.startup_delay).await;
            doer.waited(format!("startup-delay of {}", node.name), began);
        }
    }

    /// Makes the node's links whose other end is there.
    async fn attach(&self, node: &NodeSpec, doer: &dyn Doer) -> Result<(), WorldError> {
        for (number, link) in self.links.iter().enumerate() {
            let own = ends(link).filter(|end| *end == node.name).count();
            if own == 0 {
                continue;
            }
            let complete = {
                let mut missing = self.missing.lock().await;
                missing[number] -= own;
                missing[number] == 0
            };
            if complete {
                doer.link(number).await?;
            }
        }
        Ok(())
    }
}

/// The nodes a link ends at. Its ends on the host and on the management network are there from the beginning.
fn ends(link: &Link) -> impl Iterator<Item = &str> {
    [&link.a, &link.b].into_iter().filter_map(|end| match end {
        Endpoint::Node { node, .. } => Some(node.as_str()),
        Endpoint::MgmtNet { .. } | Endpoint::Host { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::lab::Topology;
    use crate::lab::topology::read;
    use crate::lab::yaml::Diagnostics;

    /// Writes down what happens.
    #[derive(Default)]
    struct Scribe(std::sync::Mutex<Vec<String>>);

    impl Scribe {
        fn note(&self, what: String) {
            self.0.lock().unwrap().push(what);
        }
    }

    #[async_trait]
    impl Doer for Scribe {
        async fn link(&self, number: usize) -> Result<(), WorldError> {
            self.note(format!("link {number}"));
            Ok(())
        }

        async fn begin(&self, node: &str) {
            self.note(format!("{node} begins"));
        }

        async fn run(&self, node: &str, lines: &[ExecLine]) {
            for line in lines {
                // Others have their turn: an order that holds then is no accident.
                tokio::task::yield_now().await;
                self.note(format!("{node}: {}", line.text));
            }
        }

        fn waited(&self, what: String, _since: Instant) {
            self.note(what);
        }
    }

    fn topology(nodes: &str) -> Topology {
        let text = format!("name: l\ntopology:\n  nodes:\n{nodes}");
        let mut ctx = Diagnostics::default();
        read(Path::new("t.yml"), &text, Path::new("/"), &|_| None, &mut ctx)
            .unwrap_or_else(|| panic!("{ctx:?}"))
    }

    async fn story(nodes: &str) -> Vec<String> {
        let topology = topology(nodes);
        let scribe = Scribe::default();
        go(&topology.nodes, &topology.links, &scribe).await.unwrap();
        scribe.0.lock().unwrap().clone()
    }

    #[track_caller]
    fn in_order(story: &[String], wanted: &[&str]) {
        let mut rest = story.iter();
        for line in wanted {
            assert!(rest.any(|seen| seen == line), "{line:?} is not where it belongs: {story:?}");
        }
    }

    #[tokio::test]
    async fn a_stage_waits_for_anothers() {
        let nodes = "    a: {kind: linux, stages: {create-links: {wait-for: [{node: b, stage: configure}], exec: [{command: early}]}}, exec: [late]}
    b: {kind: linux, exec: [done]}
  links: [{endpoints: [a:eth1, b:eth1]}]\n";
        let story = story(nodes).await;
        in_order(&story, &["b: done", "a waited for b", "a: early", "link 0", "a: late"]);
    }

    #[tokio::test]
    async fn a_delayed_node_comes_later_and_its_links_with_it() {
        let nodes = "    a: {kind: linux, startup-delay: 50ms, stages: {create: {exec: [{command: made, phase: on-exit}]}}, exec: [last]}
    b: {kind: linux, exec: [first]}
  links: [{endpoints: [a:eth1, b:eth1]}, {endpoints: [a:eth2, a:eth3]}, {endpoints: [\"b:eth2\", \"mgmt-net:b2\"]}]\n";
        let begun = Instant::now();
        let story = story(nodes).await;
        assert!(begun.elapsed() >= Duration::from_millis(50));
        in_order(
            &story,
            &[
                "b begins",
                "link 2",
                "b: first",
                "startup-delay of a",
                "a begins",
                "a: made",
                "link 0",
                "link 1",
                "a: last",
            ],
        );
        assert_eq!(story.iter().filter(|line| line.starts_with("link")).count(), 3);
    }

    #[test]
    fn what_cannot_be_is_said() {
        let nodes = "    a: {kind: linux, stages: {create: {wait-for: [{node: b, stage: healthy}], exec: [{command: x}]}}}
    b: {kind: linux, stages: {configure: {wait-for: [{node: c, stage: exit}]}}}
    c: {kind: linux}\n";
        let topology = topology(nodes);
        assert!(is_told(&topology.nodes) && !is_told(&topology.nodes[2..]));
        let warnings = warnings(&topology.nodes);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[0].starts_with("a: commands on entering `create`"), "{warnings:?}");
        assert!(warnings[1].contains("t.yml:4") && warnings[1].contains("counts as healthy"), "{warnings:?}");
        assert!(warnings[2].contains("counts as ended"), "{warnings:?}");
    }
}
