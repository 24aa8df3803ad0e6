//! What one file of a lab says of others: that files and nodes named there exist.
//!
//! What lives here: the remarks, and what was probably meant. What does not: reading the files.

use std::path::{Path, PathBuf};

use super::{Loader, Named};
use crate::lab::cluster::KindCluster;
use crate::lab::discover;
use crate::lab::file::{Phase, Step};
use crate::lab::topology::Topology;
use crate::lab::yaml::{Location, nearest};

impl Loader {
    /// A file that is named and cannot be read.
    pub(super) fn unreadable(&mut self, named: &Named, source: &std::io::Error) {
        let name = named.value.display();
        let help = self.meant(&named.value);
        let noted = match source.kind() {
            std::io::ErrorKind::NotFound => self.ctx.error(&named.at, format!("there is no file {name}")),
            _ => self.ctx.error(&named.at, format!("cannot read {name}: {source}")),
        };
        noted.help(help);
    }

    /// Which file was probably meant: one with a similar name, else all there are in that folder. Those that are read as
    /// something else are not meant.
    fn meant(&self, named: &Path) -> String {
        let folder = named.parent().unwrap_or(Path::new(""));
        let files = discover::yaml_files(&self.dir.join(folder)).unwrap_or_default();
        let files = files.into_iter().map(|file| folder.join(file));
        let free: Vec<PathBuf> = files.filter(|file| file != named && !self.own.contains(file)).collect();
        match similar(named, &free) {
            Some(near) => format!("did you mean `{}`?", near.display()),
            None if free.is_empty() => format!("paths are taken from {}", self.dir.display()),
            None => {
                let names: Vec<String> = free.iter().map(|file| format!("`{}`", file.display())).collect();
                format!("of the files there, {} would do", names.join(", "))
            }
        }
    }

    /// What a phase refers to must be there.
    pub(super) fn check_phase<E>(
        &mut self,
        topology: &Topology,
        cluster: Option<&KindCluster>,
        cilium: bool,
        phase: &Phase<E>,
    ) {
        let no_cluster = "name the kind configuration at the top (`cluster: cluster.yaml`)";
        if let Some(up) = &phase.up {
            match up.value {
                Step::Cluster if cluster.is_none() => {
                    self.ctx.error(&up.at, "this lab has no cluster to bring up").help(no_cluster);
                }
                Step::Cni if !cilium => {
                    self.ctx
                        .error(&up.at, "this lab has no Cilium to install")
                        .help("say which at the top (`cilium: { version: 1.12.1, values: values.yaml }`)");
                }
                _ => {}
            }
        }
        if let Some(first) = phase.apply.iter().chain(&phase.delete).next()
            && cluster.is_none()
        {
            self.ctx
                .error(&first.at, "this lab has no cluster to which objects could be applied")
                .help(no_cluster);
        }
        if let Some(upgrade) = &phase.upgrade
            && !cilium
        {
            self.ctx
                .error(&upgrade.at, "this lab has no Cilium to upgrade")
                .help("say which at the top (`cilium: { version: 1.12.1, values: values.yaml }`)");
        }
        let mut cluster_names: Vec<&str> = Vec::new();
        for node in cluster.iter().flat_map(|cluster| &cluster.nodes) {
            cluster_names.push(&node.name);
            cluster_names
                .extend(cluster.and_then(|cluster| node.name.strip_prefix(&cluster.name)?.strip_prefix('-')));
        }
        for label in &phase.label {
            if !cluster_names.contains(&label.node.as_str()) {
                self.unknown_node(
                    &label.node,
                    &label.at,
                    "the cluster has no node",
                    cluster_names.iter().copied(),
                );
            }
        }
        let all =
            || topology.nodes.iter().map(|node| node.name.as_str()).chain(cluster_names.iter().copied());
        for command in &phase.run {
            if !all().any(|name| name == command.node.value) {
                self.unknown_node(&command.node, &command.node.at, "the lab has no node", all());
            }
        }
    }

    fn unknown_node<'n>(
        &mut self,
        name: &str,
        at: &Location,
        what: &str,
        known: impl Iterator<Item = &'n str>,
    ) {
        let known: Vec<&str> = known.collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        self.ctx.error(at, format!("{what} `{name}`")).help(help);
    }
}

/// The file whose name is nearest, its ending aside; else the only one whose name holds the other, or is held by it.
fn similar<'f>(named: &Path, files: &'f [PathBuf]) -> Option<&'f PathBuf> {
    const HELD: usize = 3;
    let stem = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let wanted = stem(named);
    let stems: Vec<String> = files.iter().map(|file| stem(file)).collect();
    if let Some(near) = nearest(&wanted, stems.iter().map(String::as_str)) {
        return files.iter().find(|file| stem(file) == near);
    }
    let holds = |one: &str, other: &str| other.len() >= HELD && one.contains(other);
    let mut held = files.iter().filter(|file| {
        let stem = stem(file);
        holds(&stem, &wanted) || holds(&wanted, &stem)
    });
    held.next().filter(|_| held.next().is_none())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("nettol.yaml", Some("nettool.yaml"))]
    #[case("policies.yaml", Some("cilium-bgp-peering-policies.yaml"))]
    #[case("nettool.yml", Some("nettool.yaml"))]
    #[case::nothing_like_it("pods.yaml", None)]
    #[case::a_word_too_short_to_hold("n.yaml", None)]
    fn files_that_resemble_what_was_written(#[case] named: &str, #[case] expected: Option<&str>) {
        let files = ["cilium-bgp-peering-policies.yaml", "nettool.yaml"].map(PathBuf::from);
        assert_eq!(similar(Path::new(named), &files), expected.map(PathBuf::from).as_ref());
    }
}
