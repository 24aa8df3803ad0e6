//! Who may ask for the page: a browser that was led here by a name of somebody else's (DNS rebinding) may not, and what is sent
//! forbids the page everything that it does not need.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Everything from where the page is, and nothing from elsewhere; no script or style in the page itself; in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri \
                      'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a request with this `Host` is meant for a server at this address. A name that is not `localhost` could be anybody's, and lead
/// here by their will alone; addresses cannot be made to lead elsewhere.
pub(super) fn is_ours(host: &str, bound: SocketAddr) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || !bound.ip().is_loopback(),
        Err(_) => false,
    }
}

/// Turns away what is not meant for us, and says with every answer what the page may do.
pub(super) async fn guarded(State(bound): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_ours(host, bound) {
        let port = bound.port();
        let why = format!(
            "this page is served by address alone: open http://localhost:{port}/ or http://{bound}/\n"
        );
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let all = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("localhost:50080", "127.0.0.1:50080", true)]
    #[case("LOCALHOST", "127.0.0.1:50080", true)]
    #[case("127.0.0.1:50080", "127.0.0.1:50080", true)]
    #[case("[::1]:50080", "127.0.0.1:50080", true)]
    #[case("rebound.example.org:50080", "127.0.0.1:50080", false)]
    #[case("localhost.example.org", "127.0.0.1:50080", false)]
    #[case("192.0.2.1:50080", "127.0.0.1:50080", false)]
    #[case("192.0.2.1:50080", "0.0.0.0:50080", true)]
    #[case("[2001:db8::1]:50080", "[::]:50080", true)]
    #[case("rebound.example.org:50080", "0.0.0.0:50080", false)]
    #[case("", "127.0.0.1:50080", false)]
    fn names_of_others_are_turned_away(
        #[case] host: &str,
        #[case] bound: SocketAddr,
        #[case] expected: bool,
    ) {
        assert_eq!(is_ours(host, bound), expected);
    }
}
