//! The operator's read-only HTTP side: metrics, health, and what it last saw as JSON.
//!
//! Handlers read snapshots that the operator publishes; nothing here calls AWS, waits for a reconcile or changes
//! anything. Only GET (and HEAD) are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use holdfast_operator::metrics::CONTENT_TYPE;
use holdfast_operator::published::{State, View};

#[cfg(test)]
mod tests;

/// Where `run` listens unless told otherwise: this machine only, since findings are nobody else's business.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9095";

/// How long open connections may hold up the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not an address.
    #[error("`{0}` is not an address to listen on; write it like {DEFAULT_LISTEN} or [::1]:9095")]
    Address(String),
    /// The address can't be had.
    #[error("cannot listen on {address}: {source}; {cure}")]
    Bind {
        /// As given.
        address: String,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        cure: &'static str,
    },
    /// Serving ended with an error.
    #[error("the HTTP server stopped: {0}")]
    Serve(#[source] std::io::Error),
}

/// A server that has its address and answers nobody yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the address, `host:port`; port 0 lets the system choose.
    ///
    /// # Errors
    /// [`ServeError::Address`] or [`ServeError::Bind`], with what to do about it.
    pub async fn bind(address: &str) -> Result<Self, ServeError> {
        let has_form = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_form {
            return Err(ServeError::Address(address.to_owned()));
        }
        let failed = |source: std::io::Error| {
            let cure = match source.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "another process listens there, perhaps another holdfast: stop it or choose another port with --listen"
                }
                std::io::ErrorKind::PermissionDenied => {
                    "ports below 1024 need privileges: choose a higher one with --listen"
                }
                std::io::ErrorKind::AddrNotAvailable => {
                    "this machine has no such address: use 127.0.0.1 or 0.0.0.0 with --listen"
                }
                _ => "choose another address with --listen",
            };
            ServeError::Bind {
                address: address.to_owned(),
                source,
                cure,
            }
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address it has, with the port that was chosen.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `cancel`, then lets requests under way finish for a moment.
    ///
    /// # Errors
    /// [`ServeError::Serve`] if the listener breaks.
    pub async fn run(self, state: Arc<State>, cancel: CancellationToken) -> Result<(), ServeError> {
        let serve = axum::serve(self.listener, router(state)).with_graceful_shutdown(cancel.clone().cancelled_owned());
        tokio::select! {
            result = serve => result.map_err(ServeError::Serve),
            // A client that holds its connection open must not hold the process.
            () = async { cancel.cancelled().await; tokio::time::sleep(CLOSE_WITHIN).await } => Ok(()),
        }
    }
}

/// The routes; later pages (console, workloads) are added here.
pub fn router(state: Arc<State>) -> Router {
    let mut router = Router::new()
        .route("/", get(index))
        .route("/metrics", get(metrics))
        .route("/livez", get(async || reply(StatusCode::OK, TEXT, "ok\n".to_owned())))
        .route("/readyz", get(readyz))
        .fallback(async || {
            reply(
                StatusCode::NOT_FOUND,
                TEXT,
                "not found; / lists what is here\n".to_owned(),
            )
        });
    for view in View::ALL {
        router = router.route(
            view.path(),
            get(async move |Extract(state): Extract<Arc<State>>| document(&state, view)),
        );
    }
    router.with_state(state)
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

async fn index() -> Response {
    let fixed = [
        ("/metrics", "Prometheus metrics"),
        ("/livez", "200 while the process runs"),
        (
            "/readyz",
            "200 after the first full sweep, 503 with the reason otherwise",
        ),
    ];
    let paths = fixed
        .into_iter()
        .chain(View::ALL.map(|view| (view.path(), view.about())));
    let lines = paths.map(|(path, about)| format!("{path:<20} {about}\n"));
    reply(
        StatusCode::OK,
        TEXT,
        format!("Holdfast\n\n{}", lines.collect::<String>()),
    )
}

async fn metrics(Extract(state): Extract<Arc<State>>) -> Response {
    reply(StatusCode::OK, CONTENT_TYPE, state.metrics.render())
}

async fn readyz(Extract(state): Extract<Arc<State>>) -> Response {
    match state.unready() {
        None => reply(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Some(reason) => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not ready: {reason}\n")),
    }
}

/// The document, or 503 while there is none: an empty list would read as "all is well".
fn document(state: &State, view: View) -> Response {
    if let Some(bytes) = state.view(view) {
        return reply(StatusCode::OK, JSON, bytes);
    }
    let reason = state.unready().unwrap_or_else(|| "nothing published yet".to_owned());
    reply(
        StatusCode::SERVICE_UNAVAILABLE,
        JSON,
        json!({ "error": format!("not ready: {reason}") }).to_string(),
    )
}

fn reply(status: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
