//! The record as a file: reading it back, and writing it so that no reader ever sees half of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Record, SCHEMA_VERSION};

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file could not be opened or read.
    #[error("cannot read the record {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not JSON, or not a record.
    #[error(
        "{}:{}:{}: not a record of a run: {source}; a record is the record.json of a run's report folder",
        path.display(), source.line(), source.column()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The record was written under another version of the schema.
    #[error(
        "{}: this record has schema version {found}, this program reads version {}; \
         read it with the program that wrote it{}",
        path.display(), SCHEMA_VERSION, written_by(tool)
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it has.
        found: u64,
        /// The version of the program that wrote it, when the record says so.
        tool: Option<String>,
    },
    /// The file could not be written.
    #[error("cannot write {}: {source}; is the folder writable, the disk not full?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn written_by(tool: &Option<String>) -> String {
    tool.as_ref().map(|version| format!(" (fabric {version})")).unwrap_or_default()
}

/// What is the same in every version of the schema.
#[derive(Deserialize)]
struct Cover {
    schema_version: u64,
    #[serde(default)]
    tool_version: Option<String>,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// When the file cannot be read, is not a record, or is of another version of the schema; the version is
    /// looked at first, so that a newer record is not reported as a broken one.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, RecordError> {
        let path = path.as_ref();
        let text = fs::read(path).map_err(|source| RecordError::Read { path: path.into(), source })?;
        let malformed = |source| RecordError::Malformed { path: path.into(), source };
        let cover: Cover = serde_json::from_slice(&text).map_err(malformed)?;
        if cover.schema_version != u64::from(SCHEMA_VERSION) {
            return Err(RecordError::Version {
                path: path.into(),
                found: cover.schema_version,
                tool: cover.tool_version,
            });
        }
        serde_json::from_slice(&text).map_err(malformed)
    }

    /// Writes the record as indented JSON; the file is the old one or the new one, never a part of it.
    ///
    /// # Errors
    /// When the folder does not exist or cannot be written to.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        let path = path.as_ref();
        write_atomically(path, |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
        .map_err(|source| RecordError::Write { path: path.into(), source })
    }
}

/// Writes a file under another name beside it, then renames it into place.
///
/// The file is readable as the user's umask says, not only by its owner as temporary files are: a CI's
/// collector often runs as somebody else. It is not forced to the disk: what must survive is a killed process,
/// not a power cut.
pub(crate) fn write_atomically(
    path: &Path,
    fill: impl FnOnce(&mut io::BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".writing-")
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    let mut buffer = io::BufWriter::new(file.as_file());
    fill(&mut buffer)?;
    buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        for record in [sample::failed(), sample::passed(), sample::bring_up_failed()] {
            record.write(&path).unwrap();
            assert_eq!(Record::read(&path).unwrap(), record);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file stays behind");
    }

    #[test]
    fn the_start_always_has_three_decimals() {
        let json = serde_json::to_value(sample::passed()).unwrap();
        assert_eq!(json["started"], "2026-11-23T07:00:00.000Z");
        assert_eq!(json["finished"], "2026-11-23T07:00:12.410Z");
    }

    #[rstest]
    #[case::newer(r#"{"schema_version": 2, "tool_version": "9.1.0"}"#, "schema version 2", "(fabric 9.1.0)")]
    #[case::newer_of_another_shape(r#"{"schema_version": 3, "checks": {}}"#, "version 3", "reads version 1")]
    #[case::not_a_record("{}", "record.json:1:2: not a record", "schema_version")]
    #[case::not_json("<testsuites/>", "record.json:1:1: not a record", "expected value")]
    #[case::a_part("{\"schema_version\": 1,\n \"tool_version\": \"0.1.0\"}", "record.json:2:", "run_id")]
    fn what_is_not_our_record_is_named(#[case] text: &str, #[case] one: &str, #[case] other: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        fs::write(&path, text).unwrap();
        let message = Record::read(&path).unwrap_err().to_string();
        assert!(message.contains(one) && message.contains(other), "{message}");
    }

    #[test]
    fn a_missing_file_and_a_missing_folder_are_named() {
        let path = Path::new("/nonexistent/record.json");
        assert!(matches!(Record::read(path), Err(RecordError::Read { .. })));
        let message = sample::passed().write(path).unwrap_err().to_string();
        assert!(message.starts_with("cannot write /nonexistent/record.json"), "{message}");
    }

    #[test]
    fn writing_that_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        fs::write(&path, "old").unwrap();
        let result = write_atomically(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(result.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_and_any_offset_read_back(text in any::<String>(), micros in 0u64..10_000_000_000) {
            let mut record = sample::failed();
            record.checks[0].failure = Some(text.clone());
            record.checks[0].evidence[0].content = crate::record::Content::Text(text);
            record.checks[0].started_ms = micros as f64 / 1_000.0;
            let json = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        }

        /// What a full disk, a cut connection or an editor leaves of a record.
        #[test]
        fn a_damaged_record_is_refused_or_read_but_never_a_panic(cut in 0.0f64..1.0, at in 0.0f64..1.0, byte: u8) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("record.json");
            let mut bytes = serde_json::to_vec(&sample::failed()).unwrap();
            let damaged = (bytes.len() as f64 * at) as usize;
            bytes[damaged] = byte;
            fs::write(&path, &bytes).unwrap();
            let _ = Record::read(&path);
            bytes.truncate((bytes.len() as f64 * cut) as usize);
            fs::write(&path, &bytes).unwrap();
            let refused = matches!(Record::read(&path), Err(RecordError::Malformed { .. } | RecordError::Version { .. }));
            prop_assert!(refused);
        }
    }
}
