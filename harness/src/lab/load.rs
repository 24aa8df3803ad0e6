//! The whole lab: finds the files, reads them, and checks what only shows when all are known.

use std::fs;
use std::path::{Path, PathBuf};

use super::cluster::{self, KindCluster};
use super::discover;
use super::error::LoadError;
use super::file::{LabFile, NodeCommand, NodeLabels, Step};
use super::manifests::{self, Manifest};
use super::topology::{self, NodeKind, Topology};
use super::upgrade::{Upgrade, UpgradeSpec};
use super::values::{self, Values};
use super::yaml::{self, Diagnostic, Diagnostics, FromTree, Location, Spanned};
use crate::cilium::CiliumVersion;

mod refers;

/// A lab: everything the user wrote, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Lab<E> {
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// Its files, for programs that read them themselves; paths from its folder.
    pub files: LabFiles,
    /// Its name: lab.yaml's, else the topology's.
    pub name: String,
    /// What it is for, if lab.yaml says so.
    pub description: Option<String>,
    /// The containerlab topology.
    pub topology: Topology,
    /// The kind cluster, if it has one.
    pub cluster: Option<KindCluster>,
    /// Cilium, if it has one.
    pub cilium: Option<Cilium>,
    /// The phases, in order; none without a lab.yaml.
    pub phases: Vec<LoadedPhase<E>>,
    /// What of the files is not honoured, and the like.
    pub warnings: Vec<Diagnostic>,
}

/// The files of a lab that other programs read as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabFiles {
    /// containerlab's.
    pub topology: PathBuf,
    /// kind's.
    pub cluster: Option<PathBuf>,
    /// The name by which kind is to call the cluster instead of the file's own.
    pub cluster_name: Option<String>,
    /// helm's values.
    pub values: Option<PathBuf>,
}

/// Which Cilium, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Cilium {
    /// Its version, without a leading `v`.
    pub version: String,
    /// Where the version is written.
    pub version_at: Location,
    /// The helm values; all unset without a values file.
    pub values: Values,
}

/// A phase whose manifests are read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedPhase<E> {
    /// Its name.
    pub name: String,
    /// What it is for, if lab.yaml says so.
    pub description: Option<String>,
    /// The part of the lab that it brings up.
    pub up: Option<Step>,
    /// The objects it applies, in order.
    pub apply: Vec<Manifest>,
    /// The objects it deletes, in the order of the files.
    pub delete: Vec<Manifest>,
    /// The labels it sets or removes; nodes by kind's full names.
    pub label: Vec<NodeLabels>,
    /// The commands it runs; nodes as [`Lab::resolve_node`] gives them.
    pub run: Vec<NodeCommand>,
    /// The version of Cilium it goes to.
    pub upgrade: Option<Upgrade>,
    /// What must then be true.
    pub expect: E,
    /// Where it is written.
    pub at: Location,
}

impl<E> Lab<E> {
    /// The node a word of the user's means: a node of the topology by its name in the file, or one of the cluster's by
    /// kind's name for it or that name without the cluster's in front (`worker2`). The answer is the full name.
    pub fn resolve_node(&self, word: &str) -> Option<String> {
        resolve_node(&self.topology, self.cluster.as_ref(), word)
    }
}

fn resolve_node(topology: &Topology, cluster: Option<&KindCluster>, word: &str) -> Option<String> {
    let own = topology.node(word).map(|node| node.name.clone());
    own.or_else(|| cluster?.node(word).map(|node| node.name.clone()))
}

/// Loads a lab: a folder with a lab.yaml; a folder without one, which then holds exactly one containerlab topology and
/// at most one kind configuration; or a topology file itself. Without a lab.yaml there are no phases.
///
/// The result's warnings are for the user's eyes. All that can be found wrong in one go is in [`LoadError::Invalid`].
pub fn load<E: FromTree + Default>(path: &Path) -> Result<Lab<E>, LoadError> {
    let mut loader = Loader::new(path)?;
    let lab = loader.lab()?;
    let failed = loader.ctx.has_errors();
    let diagnostics = loader.ctx.into_sorted();
    match lab {
        Some(lab) if !failed => Ok(Lab { warnings: diagnostics, ..lab }),
        _ => Err(LoadError::Invalid { diagnostics }),
    }
}

