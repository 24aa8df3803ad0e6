//! The door: TLS on the loopback, and what a client needs to come in.
//!
//! What lives here: accepting connections, and the address, authority and token for kubeconfigs and clients. What does not: what is
//! said once inside (`http`).

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::{HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::guard::Guarded;
use super::http::{Shared, router};
use super::rules::{Rules, install};
use super::{ApiError, PodRuntime, pki};
use crate::twin::store::Store;

/// How many connections are served at once; more wait in the listener's queue. The agents need none: they are inside.
const CONNECTIONS: usize = 1024;
/// Of the descriptors this process may have, connections may take one in so many: the rest is for sessions and agents.
const SHARE: usize = 4;
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the first head on a connection may take. Whoever has not the token gets no second one.
const FIRST_HEAD: Duration = Duration::from_secs(10);
/// How long the head of a later request may take. Longer than clients keep idle connections (kube-rs: 90 s), because an idle
/// connection is one whose next head has not come.
const HEAD: Duration = Duration::from_secs(120);
/// How long a client may take nothing of what it is sent. A Kubernetes server gives a watcher far less.
const STALL: Duration = Duration::from_secs(30);
/// How long to wait when the system has no descriptor left for a connection: nothing tells when it has one again.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// How patient the endpoint is, and how many it serves at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// Connections served at once.
    pub(super) connections: usize,
    /// For a TLS handshake.
    pub(super) handshake: Duration,
    /// For the first head.
    pub(super) first_head: Duration,
    /// For a client to take something of what it is sent.
    pub(super) stall: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        let most = getrlimit(Resource::RLIMIT_NOFILE).ok().and_then(|(soft, _)| usize::try_from(soft).ok());
        let connections = most.map_or(CONNECTIONS, |most| (most / SHARE).clamp(16, CONNECTIONS));
        Self { connections, handshake: HANDSHAKE, first_head: FIRST_HEAD, stall: STALL }
    }
}

/// Why the endpoint could not be opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No certificate could be made.
    #[error("making the API endpoint's certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS does not take the certificate, or a client the authority.
    #[error("setting up TLS for the API endpoint: {0}")]
    Tls(String),
    /// The listener has no address.
    #[error("asking the API endpoint's listener for its address: {0}")]
    Listener(std::io::Error),
    /// The namespaces every cluster has could not be made.
    #[error("making the namespaces every cluster has: {0}")]
    Seed(#[from] ApiError),
    /// No client could be made.
    #[error(
        "making a client of the API endpoint at {url}: {why}; is the endpoint's address one of this machine's?"
    )]
    Client {
        /// The endpoint.
        url: String,
        /// What the client library says.
        why: String,
    },
}

/// What a client needs to know. The token is as good as a shell on every node: keep it in files of mode 0600.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Where it is: `https://127.0.0.1:<port>`.
    pub url: String,
    /// The authority that signed its certificate, PEM.
    pub ca_pem: String,
    /// The bearer token.
    pub token: String,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Serves the Kubernetes API over a store, on a listener that is bound already, until the runtime ends. The namespaces every
/// cluster has are made if they are not there. What is answered with it is
/// for the parts of the cluster in this process.
///
/// # Errors
/// [`EndpointError`] when there is no certificate or the listener has no address. Once it serves, failures are single clients'.
pub async fn serve(
    store: Store,
    runtime: Arc<dyn PodRuntime>,
    listener: TcpListener,
) -> Result<(Endpoint, Within), EndpointError> {
    serve_with(store, runtime, listener, Manners::default())
}

/// As [`serve`], with limits of its own.
pub(super) fn serve_with(
    store: Store,
    runtime: Arc<dyn PodRuntime>,
    listener: TcpListener,
    manners: Manners,
) -> Result<(Endpoint, Within), EndpointError> {
    let address = listener.local_addr().map_err(EndpointError::Listener)?;
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        install(&store, &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))?;
    }
    let identity = pki::issue()?;
    let tls = |error: rustls::Error| EndpointError::Tls(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(tls)?
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate], identity.key)
        .map_err(tls)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let shared = Arc::new(Shared::new(Rules::new(store), runtime, &token));
    let router = router(shared);
    let within = Within { router: router.clone(), token: token.clone() };
    let tls = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(accept(listener, tls, TowerToHyperService::new(router), manners));
    Ok((Endpoint { url: format!("https://{address}"), ca_pem: identity.authority, token }, within))
}

/// The same API for the parts of the cluster in this process: without a socket or TLS, and without exec, which upgrades a
/// connection.
#[derive(Clone)]
pub struct Within {
    router: axum::Router,
    token: String,
}

impl std::fmt::Debug for Within {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Within")
    }
}

