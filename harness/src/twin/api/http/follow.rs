//! Watches: events as lines of JSON, for as long as the client wants them.
//!
//! What lives here: what a watch begins with, which event a change is to a selector, bookmarks, and the end. A watcher has no
//! queue: it is handed what it can take, and the rest waits in the store's history. One that stops reading is either too far
//! behind when it reads again, and told so, or does not read at all, and loses its connection (`guard`). What does not: the
//! history (`store`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Query;
use super::answer::{Form, json_answer};
use super::frames::Frames;
use super::query::Selection;
use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;
use crate::twin::api::rules::Rules;
use crate::twin::api::table::table;
use crate::twin::store::{Event, EventKind, Object, Watch};

/// How often a watcher that asked for bookmarks gets one when nothing else happens: as often as from a Kubernetes server.
const BOOKMARK: Duration = Duration::from_secs(60);

/// How much of what was there when a watch began is written at a time, in bytes.
const PART: usize = 64 << 10;

struct Following {
    resource: Arc<Resource>,
    selection: Selection,
    form: Form,
    watch: Watch,
    /// What was there when the watch began and has not been sent yet.
    initial: VecDeque<Arc<Object>>,
    /// The revision of the bookmark that ends what was there, when it was asked for.
    initial_end: Option<u64>,
    out: Frames,
    /// Columns have been sent, if the form has any.
    headed: bool,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    over: bool,
}

/// Answers a watch.
///
/// # Errors
/// 400 for a query that cannot be read.
pub(super) fn watch(
    rules: &Rules,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    form: Form,
    query: &Query,
) -> Result<Response, ApiError> {
    let selection = query.selection(resource)?;
    let since = query.revision()?.filter(|revision| *revision > 0);
    let current = rules.store.revision();
    let now = Instant::now();
    let mut following = Following {
        watch: rules.store.watch(&resource.collection, namespace, since.unwrap_or(current)),
        resource: Arc::clone(resource),
        selection,
        form,
        initial: VecDeque::new(),
        initial_end: None,
        out: Frames::default(),
        headed: false,
        bookmarks: query.flag("allowWatchBookmarks"),
        next_bookmark: now + BOOKMARK,
        end: now + query.patience()?,
        over: false,
    };
    let initial = query.flag("sendInitialEvents");
    if let Some(since) = since.filter(|since| *since > current) {
        following.last(&ApiError::ahead(since, current));
    } else if since.is_none() || initial {
        let listing = rules.store.list(&resource.collection, namespace, None);
        following.watch = rules.store.watch(&resource.collection, namespace, listing.revision);
        following.initial = listing.objects.into();
        following.initial_end = initial.then_some(listing.revision);
    }
    let lines = stream::unfold(following, async |mut following| {
        let lines = following.next().await?;
        Some((Ok::<_, std::convert::Infallible>(lines), following))
    });
    Ok(json_answer(StatusCode::OK, Body::from_stream(lines)))
}

impl Following {
    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.out.next() {
                return Some(piece);
            }
            if !self.begin() {
                if self.over {
                    return None;
                }
                self.go_on().await;
            }
        }
    }

    /// Writes a part of what was there when the watch began; false when all of it has been written. In parts, because the
    /// client may be slow, or many.
    fn begin(&mut self) -> bool {
        let begun = self.out.size();
        while let Some(object) = self.initial.pop_front() {
            if self.selection.takes(&object.value) {
                self.line("ADDED", &object);
            }
            if self.out.size() - begun > PART {
                return true;
            }
        }
        if let Some(revision) = self.initial_end.take() {
            self.bookmark(revision, true);
        }
        self.out.size() > begun
    }

    /// Waits for what comes next, and writes it.
    async fn go_on(&mut self) {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(self.end) => {
                self.over = true;
                if self.bookmarks && let Some(revision) = self.watch.bookmark() {
                    self.bookmark(revision, false);
                }
            }
            events = self.watch.next() => match events {
                Ok(events) => events.iter().for_each(|event| self.event(event)),
                Err(old) => {
                    let message = format!("too old resource version: {} ({})", old.asked, old.oldest);
                    self.last(&ApiError::expired(message));
                }
            },
            () = tokio::time::sleep_until(self.next_bookmark) => {
                self.next_bookmark = Instant::now() + BOOKMARK;
                if self.bookmarks && let Some(revision) = self.watch.bookmark() {
                    self.bookmark(revision, false);
                }
            }
        }
    }

    /// A change as the selector sees it: what begins to match is added, what ceases to match is deleted.
    fn event(&mut self, event: &Event) {
        let before = event.previous.as_ref().is_some_and(|old| self.selection.takes(&old.value));
        let after = event.kind != EventKind::Deleted && self.selection.takes(&event.object.value);
        match (before, after) {
            (false, true) => self.line("ADDED", &event.object),
            (true, true) => self.line("MODIFIED", &event.object),
            (true, false) => self.line("DELETED", &event.object),
            (false, false) => {}
        }
    }

    fn line(&mut self, kind: &'static str, object: &Object) {
        let body = match self.form {
            Form::Table(carry) => {
                let metadata = json!({"resourceVersion": object.meta("resourceVersion")});
                let rows = std::iter::once(&object.value);
                Bytes::from(table(&self.resource, rows, &metadata, carry, !self.headed).to_string())
            }
            form => form.one(&self.resource, object),
        };
        self.headed = true;
        self.write(kind, body);
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) {
        let mut metadata = json!({"resourceVersion": revision.to_string(), "creationTimestamp": null});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let body = match self.form {
            Form::Whole => {
                let mut value =
                    json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version()});
                value["metadata"] = metadata;
                if !self.resource.custom() {
                    // A bookmark is decoded as an object of its kind, and some kinds must have these.
                    value["spec"] = json!({});
                    value["status"] = json!({});
                }
                value
            }
            Form::Partial => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Form::Table(carry) => {
                let empty = std::iter::empty::<&Value>();
                table(&self.resource, empty, &metadata, carry, !self.headed)
            }
        };
        self.write("BOOKMARK", Bytes::from(body.to_string()));
    }

    /// Ends the stream with a refusal.
    fn last(&mut self, error: &ApiError) {
        self.write("ERROR", Bytes::from(error.status().to_string()));
        self.over = true;
    }

    /// One line. The object's bytes are shared with all who are sent the same object.
    fn write(&mut self, kind: &'static str, object: Bytes) {
        self.out.put("{\"type\":\"");
        self.out.put(kind);
        self.out.put("\",\"object\":");
        self.out.push(object);
        self.out.put("}\n");
    }
}
