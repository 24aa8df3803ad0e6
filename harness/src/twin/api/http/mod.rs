//! Kubernetes over HTTP: paths, queries, bodies, answers.
//!
//! What lives here: the router and who may enter. `target` reads paths, `query` and `body` the rest of a request, `verbs` does what is
//! asked, `answer` and `follow` write, `frames` cuts what is
//! long into pieces, `discovery` tells what there is. What does not: TLS (`endpoint`), the rules (`rules`).

mod answer;
mod body;
mod discovery;
mod follow;
mod frames;
mod openapi;
mod protobuf;
mod query;
mod repeated;
mod reviews;
mod target;
mod verbs;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use sha2::{Digest, Sha256};

pub(super) use answer::refusal;
#[cfg(feature = "fuzzing")]
pub(super) use body::parse as parse_body;
pub use discovery::kubernetes_version;
pub(super) use query::Query;

use super::rules::Rules;
use super::{ApiError, PodRuntime};

/// What every request needs.
pub(super) struct Shared {
    /// The rules, over the store.
    pub rules: Rules,
    /// Who runs the pods.
    pub runtime: Arc<dyn PodRuntime>,
    /// What was said last of all types together.
    second: openapi::Second,
    token: [u8; 32],
}

impl Shared {
    /// What a server over `rules` needs; clients must bring `token`.
    pub(super) fn new(rules: Rules, runtime: Arc<dyn PodRuntime>, token: &str) -> Self {
        Self { rules, runtime, second: openapi::Second::default(), token: digest(token.as_bytes()) }
    }

    /// Whether a request brings the token. Digests are compared, so the time taken tells nothing of the token.
    fn knows(&self, request: &Request) -> bool {
        let header = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
        header
            .and_then(|value| value.strip_prefix(b"Bearer "))
            .is_some_and(|token| digest(token) == self.token)
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The whole of the API.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let health = || get(async || "ok");
    Router::new()
        .route("/version", get(discovery::version))
        .route("/api", get(discovery::core))
        .route("/apis", get(discovery::groups))
        .route("/apis/{group}", get(discovery::group))
        .route("/api/{version}", get(discovery::core_version))
        .route("/apis/{group}/{version}", get(discovery::version_of_group))
        .route("/api/{version}/{*rest}", any(verbs::core))
        .route("/apis/{group}/{version}/{*rest}", any(verbs::grouped))
        .route("/openapi/v2", get(openapi::second))
        .route("/openapi/v3", get(openapi::index))
        .route("/openapi/v3/{*path}", get(openapi::document))
        .fallback(async || refusal(&ApiError::no_resource()))
        .method_not_allowed_fallback(async || refusal(&ApiError::method_not_allowed()))
        .route("/healthz", health())
        .route("/readyz", health())
        .route("/livez", health())
        .layer(from_fn_with_state(Arc::clone(&shared), enter))
        .with_state(shared)
}

/// Lets in who brings the token. Others get health, or their refusal, and their connection is closed: who is not known may
/// not hold a place.
async fn enter(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if shared.knows(&request) {
        return next.run(request).await;
    }
    let mut response = if matches!(request.uri().path(), "/healthz" | "/readyz" | "/livez") {
        next.run(request).await
    } else {
        let mut response = refusal(&ApiError::unauthorized()).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        response
    };
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