impl Within {
    /// A client for the part of this name: that of the binary in a real cluster, which is how `metadata.managedFields` names
    /// it.
    ///
    /// # Errors
    /// [`EndpointError::Tls`] when the token is no header.
    pub fn client(&self, name: &'static str) -> Result<kube::Client, EndpointError> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token))
            .map_err(|error| EndpointError::Tls(format!("the token is no header: {error}")))?;
        bearer.set_sensitive(true);
        let with_headers = move |mut request: Request<kube::client::Body>| {
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(name));
            request
        };
        Ok(kube::Client::new(self.router.clone().map_request(with_headers), "default"))
    }
}

async fn accept(
    listener: TcpListener,
    tls: TlsAcceptor,
    service: TowerToHyperService<axum::Router>,
    manners: Manners,
) {
    let places = Arc::new(Semaphore::new(manners.connections));
    // The semaphore is never closed: acquiring ends only with a place.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, service) = (tls.clone(), service.clone());
                tokio::spawn(async move {
                    connection(stream, tls, service, manners).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the API endpoint could not accept a connection");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
    service: TowerToHyperService<axum::Router>,
    manners: Manners,
) {
    let _ = stream.set_nodelay(true);
    match tokio::time::timeout(manners.handshake, speaks_tls(&stream)).await {
        Ok(true) => {}
        Ok(false) => {
            let _ = tokio::time::timeout(manners.handshake, plainly(stream)).await;
            return;
        }
        Err(_) => return tracing::debug!("a connection said nothing"),
    }
    let stream = Guarded::new(stream, manners.stall);
    let patient = stream.patient();
    let stream = match tokio::time::timeout(manners.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return tracing::debug!("a TLS handshake took too long"),
    };
    let begun = Arc::new(Notify::new());
    let asked = Arc::clone(&begun);
    let service = service_fn(move |request: Request<Incoming>| {
        asked.notify_one();
        let log = request.uri().path().ends_with("/log");
        let (answer, patient) = (service.call(request), patient.clone());
        async move {
            let answer = answer.await?;
            // What a person may be paging through: the streams of a command, and a log.
            if answer.status() == StatusCode::SWITCHING_PROTOCOLS
                || (log && answer.status() == StatusCode::OK)
            {
                patient.for_ever();
            }
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        asked = tokio::time::timeout(manners.first_head, begun.notified()) => match asked {
            Ok(()) => serving.await,
            Err(_) => return tracing::debug!("a connection asked for nothing"),
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Whether the first byte is that of a TLS handshake. It is only looked at.
async fn speaks_tls(stream: &TcpStream) -> bool {
    const HANDSHAKE_RECORD: u8 = 22;
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1) if first[0] == HANDSHAKE_RECORD)
}

/// Tells a client that forgot the `s` in `https` so, in the words of a Kubernetes server.
async fn plainly(mut stream: TcpStream) {
    const WORDS: &[u8] = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    // What it has sent is taken first: closing with something unread would take the answer back.
    let mut asked = [0; 4096];
    if stream.read(&mut asked).await.is_ok_and(|count| asked[..count].contains(&b'/')) {
        let _ = stream.write_all(WORDS).await;
        let _ = stream.shutdown().await;
    }
}

impl Endpoint {
    /// A kubeconfig with one context, `kind-<cluster>`, as kind writes it. YAML; it holds the token.
    pub fn kubeconfig(&self, cluster: &str) -> String {
        let name = format!("kind-{cluster}");
        // Scalars are written as JSON, which YAML reads: a cluster's name cannot break out of its place.
        let quoted = json!(name);
        let (authority, url, token) =
            (json!(STANDARD.encode(&self.ca_pem)), json!(self.url), json!(self.token));
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    server: {url}\n  \
             name: {quoted}\ncontexts:\n- context:\n    cluster: {quoted}\n    namespace: default\n    user: {quoted}\n  \
             name: {quoted}\ncurrent-context: {quoted}\npreferences: {{}}\nusers:\n- name: {quoted}\n  user:\n    \
             token: {token}\n"
        )
    }

    /// A client of this endpoint, in the namespace `default`. Must be called where a Tokio runtime is.
    ///
    /// # Errors
    /// [`EndpointError::Client`] or [`EndpointError::Tls`] when what the endpoint says of itself cannot be used.
    pub fn client(&self) -> Result<kube::Client, EndpointError> {
        let authority = CertificateDer::from_pem_slice(self.ca_pem.as_bytes())
            .map_err(|error| EndpointError::Tls(format!("the authority is not PEM: {error}")))?;
        let client = |why: String| EndpointError::Client { url: self.url.clone(), why };
        let mut config = kube::Config::new(self.url.parse().map_err(|error| client(format!("{error}")))?);
        config.root_cert = Some(vec![authority.to_vec()]);
        config.auth_info.token = Some(self.token.clone().into());
        kube::Client::try_from(config).map_err(|error| client(error.to_string()))
    }
}
