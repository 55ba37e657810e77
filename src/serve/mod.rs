//! The read-only HTTP server of `run`: metrics, health, and the operator's state as JSON.
//!
//! Handlers read what the operator publishes. They don't call AWS, wait for a reconcile or change anything, and answer
//! GET and HEAD only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use holdfast_operator::metrics::CONTENT_TYPE;
use holdfast_operator::published::{State, View};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// The default of `run --listen`: this machine only, because anyone who can connect can read the findings.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9095";

/// How long open connections may delay the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not an address.
    #[error("`{0}` is not an address to listen on; write it like {DEFAULT_LISTEN} or [::1]:9095")]
    Address(String),
    /// Another process has the address, or the system refuses it.
    #[error("cannot listen on {address}: {source}; {cure}")]
    Bind {
        /// The address, as given.
        address: String,
        /// The error of the system.
        source: std::io::Error,
        /// What to do about it.
        cure: &'static str,
    },
    /// Serving ended with an error.
    #[error("the HTTP server stopped: {0}")]
    Serve(#[source] std::io::Error),
}

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds the address, `host:port`. With port 0 the system chooses a port.
    ///
    /// # Errors
    /// [`ServeError::Address`] or [`ServeError::Bind`].
    pub async fn bind(address: &str) -> Result<Self, ServeError> {
        let is_host_and_port = address
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_host_and_port {
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

    /// The address, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `cancel`, then gives open requests a moment to finish.
    ///
    /// # Errors
    /// [`ServeError::Serve`] if the listener fails.
    pub async fn run(self, state: Arc<State>, cancel: CancellationToken) -> Result<(), ServeError> {
        let serve = axum::serve(self.listener, router(state)).with_graceful_shutdown(cancel.clone().cancelled_owned());
        tokio::select! {
            result = serve => result.map_err(ServeError::Serve),
            // A client that keeps its connection open must not keep the process running.
            () = async { cancel.cancelled().await; tokio::time::sleep(CLOSE_TIMEOUT).await } => Ok(()),
        }
    }
}

fn router(state: Arc<State>) -> Router {
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

/// The document, or 503 while there is none: an empty list would mean that nothing was found.
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
