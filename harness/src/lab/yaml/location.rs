//! A place in a file the user wrote.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where something was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The file, as it is to be shown: the way the user named the lab, not its absolute path.
    pub file: PathBuf,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// How many characters of that line the thing covers: what a diagnostic underlines. 0 and 1 are one caret.
    #[serde(default)]
    pub width: u32,
}

impl Location {
    /// The start of a file: for what is wrong with a file as a whole.
    pub fn start_of(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), line: 1, column: 1, width: 0 }
    }

    /// The same line, `characters` further right, `width` characters wide: a part of a scalar.
    #[must_use]
    pub fn shifted(&self, characters: u32, width: u32) -> Self {
        Self { file: self.file.clone(), line: self.line, column: self.column + characters, width }
    }
}

impl fmt::Display for Location {
    /// `file:line:column`, as compilers write it and editors jump to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}
