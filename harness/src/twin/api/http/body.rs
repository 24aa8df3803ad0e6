//! Bodies: bytes in, a JSON value out.
//!
//! What lives here: limits of size, depth and time, and the media types. What does not: what the value means.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::protobuf;
use super::repeated::Noted;
use crate::twin::api::ApiError;

/// As many bytes as a Kubernetes server takes in one request.
const LIMIT: usize = 3 << 20;
/// How long a client may take to send them.
const PATIENCE: Duration = Duration::from_secs(60);
/// The unit in which room for bodies is counted, in bytes.
const KIB: usize = 1 << 10;
/// Bodies up to this size, in bytes, are read whatever else is: nobody holds up an agent, whose bodies are small.
const LIGHT: usize = 64 * KIB;
/// Room for the larger bodies that are being read, in KiB. As values they take up to sixteen times of that.
static ROOM: Semaphore = Semaphore::const_new(24 << 10);
/// How deep YAML may nest; JSON may as deep as `serde_json` lets it.
const DEPTH: usize = 100;
/// The stack on which YAML is read, in bytes: a level of nesting takes some 20 KiB in a debug build, and a worker's stack holds but
/// ninety of them.
const STACK: usize = 16 << 20;

/// The media type of a body, without parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a body as the media type says, with the keys that it says twice; an empty body is `null`.
///
/// # Errors
/// 400 for what cannot be read, 408, 413, 415.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Noted, ApiError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > LIMIT) {
        return Err(ApiError::too_large(LIMIT));
    }
    let most =
        body.size_hint().upper().and_then(|most| usize::try_from(most).ok()).unwrap_or(LIMIT).min(LIMIT);
    let begun = Instant::now();
    let _room = match u32::try_from(most / KIB) {
        Ok(kib) if most > LIGHT => {
            let wait = timeout_at(begun + PATIENCE, ROOM.acquire_many(kib)).await;
            let busy = || ApiError::too_many("too many large bodies are being read; send it again");
            // The semaphore is never closed.
            Some(wait.map_err(|_| busy())?.map_err(ApiError::internal)?)
        }
        _ => None,
    };
    let bytes = timeout_at(begun + PATIENCE, axum::body::to_bytes(body, LIMIT))
        .await
        .map_err(|_| ApiError::new(408, "Timeout", "the body did not arrive in time; send it again"))?
        .map_err(|error| unreadable(&error))?;
    if bytes.is_empty() {
        return Ok(Noted::default());
    }
    let media_type = media_type(headers);
    if !media_type.ends_with("yaml") {
        return parse(&media_type, &bytes);
    }
    let (done, wait) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("yaml".into())
        .stack_size(STACK)
        .spawn(move || done.send(parse(&media_type, &bytes)).ok())
        .map_err(ApiError::internal)?;
    wait.await.map_err(ApiError::internal)?
}

fn unreadable(error: &axum::Error) -> ApiError {
    // The limit is told by a type of a crate below axum; its words are all that comes through.
    if std::error::Error::source(error).is_some_and(|source| source.to_string().contains("length limit")) {
        ApiError::too_large(LIMIT)
    } else {
        ApiError::bad_request(format!("the body could not be read: {error}"))
    }
}

pub(in crate::twin::api) fn parse(media_type: &str, bytes: &[u8]) -> Result<Noted, ApiError> {
    let json = |bytes| {
        let decode = serde_json::from_slice::<Noted>(bytes);
        decode
            .map_err(|error| ApiError::bad_request(format!("the body is not JSON that can be read: {error}")))
    };
    match media_type {
        "" | "application/json" => json(bytes),
        "application/yaml" | "application/apply-patch+yaml" | "text/yaml" => {
            if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
                && let Ok(value) = json(bytes)
            {
                return Ok(value);
            }
            yaml(bytes)
        }
        patch if patch.ends_with("patch+json") => json(bytes),
        // What `kubectl create namespace` and its like send from 1.32 on.
        "application/vnd.kubernetes.protobuf" => protobuf::read(bytes).map(Noted::from).ok_or_else(|| {
            let message = "the body is not protobuf of a type the twin knows; send it as application/json";
            ApiError::new(415, "UnsupportedMediaType", message)
        }),
        _ => {
            let accepted = ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];
            Err(ApiError::unsupported_media(&accepted))
        }
    }
}

fn yaml(bytes: &[u8]) -> Result<Noted, ApiError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH, max_nodes: 100_000 },
        // A key that is there twice is for whoever asked to be told of it.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
    };
    serde_saphyr::from_slice_with_options(bytes, options)
        .map_err(|error| ApiError::bad_request(format!("the body is not YAML that can be read: {error}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    async fn sent(media_type: &str, bytes: Vec<u8>) -> Result<Value, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        read(&headers, Body::from(bytes)).await.map(|noted| noted.value)
    }

    #[tokio::test]
    async fn json_and_yaml_are_read() {
        let expected = json!({"kind": "Pod", "n": 1});
        let json = b"{\"kind\":\"Pod\",\"n\":1}".to_vec();
        assert_eq!(sent("application/json", json.clone()).await.unwrap(), expected);
        assert_eq!(sent("application/json; charset=utf-8", json.clone()).await.unwrap(), expected);
        assert_eq!(sent("application/yaml", b"kind: Pod\nn: 1\n".to_vec()).await.unwrap(), expected);
        assert_eq!(sent("application/apply-patch+yaml", json).await.unwrap(), expected);
    }

    #[rstest]
    #[case("application/json", b"\xff\xfe".to_vec(), 400)]
    #[case("application/json", b"{".to_vec(), 400)]
    #[case("application/json", [b"[".repeat(100_000), b"]".repeat(100_000)].concat(), 400)]
    #[case("application/yaml", [b"[".repeat(5_000), b"]".repeat(5_000)].concat(), 400)]
    #[case("application/yaml", b"- ".repeat(100_000), 400)]
    #[case("application/yaml", b"a: &a [1]\nb: [*a, *b]".to_vec(), 400)]
    #[case("application/vnd.kubernetes.protobuf", b"k8s\0".to_vec(), 415)]
    #[case("application/json", vec![b' '; LIMIT + 1], 413)]
    #[tokio::test]
    async fn what_cannot_be_read_is_refused(
        #[case] media_type: &str,
        #[case] bytes: Vec<u8>,
        #[case] code: u16,
    ) {
        assert_eq!(sent(media_type, bytes).await.unwrap_err().code, code);
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:&*\\- a\n]{0,60}") {
            for media_type in ["application/json", "application/yaml"] {
                let _ = parse(media_type, &bytes);
                let _ = parse(media_type, text.as_bytes());
            }
        }
    }
}
