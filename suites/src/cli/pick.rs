//! Which lab and which fabric a command means when the user does not say it all.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fabric_harness::fabric::Fabric;
use fabric_harness::runtime::keeper::{State, states};

use super::args::{LabArg, NameArg};
use super::exit::Usage;

/// The lab that is meant.
pub(super) fn lab(arg: &LabArg) -> Result<PathBuf> {
    if let Some(lab) = &arg.lab {
        return Ok(lab.clone());
    }
    let default = Path::new("fixtures/cilium-bgp");
    let here = std::env::current_dir().context("find the current folder")?;
    if here.join("lab.yaml").is_file() {
        return Ok(PathBuf::from("."));
    }
    // From anywhere inside the repository.
    let above = here.ancestors().map(|folder| folder.join(default)).find(|folder| folder.is_dir());
    let found = if here.join(default).is_dir() { Some(default.to_path_buf()) } else { above };
    found.ok_or_else(|| {
        Usage("which lab? Name a lab folder or a topology file: `fabric up path/to/lab`".into()).into()
    })
}

/// The fabric that is meant: by name, by lab, or the only one.
pub(super) fn state(lab: Option<&Path>, name: &NameArg) -> Result<State> {
    let mut all = states()?;
    let known: Vec<String> = all.iter().map(|state| state.spec.id.clone()).collect();
    let none = || Usage("no fabric is up: `fabric up` brings one up".into());
    if let Some(name) = &name.name {
        let found = all.into_iter().find(|state| state.spec.id == *name);
        return found.ok_or_else(|| Usage(format!("no fabric named {name} is up{}", up(&known))).into());
    }
    if let Some(lab) = lab {
        let folder = folder_of(lab);
        let called = |state: &State| lab == Path::new(&state.spec.id);
        if all.iter().any(|state| state.spec.lab == folder) {
            all.retain(|state| state.spec.lab == folder);
        } else if all.iter().any(called) {
            all.retain(called);
        } else {
            return Err(Usage(format!("no fabric of the lab {} is up{}", lab.display(), up(&known))).into());
        }
    }
    let lasting: Vec<&State> = all.iter().filter(|state| !state.spec.ephemeral).collect();
    match (lasting.as_slice(), all.as_slice()) {
        ([one], _) => Ok((*one).clone()),
        ([], [one]) => Ok(one.clone()),
        ([], []) => Err(none().into()),
        _ => Err(Usage(format!("several fabrics are up: say which with `--name`{}", up(&known))).into()),
    }
}

/// The folder of a lab, which may be there no more: then as the words say it.
fn folder_of(lab: &Path) -> PathBuf {
    let real =
        std::fs::canonicalize(lab).or_else(|_| std::path::absolute(lab)).unwrap_or_else(|_| lab.into());
    // `a/b/` and `a/b` are one folder, whether it is there or not.
    let real: PathBuf = real.components().collect();
    if real.is_file() { real.parent().map(Path::to_path_buf).unwrap_or_default() } else { real }
}

/// A handle on the fabric that is meant.
pub(super) fn fabric(name: &NameArg) -> Result<Fabric> {
    let state = state(None, name)?;
    Ok(Fabric::attach(&state.spec.id)?)
}

fn up(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" (up: {})", known.join(", ")) }
}

/// How the user calls this program: those who run it through cargo may have it nowhere else.
pub(super) fn program() -> &'static str {
    if std::env::var_os("CARGO_MANIFEST_DIR").is_some() { "cargo run -q --" } else { "fabric" }
}

/// A command line as one would type it after ours, with the name where it is needed.
pub(super) fn again(name: Option<&str>, command: &str) -> String {
    match name {
        Some(name) => format!("{} {command} --name {name}", program()),
        None => format!("{} {command}", program()),
    }
}
