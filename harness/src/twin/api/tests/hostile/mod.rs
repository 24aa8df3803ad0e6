//! Clients that mean no good, or know no better: everything is answered, nothing panics, nothing is left behind.
//!
//! What lives here: a client that says what it likes, byte by byte. `requests` make no sense, `bodies` are bombs, `schemas` are
//! definitions that are bombs, `connections` are slow, silent or many, and `costs` looks at what all of it has cost.

mod bodies;
mod connections;
mod costs;
mod requests;
mod schemas;

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Endpoint;

/// Where the endpoint listens.
fn address(endpoint: &Endpoint) -> &str {
    endpoint.url.strip_prefix("https://").unwrap()
}

/// A connection on which anything can be said.
async fn connected(endpoint: &Endpoint) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(endpoint.ca_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address(endpoint)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

/// Sends bytes as they are and reads the answer: its code and its body.
async fn raw(endpoint: &Endpoint, request: &[u8]) -> (u16, String) {
    let mut stream = connected(endpoint).await;
    // A server that has read enough may close before everything is written.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return (code, body.to_owned());
    }
    // Chunks: a line with the length in hexadecimal digits, then as many bytes and the end of the line.
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((length, more)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        whole += more.get(..length).unwrap_or_default();
        rest = more.get(length + 2..).unwrap_or_default();
    }
    (code, whole)
}

async fn ask(endpoint: &Endpoint, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Value) {
    let token = &endpoint.token;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    let (code, text) = raw(endpoint, &[head.as_bytes(), body].concat()).await;
    (code, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

const PODS: &str = "/api/v1/namespaces/default/pods";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const JSON: &str = "Content-Type: application/json\r\n";
const YAML: &str = "Content-Type: application/yaml\r\n";
const JSON_PATCH: &str = "Content-Type: application/json-patch+json\r\n";