struct Loader {
    /// The folder as the user named it: what files are shown under.
    shown: PathBuf,
    /// The folder, absolute.
    dir: PathBuf,
    /// The topology file, when the user named that.
    topology: Option<PathBuf>,
    /// Files that are read as something else than manifests.
    own: Vec<PathBuf>,
    ctx: Diagnostics,
}

/// The name of a file in the lab, and where it is written; no place when it was found in the folder.
type Named = Spanned<PathBuf>;

impl Loader {
    fn new(path: &Path) -> Result<Self, LoadError> {
        let real = fs::canonicalize(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => LoadError::NotFound { path: path.to_path_buf() },
            _ => LoadError::Unreadable { path: path.to_path_buf(), source },
        })?;
        let ctx = Diagnostics::new();
        if real.is_dir() {
            let own = discover::LAB_FILES.iter().map(PathBuf::from).collect();
            return Ok(Self { shown: path.to_path_buf(), dir: real, topology: None, own, ctx });
        }
        let dir = real.parent().map(Path::to_path_buf).unwrap_or_default();
        let shown = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let name = path.file_name().map(PathBuf::from);
        // lab.yaml itself stands for its folder.
        let topology = name.filter(|name| !discover::LAB_FILES.iter().any(|file| name == Path::new(file)));
        Ok(Self { shown, dir, topology, own: Vec::new(), ctx })
    }

    fn lab<E: FromTree + Default>(&mut self) -> Result<Option<Lab<E>>, LoadError> {
        let lab_file =
            discover::LAB_FILES.iter().find(|name| self.topology.is_none() && self.dir.join(name).is_file());
        let file: Option<LabFile<E>> = match lab_file {
            Some(name) => {
                let path = PathBuf::from(name);
                let Some((shown, text)) = self.read(&Spanned { value: path, at: Location::default() })?
                else {
                    return Ok(None);
                };
                let tree = yaml::parse(&shown, &text, &mut self.ctx);
                let file = tree.and_then(|tree| LabFile::from_tree(&tree, &mut self.ctx));
                // Which files are meant is not known then: what is wrong with lab.yaml comes first.
                let Some(file) = file else { return Ok(None) };
                Some(file)
            }
            None => None,
        };
        let discovered = |value: String| Spanned { value: PathBuf::from(value), at: Location::default() };
        let topology_name: Named =
            match (&self.topology, file.as_ref().and_then(|file| file.topology.clone())) {
                (Some(name), _) => Spanned { value: name.clone(), at: Location::default() },
                (None, Some(named)) => named,
                (None, None) => {
                    discovered(discover::topology(&self.dir).map_err(|error| self.as_named(error))?)
                }
            };
        let topology = self.topology_file(&topology_name)?;
        let of_node = topology.as_ref().and_then(cluster_of_node);
        let (cluster_name, renamed) = match (file.as_ref(), of_node) {
            (Some(LabFile { cluster: Some(named), .. }), _) => (Some(named.clone()), None),
            (_, Some((named, name))) => (Some(named), Some(name)),
            (Some(_), None) => (None, None),
            (None, None) => {
                (discover::cluster(&self.dir).map_err(|error| self.as_named(error))?.map(discovered), None)
            }
        };
        let cluster = self.cluster_file(cluster_name.as_ref(), renamed.as_deref())?;
        let cluster_read = cluster.is_some() || cluster_name.is_none();
        if let Some(topology) = &topology
            && cluster_read
        {
            topology::check_containers(topology, cluster.as_ref(), &mut self.ctx);
        }
        let cilium = self.cilium(file.as_ref())?;
        let values = file.as_ref().and_then(|file| file.cilium.as_ref()?.values.clone());
        let files = LabFiles {
            topology: topology_name.value.clone(),
            cluster: cluster_name.as_ref().map(|named| named.value.clone()),
            cluster_name: renamed.clone(),
            values: values.map(|named| named.value),
        };
        let mut cluster = cluster;
        if let (Some(cluster), Some(cilium)) = (&mut cluster, &cilium) {
            cilium.values.shape(cluster, &mut self.ctx);
        }
        let (name, description, phases) = match file {
            Some(file) => (file.name, file.description, file.phases),
            None => (None, None, Vec::new()),
        };
        let mut loaded = Vec::new();
        let mut values_file = files.values.clone();
        for phase in phases {
            let upgrade = match &phase.upgrade {
                Some(spec) => self.upgrade(spec, values_file.as_ref())?,
                None => None,
            };
            if let Some(upgrade) = &upgrade {
                values_file.clone_from(&upgrade.values_file);
            }
            let apply = self.manifests(&phase.apply)?;
            let delete = self.manifests(&phase.delete)?;
            if let Some(topology) = topology.as_ref().filter(|_| cluster_read) {
                self.check_phase(topology, cluster.as_ref(), cilium.is_some(), &phase);
            }
            let full = |node: &str| {
                let topology = topology.as_ref()?;
                resolve_node(topology, cluster.as_ref(), node)
            };
            let label = phase.label.into_iter().map(|mut label| {
                label.node = full(&label.node).unwrap_or(label.node);
                label
            });
            let run = phase.run.into_iter().map(|mut command| {
                command.node.value = full(&command.node).unwrap_or(command.node.value);
                command
            });
            loaded.push(LoadedPhase {
                name: phase.name,
                description: phase.description,
                up: phase.up.map(|up| up.value),
                apply,
                delete,
                label: label.collect(),
                run: run.collect(),
                upgrade,
                expect: phase.expect,
                at: phase.at,
            });
        }
        if let Some(cilium) = &cilium {
            let applied = loaded.iter().flat_map(|phase| &phase.apply).map(ToString::to_string);
            cilium.values.check_bgp(applied.collect::<Vec<_>>().iter().map(String::as_str), &mut self.ctx);
        }
        let Some(topology) = topology else { return Ok(None) };
        let name = name.unwrap_or_else(|| topology.name.clone());
        let (dir, warnings) = (self.dir.clone(), Vec::new());
        let phases = loaded;
        Ok(Some(Lab { dir, files, name, description, topology, cluster, cilium, phases, warnings }))
    }

    /// Errors about the folder speak of it as the user named it.
    fn as_named(&self, error: LoadError) -> LoadError {
        let shown = if self.shown.as_os_str().is_empty() { PathBuf::from(".") } else { self.shown.clone() };
        match error {
            LoadError::NoTopology { .. } => LoadError::NoTopology { dir: shown },
            LoadError::Several { what, key, candidates, .. } => {
                LoadError::Several { dir: shown, what, key, candidates }
            }
            other => other,
        }
    }

    /// The text of a file of the lab, and its name in messages. A file that cannot be read is an error at the place that
    /// names it, or of the whole lab when nothing names it.
    fn read(&mut self, named: &Named) -> Result<Option<(PathBuf, String)>, LoadError> {
        let (path, shown) = (self.dir.join(&named.value), self.shown.join(&named.value));
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some((shown, text))),
            Err(source) if named.at == Location::default() => {
                Err(LoadError::Unreadable { path: shown, source })
            }
            Err(source) => {
                self.unreadable(named, &source);
                Ok(None)
            }
        }
    }

    fn topology_file(&mut self, named: &Named) -> Result<Option<Topology>, LoadError> {
        self.own.push(named.value.clone());
        let Some((shown, text)) = self.read(named)? else { return Ok(None) };
        let path = self.dir.join(&named.value);
        let dir = path.parent().unwrap_or(&self.dir);
        Ok(topology::read(&shown, &text, dir, &|name| std::env::var(name).ok(), &mut self.ctx))
    }

    fn cluster_file(
        &mut self,
        named: Option<&Named>,
        renamed: Option<&str>,
    ) -> Result<Option<KindCluster>, LoadError> {
        let Some(named) = named else { return Ok(None) };
        self.own.push(named.value.clone());
        let Some((shown, text)) = self.read(named)? else { return Ok(None) };
        Ok(cluster::read(&shown, &text, renamed, &mut self.ctx))
    }

    fn cilium<E>(&mut self, file: Option<&LabFile<E>>) -> Result<Option<Cilium>, LoadError> {
        let Some(spec) = file.and_then(|file| file.cilium.as_ref()) else { return Ok(None) };
        // What is no version has been refused where it is written.
        let version: Option<CiliumVersion> = spec.version.parse().ok();
        if let Some(version) = &version {
            values::version::known(version, &spec.version.at, &mut self.ctx);
        }
        self.own.extend(spec.values.as_ref().map(|named| named.value.clone()));
        let values = match &spec.values {
            Some(named) => match self.read(named)? {
                Some((shown, text)) => values::read(&shown, &text, version.as_ref(), &mut self.ctx),
                None => None,
            },
            None => Some(Values::default()),
        };
        let version = spec.version.clone();
        Ok(Some(Cilium {
            version: version.value,
            version_at: version.at,
            values: values.unwrap_or_default(),
        }))
    }

    /// An upgrade with the values it has: its own, or those that held before, as its version reads them.
    fn upgrade(
        &mut self,
        spec: &UpgradeSpec,
        before: Option<&PathBuf>,
    ) -> Result<Option<Upgrade>, LoadError> {
        let version: Option<CiliumVersion> = spec.to.value.parse().ok();
        if let Some(version) = &version {
            values::version::known(version, &spec.to.at, &mut self.ctx);
        }
        let named = spec.values.clone();
        self.own.extend(named.as_ref().map(|named| named.value.clone()));
        let named = named.or_else(|| {
            let value = before?.clone();
            Some(Spanned { value, at: spec.at.clone() })
        });
        let values = match &named {
            Some(named) => match self.read(named)? {
                Some((shown, text)) => values::read(&shown, &text, version.as_ref(), &mut self.ctx),
                None => None,
            },
            None => Some(Values::default()),
        };
        Ok(Some(Upgrade {
            to: spec.to.value.clone(),
            values: values.unwrap_or_default(),
            values_file: named.map(|named| named.value),
            roll: spec.roll,
            command: spec.command.as_ref().map(|line| line.text.clone()),
            dir: self.dir.clone(),
            at: spec.at.clone(),
        }))
    }

    fn manifests(&mut self, paths: &[Named]) -> Result<Vec<Manifest>, LoadError> {
        let mut manifests = Vec::new();
        for named in paths {
            let path = self.dir.join(&named.value);
            let files: Vec<Named> = if path.is_dir() {
                let inside = discover::yaml_files(&path)?;
                inside
                    .iter()
                    .map(|name| Spanned { value: named.value.join(name), at: named.at.clone() })
                    .collect()
            } else {
                vec![named.clone()]
            };
            for file in &files {
                if let Some((shown, text)) = self.read(file)? {
                    manifests.extend(manifests::read(&shown, &text, &mut self.ctx).unwrap_or_default());
                }
            }
        }
        Ok(manifests)
    }
}

/// The kind configuration that a node of kind `k8s-kind` names, and the name it gives the cluster: its own.
fn cluster_of_node(topology: &Topology) -> Option<(Named, String)> {
    let node = topology.nodes.iter().find(|node| node.kind == NodeKind::K8sKind)?;
    let path = node.startup_config.clone()?;
    Some((Spanned { value: path, at: node.at.clone() }, node.name.clone()))
}
