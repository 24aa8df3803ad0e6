//! What a phase does: bringing up, applying, deleting, labelling, running.
//!
//! What lives here: one action, told to the recorder as a step. What does not: the order of phases (`engine`).

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fabric_harness::cluster::words;
use fabric_harness::fabric::FabricError;
use fabric_harness::lab::{NodeLabels, Step};
use fabric_harness::node::Command;
use fabric_reports::Recorder;
use fabric_reports::recorder::WaitFor;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::commands::Commands;
use super::observe::Context;
use super::upgrading;
use crate::plan::Action;

/// Does actions on a fabric.
pub(super) struct Actor {
    context: Arc<Context>,
    recorder: Arc<Recorder>,
    /// The fabric was made for this run.
    fresh: bool,
}

impl Actor {
    pub(super) fn new(context: Arc<Context>, recorder: Arc<Recorder>, fresh: bool) -> Self {
        Self { context, recorder, fresh }
    }

    /// Does one action of a phase, as a step of the record.
    pub(super) async fn act(&self, phase: &str, action: &Action) -> Result<(), ActionError> {
        let what = match action {
            // Of a fabric that was found, the keeper only tells again how it came up.
            Action::Up(up) if !self.fresh => format!("look at the {} that is up", up.as_str()),
            action => describe(action),
        };
        let source = match action {
            Action::Up(_) => "fabric",
            Action::Apply(_) | Action::Delete(_) => "api",
            Action::Label(labels) => &labels.node,
            Action::Run(run) => &run.node.value,
            Action::Upgrade(_) => "cilium",
        };
        let node = match action {
            Action::Label(labels) => Some(labels.node.clone()),
            Action::Run(run) => Some(run.node.value.clone()),
            _ => None,
        };
        self.context.moments.note(node, what.clone());
        self.context.story.action(phase, source, &what);
        let step = self.recorder.step(what, phase);
        let done = match action {
            Action::Up(up) => self.bring_up(phase, *up).await,
            Action::Apply(all) => {
                let objects = self.context.fabric.objects().await?;
                let applied = all.iter().map(|manifest| objects.apply(manifest));
                futures::future::try_join_all(applied)
                    .await
                    .map(drop)
                    .map_err(|error| FabricError::from(error).into())
            }
            Action::Delete(all) => {
                let objects = self.context.fabric.objects().await?;
                let deleted = all.iter().map(|manifest| objects.delete(manifest));
                futures::future::try_join_all(deleted)
                    .await
                    .map(drop)
                    .map_err(|error| FabricError::from(error).into())
            }
            Action::Label(labels) => self.label(labels).await,
            Action::Upgrade(upgrade) => {
                let commands = Commands::new(Arc::clone(&self.recorder), phase);
                upgrading::upgrade(&self.context, commands, &self.recorder, phase, upgrade).await
            }
            Action::Run(run) => {
                let node = self.context.fabric.node(&run.node.value).await?;
                let output = node.exec(&Command::new(run.command.argv.clone())).await?;
                if output.success() {
                    Ok(())
                } else {
                    Err(ActionError::Command {
                        node: run.node.value.clone(),
                        command: run.command.text.clone(),
                        code: output.code,
                        said: output.error_text(),
                    })
                }
            }
        };
        match done {
            Ok(()) => {
                step.done();
                Ok(())
            }
            Err(error) => {
                step.fail(error.to_string());
                Err(error)
            }
        }
    }

    async fn bring_up(&self, phase: &str, up: Step) -> Result<(), ActionError> {
        let fabric = &self.context.fabric;
        let began = Instant::now();
        let mut commands = Commands::new(Arc::clone(&self.recorder), phase);
        let report = fabric
            .step(up, |part| match &part.command {
                Some(command) => commands.hear(command, &part.what),
                None => self.recorder.event(phase, format!("{} ({:.0} ms)", part.what, part.took_ms)),
            })
            .await?;
        // A fabric that was found has done this long ago: its times are not of this run.
        for line in report.exec.iter().filter(|_| self.fresh) {
            let from = began + Duration::from_secs_f64(line.began_ms.max(0.0) / 1e3);
            let to = from + Duration::from_secs_f64(line.took_ms.max(0.0) / 1e3);
            self.recorder.event_at(
                from,
                line.node.as_str(),
                format!("`{}` ({:.0} ms)", line.line, line.took_ms),
            );
            if line.is_frr() {
                let what = format!("{phase}: FRR's own start and configuration (frrinit.sh, vtysh)");
                self.recorder.waited(what, WaitFor::Protocol, from, to);
            }
        }
        for warning in report.warnings {
            self.recorder.warning(warning);
        }
        self.context.lines.lock().unwrap_or_else(PoisonError::into_inner).extend(report.exec);
        Ok(())
    }

    async fn label(&self, labels: &NodeLabels) -> Result<(), ActionError> {
        let api: Api<Node> = Api::all(self.context.fabric.client().await?);
        let mut patch = serde_json::Map::new();
        patch.extend(labels.set.iter().map(|(key, value)| (key.clone(), json!(value))));
        patch.extend(labels.remove.iter().map(|key| (key.clone(), serde_json::Value::Null)));
        let patch = json!({"metadata": {"labels": patch}});
        let done = api.patch(&labels.node, &PatchParams::default(), &Patch::Merge(patch)).await;
        done.map(drop).map_err(|error| ActionError::Label { node: labels.node.clone(), said: words(error) })
    }
}

/// An action of a phase did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The fabric.
    #[error(transparent)]
    Fabric(#[from] FabricError),
    /// A node.
    #[error(transparent)]
    Node(#[from] fabric_harness::node::NodeError),
    /// A command of the lab ended badly.
    #[error("`{command}` in {node} ended with code {code}: {said}")]
    Command {
        /// Where it ran.
        node: String,
        /// The command line.
        command: String,
        /// Its exit code.
        code: i32,
        /// What it wrote to standard error.
        said: String,
    },
    /// A program.
    #[error(transparent)]
    Tools(#[from] fabric_harness::tools::ToolsError),
    /// A cluster that others brought up, and nothing says how it is upgraded.
    #[error(
        "{at}: nothing says how this cluster's Cilium goes to {to}; write `command: helm upgrade ... --wait` under `upgrade`"
    )]
    NoCommand {
        /// The version.
        to: String,
        /// Where the upgrade is written.
        at: String,
    },
    /// A node could not be labelled.
    #[error("label {node}: {said}")]
    Label {
        /// The node.
        node: String,
        /// The API's word, for people.
        said: String,
    },
}

/// An action in a few words.
pub(super) fn describe(action: &Action) -> String {
    let names = |all: &[fabric_harness::lab::Manifest]| {
        let names: Vec<String> = all.iter().map(|one| format!("{}/{}", one.kind, one.name)).collect();
        names.join(", ")
    };
    match action {
        Action::Up(step) => format!("bring up the {}", step.as_str()),
        Action::Apply(all) => format!("apply {}", names(all)),
        Action::Delete(all) => format!("delete {}", names(all)),
        Action::Label(labels) => format!("label {}", labels.node),
        Action::Run(run) => format!("{}: {}", run.node.value, run.command.text),
        Action::Upgrade(upgrade) => format!("upgrade Cilium to {}", upgrade.to),
    }
}
