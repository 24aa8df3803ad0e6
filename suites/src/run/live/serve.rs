//! Serving the page: its files, the events, and the panel of a box. Who may ask is `guard`'s matter.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use fabric_harness::fabric::{Fabric, Gone};
use fabric_reports::live;
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::follow::{Followed, Told, follow};
use super::{guard, panel};

/// How long open connections have to end.
const LEAVE: Duration = Duration::from_secs(2);

/// What can go wrong with serving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// Something else has the port.
    #[error("port {port} of {ip} is taken by another program{}", .free.map(|free| format!("; port {free} is free: `--port {free}`")).unwrap_or_default())]
    Taken {
        /// The address.
        ip: IpAddr,
        /// The port.
        port: u16,
        /// One nearby that is not taken.
        free: Option<u16>,
    },
    /// The port is not to be had.
    #[error(
        "cannot listen on {address}: {source}; take another port with `--port` (above 1023 any user may), or another address with `--bind`"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The server ended.
    #[error("the page cannot be served any more: {0}")]
    Serve(std::io::Error),
}

/// Why serving has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Asked,
    /// The fabric has gone.
    Gone(Gone),
}

/// Takes the port.
///
/// # Errors
/// When it is not to be had.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, LiveError> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(source) if source.kind() == std::io::ErrorKind::AddrInUse => {
            let port = address.port();
            let near = (1..=50).filter_map(|step| port.checked_add(step));
            let free =
                near.into_iter().find(|&port| std::net::TcpListener::bind((address.ip(), port)).is_ok());
            Err(LiveError::Taken { ip: address.ip(), port, free })
        }
        Err(source) => Err(LiveError::Listen { address, source }),
    }
}

struct Shown {
    fabric: Arc<Fabric>,
    name: String,
    followed: Arc<Followed>,
    ending: CancellationToken,
}

/// Serves the page of a fabric until `until` comes true or the fabric has gone; `ready` is called when it is there.
///
/// # Errors
/// When the server cannot go on.
pub async fn serve(
    fabric: Arc<Fabric>,
    name: &str,
    listener: TcpListener,
    ready: impl FnOnce(),
    until: impl Future<Output = ()>,
) -> Result<Ended, LiveError> {
    let bound = listener.local_addr().map_err(LiveError::Serve)?;
    let followed = follow(&fabric, name).await;
    let ending = CancellationToken::new();
    let shown = Arc::new(Shown {
        fabric: Arc::clone(&fabric),
        name: name.to_owned(),
        followed: Arc::clone(&followed),
        ending: ending.clone(),
    });
    let stop = ending.clone();
    let server = axum::serve(listener, routes(shown, bound))
        .with_graceful_shutdown(async move { stop.cancelled().await });
    let server = tokio::spawn(server.into_future());
    ready();
    let ended = tokio::select! {
        () = until => Ended::Asked,
        gone = fabric.gone() => Ended::Gone(gone),
    };
    if let Ended::Gone(_) = ended {
        followed.told.send_modify(|told| {
            let why = "the fabric has ended: `fabric up` brings one up".to_owned();
            *told = Arc::new(Told { ended: Some(why), ..(**told).clone() });
        });
    }
    ending.cancel();
    // Who does not read what is sent is not waited for: the end of this program is the end of their connection.
    if let Ok(served) = tokio::time::timeout(LEAVE, server).await {
        served.map_err(std::io::Error::other).and_then(|served| served).map_err(LiveError::Serve)?;
    }
    Ok(ended)
}

fn routes(shown: Arc<Shown>, bound: SocketAddr) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/graph.css", get(async || ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], live::css())))
        .route(
            "/graph.js",
            get(async || ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], live::JS)),
        )
        .route("/drawing.svg", get(drawing))
        .route("/events", get(events))
        .route("/api/state", get(state))
        .route("/api/box", get(one_box))
        .layer(middleware::from_fn_with_state(bound, guard::guarded))
        .with_state(shown)
}

fn told(shown: &Shown) -> Arc<Told> {
    Arc::clone(&shown.followed.told.borrow())
}

async fn page(State(shown): State<Arc<Shown>>) -> Html<String> {
    Html(live::page(&shown.name, &told(&shown).svg))
}

async fn drawing(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], told(&shown).file.clone())
}

async fn state(State(shown): State<Arc<Shown>>) -> Json<live::State> {
    Json(told(&shown).state.clone())
}

#[derive(Debug, Deserialize)]
struct Which {
    name: String,
}

async fn one_box(State(shown): State<Arc<Shown>>, Query(Which { name }): Query<Which>) -> Response {
    let told = told(&shown);
    let Some(known) = told.panels.get(&name) else {
        return (StatusCode::NOT_FOUND, format!("the fabric has no box {name}\n")).into_response();
    };
    let mut seen = known.clone();
    if !seen.sections.iter().any(|section| section.title.starts_with("Kernel")) {
        let read = match shown.fabric.kernel(&name).await {
            Ok(kernel) => kernel.fib().await.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        seen.sections.push(panel::kernel(read));
    }
    Json(seen).into_response()
}

async fn events(State(shown): State<Arc<Shown>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = stream(shown.followed.told.subscribe(), shown.ending.clone());
    Sse::new(stream).keep_alive(KeepAlive::default())
}

/// What one page is told: the drawing and the state as they are, then each when it has changed; at last, that all has ended.
fn stream(
    told: watch::Receiver<Arc<Told>>,
    ending: CancellationToken,
) -> impl Stream<Item = Result<Event, Infallible>> {
    struct Telling {
        told: watch::Receiver<Arc<Told>>,
        ending: CancellationToken,
        ready: VecDeque<Event>,
        drawn: u64,
        first: bool,
        over: bool,
    }
    let start = Telling { told, ending, ready: VecDeque::new(), drawn: 0, first: true, over: false };
    let next = |mut telling: Telling| async move {
        while telling.ready.is_empty() {
            if telling.over {
                return None;
            }
            if !telling.first {
                tokio::select! {
                    changed = telling.told.changed() => telling.over = changed.is_err(),
                    () = telling.ending.cancelled() => telling.over = true,
                }
            }
            telling.first = false;
            let now = Arc::clone(&telling.told.borrow_and_update());
            if now.drawn != telling.drawn {
                telling.drawn = now.drawn;
                telling.ready.push_back(Event::default().event("drawing").data(&now.svg));
            }
            if !telling.over
                && let Ok(event) = Event::default().event("state").json_data(&now.state)
            {
                telling.ready.push_back(event);
            }
            if let Some(why) = &now.ended {
                telling.over = true;
                telling.ready.push_back(Event::default().event("gone").data(why));
            }
        }
        telling.ready.pop_front().map(|event| (event, telling))
    };
    futures::stream::unfold(start, next).map(Ok)
}
