//! What containers said: kept lines of each container's present instance and of the one before, and following them.
//!
//! What lives here: the books and reading them. What does not: running containers (`containers`), HTTP (`api`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::stream::{BoxStream, StreamExt, unfold};
use tokio::sync::watch;

use crate::twin::api::LogOptions;

/// Bytes kept of each instance's output; the oldest lines go first.
const KEPT: usize = 1 << 20;
/// The longest line; what is longer is kept in pieces, as a container runtime keeps it.
pub(super) const LINE: u64 = 16 << 10;

/// Namespace, pod, container.
pub(super) type LogKey = (String, String, String);

#[derive(Debug)]
struct Line {
    written: DateTime<Utc>,
    text: Vec<u8>,
}

/// One instance of a container: from its start to its end.
#[derive(Debug, Default)]
struct Instance {
    lines: VecDeque<Line>,
    bytes: usize,
    /// How many lines there were before the first that is kept.
    dropped: usize,
    ended: bool,
}

#[derive(Debug)]
struct Book {
    present: Instance,
    before: Option<Instance>,
    /// How many instances there were before the present one.
    past: usize,
    /// Told of every line and every end.
    news: watch::Sender<()>,
}

impl Default for Book {
    fn default() -> Self {
        Self { present: Instance::default(), before: None, past: 0, news: watch::Sender::new(()) }
    }
}

/// What containers said, by namespace, pod and container.
#[derive(Debug, Default, Clone)]
pub struct Logs {
    books: Arc<Mutex<BTreeMap<LogKey, Book>>>,
}

/// Where a reader stands: which instance, and the line that comes next.
struct Reader {
    logs: Logs,
    key: LogKey,
    past: usize,
    next: usize,
    timestamps: bool,
    news: watch::Receiver<()>,
}

impl Logs {
    /// Nothing under the lock runs foreign code, so a poisoned lock still guards whole books.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<LogKey, Book>> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a container wrote, as the options want it; with `follow` the stream ends with the instance. Of the pod's first
    /// container if none is named. `None`: no such container, or no instance before this one.
    pub fn read(
        &self,
        namespace: &str,
        pod: &str,
        options: &LogOptions,
    ) -> Option<BoxStream<'static, Bytes>> {
        let books = self.lock();
        let wanted = |(in_namespace, in_pod, name): &LogKey| {
            in_namespace == namespace
                && in_pod == pod
                && options.container.as_ref().is_none_or(|wanted| wanted == name)
        };
        let (key, book) = books.iter().find(|(key, _)| wanted(key))?;
        let instance = if options.previous { book.before.as_ref()? } else { &book.present };
        let mut from = options.since.map_or(0, |since| instance.lines.partition_point(|l| l.written < since));
        if let Some(tail) = options.tail_lines {
            from = from.max(instance.lines.len().saturating_sub(tail));
        }
        let first = rendered(instance.lines.range(from..), options.timestamps);
        let reader = Reader {
            logs: self.clone(),
            key: key.clone(),
            past: book.past,
            next: instance.dropped + instance.lines.len(),
            timestamps: options.timestamps,
            news: book.news.subscribe(),
        };
        let first = futures::stream::iter((!first.is_empty()).then_some(first));
        if !options.follow || options.previous {
            return Some(first.boxed());
        }
        let rest = unfold(reader, async |mut reader| reader.next().await.map(|bytes| (bytes, reader)));
        Some(first.chain(rest).boxed())
    }

    /// A container begins: what it said before is of the instance before.
    pub(super) fn begin(&self, key: &LogKey) {
        let mut books = self.lock();
        let book = books.entry(key.clone()).or_default();
        if book.present.ended {
            book.before = Some(std::mem::take(&mut book.present));
            book.past += 1;
            book.news.send_replace(());
        }
    }

    /// A container has ended: nothing more comes of this instance.
    pub(super) fn end(&self, key: &LogKey) {
        if let Some(book) = self.lock().get_mut(key) {
            book.present.ended = true;
            book.news.send_replace(());
        }
    }

    /// A container wrote a line, its end of line included if it had one.
    pub(super) fn say(&self, key: &LogKey, text: Vec<u8>) {
        let mut books = self.lock();
        let book = books.entry(key.clone()).or_default();
        let instance = &mut book.present;
        instance.bytes += text.len();
        instance.lines.push_back(Line { written: Utc::now(), text });
        while instance.bytes > KEPT && instance.lines.len() > 1 {
            if let Some(old) = instance.lines.pop_front() {
                instance.bytes -= old.text.len();
                instance.dropped += 1;
            }
        }
        book.news.send_replace(());
    }

    pub(super) fn forget(&self, namespace: &str, pod: &str) {
        self.lock().retain(|(in_namespace, in_pod, _), _| in_namespace != namespace || in_pod != pod);
    }
}

