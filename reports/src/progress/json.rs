//! The events of a run as lines of JSON, for programs: one object a line, as they happen.
//!
//! The schema of a line is published as `reports/schema/event-1.json`; a test keeps it equal to the types, and
//! `FABRIC_UPDATE_SCHEMA=1 cargo test -p fabric-reports schema` rewrites it.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::progress::{Event, Progress};
use crate::record;

/// The version of the schema of events. It goes up when a field changes its meaning or goes away; an optional field or
/// a kind of event more does not change it.
pub const SCHEMA_VERSION: u32 = 1;

/// The published schema, as it is in the repository.
pub const SCHEMA_FILE: &str = include_str!("../../schema/event-1.json");

/// One line: an event, and when it happened. The first is `run-started`, the last `run-finished`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// When it happened, in milliseconds from the start of the run. Of what happened on the fabric (`happened`) a line may
    /// come a moment late, after lines of later events.
    pub ms: f64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// The schema of a line, generated from the types: JSON Schema 2020-12.
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Line>();
    schema.insert("title".into(), "A line of the events of a run of fabric".into());
    schema.insert("$id".into(), format!("{}/event-{SCHEMA_VERSION}.json", record::SCHEMAS).into());
    schema.to_value()
}

/// Writes a line for each event.
struct Lines<W>(Mutex<W>);

/// A consumer that writes lines to `out`, each flushed: whoever reads them reads them as they happen.
pub fn lines(out: impl Write + Send + 'static) -> Arc<dyn Progress> {
    Arc::new(Lines(Mutex::new(out)))
}

impl<W: Write + Send> Progress for Lines<W> {
    fn event(&self, at_ms: f64, event: &Event) {
        let line = Line { ms: at_ms, event: event.clone() };
        // An event always serializes; one that did not would be missing here and in no report.
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has stopped reading must not stop the run: the record has everything.
        let _ = out.write_all(&text).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Happening, Outcome, sample};
    use crate::recorder::{Recorder, Run, Subject, WaitFor};

    #[test]
    fn the_published_schema_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/event-1.json");
        if std::env::var_os("FABRIC_UPDATE_SCHEMA").is_some() {
            std::fs::write(path, record::pretty(&schema()) + "\n").unwrap();
        }
        let published: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(
            published == schema(),
            "reports/schema/event-1.json differs from the types: rewrite it with \
             FABRIC_UPDATE_SCHEMA=1 cargo test -p fabric-reports schema, and raise SCHEMA_VERSION if a field \
             changed its meaning or went away"
        );
    }

    /// What a buffer holds that others write to.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_run_is_a_line_for_each_event_and_each_is_valid() {
        let out = Shared::default();
        let lab = sample::passed().lab;
        let run = Run { id: "r".into(), tool_version: "0.1.0".into(), lab, ..Run::default() };
        let recorder = Recorder::new(run, lines(out.clone()));
        let phase = recorder.phase("policy", vec!["apply policies.yaml".into()]);
        recorder.step("links", "bring-up").done();
        let subject = |what: &str| Subject {
            name: format!("policy::routes::router0::{what}"),
            phase: "policy".into(),
            kind: "routes".into(),
            node: Some("router0".into()),
        };
        let now = std::time::Instant::now();
        let of = Happening::Router { answers: true };
        recorder.happened(now, "router0", "the router answers", of);
        recorder.event("router0", "something\nelse");
        let check = recorder.check(subject("rib"));
        check.waiting_until(WaitFor::Protocol, "9 of 12", Some(("first connect".into(), now)));
        check.fail("router0: 9 of 12\nmore", None);
        recorder.check(subject("fib")).skip("filtered out");
        recorder.note("a note");
        recorder.warning("a warning");
        phase.done();
        recorder.finish();
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA_FILE).unwrap()).unwrap();
        let read: Vec<Line> = text
            .lines()
            .map(|line| {
                let json: Value = serde_json::from_str(line).unwrap();
                let wrong: Vec<String> = validator.iter_errors(&json).map(|e| e.to_string()).collect();
                assert!(wrong.is_empty(), "{line}: {wrong:?}");
                serde_json::from_value(json).unwrap()
            })
            .collect();
        assert!(matches!(read[0].event, Event::RunStarted { schema_version: SCHEMA_VERSION, .. }));
        let last = &read.last().unwrap().event;
        assert!(
            matches!(last, Event::RunFinished { outcome: Outcome::Failed, exit_code: 1, .. }),
            "{last:?}"
        );
        let kinds: Vec<Value> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone()).collect();
        let told: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
        assert_eq!(
            told,
            [
                "run-started",
                "phase-started",
                "step-started",
                "step-finished",
                "happened",
                "happened",
                "check-started",
                "check-waiting",
                "happened",
                "check-finished",
                "check-started",
                "check-finished",
                "note",
                "warning",
                "phase-finished",
                "run-finished",
            ]
        );
        assert!(!validator.is_valid(&serde_json::json!({"ms": 1.0, "event": "nothing-known"})));
    }
}
