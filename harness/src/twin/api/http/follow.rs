//! Watches: events as lines of JSON, for as long as the client wants them.
//!
//! What lives here: what a watch begins with, which event a change is to a selector, bookmarks, and the end. What does not: the
//! history (`store`).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Query;
use super::answer::{Form, json_answer};
use super::query::Selection;
use crate::twin::api::ApiError;
use crate::twin::api::registry::Resource;
use crate::twin::api::rules::Rules;
use crate::twin::api::table::table;
use crate::twin::store::{Event, EventKind, Object, Watch};

/// How often a watcher that asked for bookmarks gets one when nothing else happens: as often as from a Kubernetes server.
const BOOKMARK: Duration = Duration::from_secs(60);

struct Following {
    resource: Arc<Resource>,
    selection: Selection,
    form: Form,
    watch: Watch,
    first: Option<Bytes>,
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
        first: None,
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
        let mut out = BytesMut::new();
        for object in &listing.objects {
            if following.selection.takes(&object.value) {
                following.line("ADDED", object, &mut out);
            }
        }
        if initial {
            following.bookmark(listing.revision, true, &mut out);
        }
        following.first = Some(out.freeze());
    }
    let lines = stream::unfold(following, async |mut following| {
        let lines = following.next().await?;
        Some((Ok::<_, std::convert::Infallible>(lines), following))
    });
    Ok(json_answer(StatusCode::OK, Body::from_stream(lines)))
}

impl Following {
    /// The next lines; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Some(first);
        }
        while !self.over {
            let mut out = BytesMut::new();
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(self.end) => {
                    self.over = true;
                    if self.bookmarks && let Some(revision) = self.watch.bookmark() {
                        self.bookmark(revision, false, &mut out);
                    }
                }
                events = self.watch.next() => match events {
                    Ok(events) => events.iter().for_each(|event| self.event(event, &mut out)),
                    Err(old) => {
                        let message = format!("too old resource version: {} ({})", old.asked, old.oldest);
                        self.last(&ApiError::expired(message));
                        return self.first.take();
                    }
                },
                () = tokio::time::sleep_until(self.next_bookmark) => {
                    self.next_bookmark = Instant::now() + BOOKMARK;
                    if self.bookmarks && let Some(revision) = self.watch.bookmark() {
                        self.bookmark(revision, false, &mut out);
                    }
                }
            }
            if !out.is_empty() {
                return Some(out.freeze());
            }
        }
        None
    }

    /// A change as the selector sees it: what begins to match is added, what ceases to match is deleted.
    fn event(&mut self, event: &Event, out: &mut BytesMut) {
        let before = event.previous.as_ref().is_some_and(|old| self.selection.takes(&old.value));
        let after = event.kind != EventKind::Deleted && self.selection.takes(&event.object.value);
        match (before, after) {
            (false, true) => self.line("ADDED", &event.object, out),
            (true, true) => self.line("MODIFIED", &event.object, out),
            (true, false) => self.line("DELETED", &event.object, out),
            (false, false) => {}
        }
    }

    fn line(&mut self, kind: &str, object: &Object, out: &mut BytesMut) {
        let body = match self.form {
            Form::Table(carry) => {
                let metadata = json!({"resourceVersion": object.meta("resourceVersion")});
                let rows = std::iter::once(&object.value);
                Bytes::from(table(&self.resource, rows, &metadata, carry, !self.headed).to_string())
            }
            form => form.one(&self.resource, object),
        };
        self.headed = true;
        write_line(kind, &body, out);
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool, out: &mut BytesMut) {
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
        write_line("BOOKMARK", body.to_string().as_bytes(), out);
    }

    /// Ends the stream with a refusal.
    fn last(&mut self, error: &ApiError) {
        let mut out = BytesMut::new();
        write_line("ERROR", error.status().to_string().as_bytes(), &mut out);
        self.first = Some(out.freeze());
        self.over = true;
    }
}

fn write_line(kind: &str, object: &[u8], out: &mut BytesMut) {
    out.put_slice(b"{\"type\":\"");
    out.put_slice(kind.as_bytes());
    out.put_slice(b"\",\"object\":");
    out.put_slice(object);
    out.put_slice(b"}\n");
}