impl Reader {
    /// The lines since the last look, or what comes next; `None` when the instance has ended or the pod has gone.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.news.mark_unchanged();
            {
                let books = self.logs.lock();
                let book = books.get(&self.key)?;
                // A reader that the container has overtaken by one instance still gets the end of its own.
                let instance = match book.past.checked_sub(self.past)? {
                    0 => &book.present,
                    1 => book.before.as_ref()?,
                    _ => return None,
                };
                let from = self.next.saturating_sub(instance.dropped).min(instance.lines.len());
                self.next = instance.dropped + instance.lines.len();
                let bytes = rendered(instance.lines.range(from..), self.timestamps);
                if !bytes.is_empty() {
                    return Some(bytes);
                }
                if instance.ended {
                    return None;
                }
            }
            // The sender goes with the book, which is forgotten with the pod.
            self.news.changed().await.ok()?;
        }
    }
}

fn rendered<'a>(lines: impl Iterator<Item = &'a Line>, timestamps: bool) -> Bytes {
    let mut out = BytesMut::new();
    for line in lines {
        if timestamps {
            out.put_slice(line.written.to_rfc3339_opts(SecondsFormat::Nanos, true).as_bytes());
            out.put_u8(b' ');
        }
        out.put_slice(&line.text);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> LogKey {
        ("default".into(), "p".into(), "c".into())
    }

    async fn read(logs: &Logs, options: LogOptions) -> Option<String> {
        let stream = logs.read("default", "p", &options)?;
        Some(String::from_utf8(stream.collect::<Vec<_>>().await.concat()).unwrap())
    }

    #[tokio::test]
    async fn lines_are_read_by_tail_time_and_instance() {
        let logs = Logs::default();
        assert_eq!(read(&logs, LogOptions::default()).await, None);
        logs.begin(&key());
        for n in 0..3 {
            logs.say(&key(), format!("{n}\n").into_bytes());
        }
        assert_eq!(read(&logs, LogOptions::default()).await.unwrap(), "0\n1\n2\n");
        let tail = LogOptions { tail_lines: Some(1), ..LogOptions::default() };
        assert_eq!(read(&logs, tail).await.unwrap(), "2\n");
        let later =
            LogOptions { since: Some(Utc::now() + chrono::TimeDelta::hours(1)), ..LogOptions::default() };
        assert_eq!(read(&logs, later).await.unwrap(), "");
        let stamped = read(&logs, LogOptions { timestamps: true, ..LogOptions::default() }).await.unwrap();
        let (moment, text) = stamped.lines().next().unwrap().split_once(' ').unwrap();
        assert!(DateTime::parse_from_rfc3339(moment).is_ok() && text == "0", "{stamped}");
        let before = LogOptions { previous: true, ..LogOptions::default() };
        assert_eq!(read(&logs, before.clone()).await, None);
        logs.end(&key());
        logs.begin(&key());
        assert_eq!(read(&logs, before).await.unwrap(), "0\n1\n2\n");
        assert_eq!(read(&logs, LogOptions::default()).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_follower_sees_every_line_and_the_end() {
        let logs = Logs::default();
        logs.begin(&key());
        logs.say(&key(), b"one\n".to_vec());
        let follow = LogOptions { follow: true, ..LogOptions::default() };
        let stream = logs.read("default", "p", &follow).unwrap();
        let reading = tokio::spawn(async move { stream.collect::<Vec<_>>().await.concat() });
        tokio::task::yield_now().await;
        logs.say(&key(), b"two".to_vec());
        logs.end(&key());
        logs.begin(&key());
        logs.say(&key(), b"of the next\n".to_vec());
        assert_eq!(reading.await.unwrap(), b"one\ntwo");
    }

    #[tokio::test]
    async fn a_book_is_bounded_and_a_pod_that_goes_ends_its_followers() {
        let logs = Logs::default();
        for _ in 0..100 {
            logs.say(&key(), vec![b'x'; LINE as usize]);
        }
        assert_eq!(read(&logs, LogOptions::default()).await.unwrap().len(), KEPT);
        let follow = LogOptions { follow: true, tail_lines: Some(0), ..LogOptions::default() };
        let stream = logs.read("default", "p", &follow).unwrap();
        logs.forget("default", "p");
        assert_eq!(stream.count().await, 0);
    }
}
