//! `binds`: which file of this machine is seen where in a node.

use std::path::{Path, PathBuf};

use super::types::Bind;
use crate::lab::yaml::{Diagnostics, Spanned};

/// What a bind's source may refer to.
pub(super) struct Around<'a> {
    /// The folder of the topology file, absolute.
    pub(super) dir: &'a Path,
    /// The lab's name.
    pub(super) lab: &'a str,
    /// The node's name.
    pub(super) node: &'a str,
}

impl Around<'_> {
    /// containerlab's magic words: the lab's folder, the node's folder in it, the node's name.
    fn magic(&self, text: &str) -> String {
        let lab_dir = self.dir.join(format!("clab-{}", self.lab));
        text.replace("__clabDir__", &lab_dir.to_string_lossy())
            .replace("__clabNodeDir__", &lab_dir.join(self.node).to_string_lossy())
            .replace("__clabNodeName__", self.node)
    }

    /// A path as it is meant: relative to the topology file's folder, `~` is the home folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let text = self.magic(text);
        if let Some(below) = text.strip_prefix("~/")
            && let Some(home) = std::env::var_os("HOME")
        {
            return Path::new(&home).join(below);
        }
        // Joining keeps an absolute path as it is.
        self.dir.join(text)
    }
}

/// Reads `source:target` or `source:target:options`. A source that does not exist is an error when it belongs to the
/// lab; one of the machine, or of the folder that containerlab makes for its own use, is left out, with a warning.
pub(super) fn read(text: &Spanned<String>, around: &Around<'_>, ctx: &mut Diagnostics) -> Option<Bind> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => {
            ctx.error(
                &text.at,
                "a bind is `source:target`, with `:ro` behind it if the node may only read it",
            )
            .help("write for example `frr.conf:/etc/frr/frr.conf:ro`");
            return None;
        }
    };
    if source.is_empty() || !target.starts_with('/') {
        ctx.error(&text.at, "a bind needs a source, and an absolute path in the node to show it at")
            .help("write for example `frr.conf:/etc/frr/frr.conf`");
        return None;
    }
    let mut read_only = false;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => read_only = true,
            "rw" => read_only = false,
            "z" | "Z" | "shared" | "rshared" | "slave" | "rslave" | "private" | "rprivate" | "nocopy" => {
                ctx.warning(&text.at, format!("the option `{option}` of a bind is not honoured"));
            }
            _ => {
                ctx.error(&text.at, format!("a bind has no option `{option}`")).help("write `ro` or `rw`");
                return None;
            }
        }
    }
    let of_lab = !Path::new(source).is_absolute() && !source.starts_with('~') && !source.contains("__clab");
    let of_lab = of_lab || source.starts_with("__clabNodeName__");
    let source = around.path(source);
    if !source.exists() {
        let message = format!("{} does not exist", source.display());
        if of_lab {
            ctx.error(&text.at, message).help("sources are taken from the folder of the topology file");
        } else {
            ctx.warning(&text.at, format!("{message}: this bind is left out"));
        }
        return None;
    }
    Some(Bind { source, target: PathBuf::from(around.magic(target)), read_only })
}
