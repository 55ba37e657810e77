use holdfast_operator::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

struct World {
    address: SocketAddr,
    state: Arc<State>,
    cancel: CancellationToken,
    task: tokio::task::JoinHandle<Result<(), ServeError>>,
}

async fn world() -> World {
    let state = Arc::new(State::new(Arc::new(Metrics::new("0.1.0").unwrap())));
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let (address, cancel) = (server.local_addr(), CancellationToken::new());
    let task = tokio::spawn(server.run(Arc::clone(&state), cancel.clone()));
    World {
        address,
        state,
        cancel,
        task,
    }
}

impl World {
    /// Status line, headers and body of one request.
    async fn ask(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }
}

#[tokio::test]
async fn serves_metrics_health_and_an_index() {
    let w = world().await;
    let metrics = w.ask("GET", "/metrics").await;
    assert!(
        metrics.contains("text/plain; version=0.0.4") && metrics.contains("holdfast_build_info"),
        "{metrics}"
    );
    assert!(w.ask("GET", "/livez").await.starts_with("HTTP/1.1 200"));
    let index = w.ask("GET", "/").await;
    for path in ["/metrics", "/livez", "/readyz"]
        .into_iter()
        .chain(View::ALL.map(View::path))
    {
        assert!(index.contains(path), "{path}");
    }
    assert!(w.ask("GET", "/nowhere").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test]
async fn ready_after_the_first_sweep_until_the_end_begins() {
    let w = world().await;
    let first = w.ask("GET", "/readyz").await;
    assert!(
        first.starts_with("HTTP/1.1 503") && first.contains("first full sweep"),
        "{first}"
    );
    w.state.not_ready("123456789012/us-east-1 can't be read: AccessDenied");
    assert!(w.ask("GET", "/readyz").await.contains("AccessDenied"));
    w.state.ready();
    w.state.not_ready("too late");
    assert!(w.ask("GET", "/readyz").await.starts_with("HTTP/1.1 200"));
    w.state.shutting_down();
    w.state.ready();
    assert!(w.ask("GET", "/readyz").await.contains("shutting down"));
    assert!(w.ask("GET", "/livez").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn documents_are_served_once_published_and_not_before() {
    let w = world().await;
    for view in View::ALL {
        let early = w.ask("GET", view.path()).await;
        assert!(
            early.starts_with("HTTP/1.1 503") && early.contains("{\"error\":\"not ready"),
            "{early}"
        );
        w.state.publish(view, &json!({ "about": view.about() }));
    }
    for view in View::ALL {
        let reply = w.ask("GET", view.path()).await;
        assert!(
            reply.starts_with("HTTP/1.1 200") && reply.contains("content-type: application/json"),
            "{reply}"
        );
        assert!(
            reply.ends_with(&json!({ "about": view.about() }).to_string()),
            "{reply}"
        );
    }
}

#[tokio::test]
async fn nothing_but_reading() {
    let w = world().await;
    for path in ["/", "/metrics", "/livez", "/readyz", "/api/v1/plan"] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let reply = w.ask(method, path).await;
            assert!(reply.starts_with("HTTP/1.1 405"), "{method} {path}: {reply}");
        }
    }
}

#[tokio::test]
async fn an_address_in_use_says_what_to_do() {
    let w = world().await;
    let error = Server::bind(&w.address.to_string()).await.unwrap_err().to_string();
    assert!(
        error.contains(&w.address.to_string()) && error.contains("--listen"),
        "{error}"
    );
    for bad in ["", "9095", ":9095", "localhost", "localhost:http"] {
        assert!(matches!(Server::bind(bad).await, Err(ServeError::Address(_))), "{bad}");
    }
}

#[tokio::test]
async fn ends_although_a_client_holds_on() {
    let w = world().await;
    let mut held = TcpStream::connect(w.address).await.unwrap();
    held.write_all(b"GET / HT").await.unwrap();
    w.cancel.cancel();
    tokio::time::timeout(CLOSE_TIMEOUT * 2, w.task)
        .await
        .expect("in time")
        .unwrap()
        .unwrap();
}
