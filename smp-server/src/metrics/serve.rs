//! The listener that the monitoring system asks, by HTTP, and that tells whether the relay is alive and ready.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | numbers, in OpenMetrics |
//! | `/livez` | 200 as long as the program answers at all |
//! | `/readyz` | 200 if clients are accepted and can be served; otherwise 503 and a sentence |

use std::{convert::Infallible, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use smp_transport::surroundings::Spawner;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// Where the numbers are.
const METRICS: &str = "/metrics";

/// Whether the program is to be left alone, or killed.
const LIVE: &str = "/livez";

/// Whether clients are to be sent here.
const READY: &str = "/readyz";

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many are answered at the same time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 8;

/// How long one request with its answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pause after an error of the system.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens for a monitoring system.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    if !address.ip().is_loopback() {
        tracing::warn!("metrics.listen is not a loopback address: whoever reaches it can read the metrics");
    }
    Ok(listener)
}

/// Answers about a relay.
pub(crate) trait Observed: Send + Sync + 'static {
    /// The numbers, as text.
    fn metrics(&self) -> Result<String, fmt::Error>;

    /// Whether it accepts clients and can serve them.
    ///
    /// # Errors
    ///
    /// The reason why it does not.
    fn ready(&self) -> Result<(), &'static str>;
}

/// Answers until it is dropped.
pub(crate) async fn serve(listener: TcpListener, spawner: Spawner, observed: Arc<impl Observed>) {
    // Those that are answered end with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let observed = observed.clone();
                let answering = async move { drop(timeout(TIMEOUT, answer(stream, &*observed)).await) };
                spawner.spawn_in(&mut connections, answering);
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn answer(stream: TcpStream, observed: &impl Observed) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(respond(request.method(), request.uri().path(), observed))
    });
    // A monitoring system that does not listen to the answer is no concern of the relay.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

fn respond(method: &Method, path: &str, observed: &impl Observed) -> Response<String> {
    let says = |code, text: &str| {
        let mut response = Response::new(text.to_owned());
        *response.status_mut() = code;
        response
    };
    let status = |code| says(code, "");
    match (method, path) {
        (&Method::GET, LIVE) => says(StatusCode::OK, "alive\n"),
        (&Method::GET, READY) => match observed.ready() {
            Ok(()) => says(StatusCode::OK, "ready\n"),
            Err(reason) => says(StatusCode::SERVICE_UNAVAILABLE, &format!("{reason}\n")),
        },
        (&Method::GET, METRICS) => match observed.metrics() {
            Ok(text) => {
                let mut response = Response::new(text);
                let kind = header::HeaderValue::from_static(CONTENT_TYPE);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
        },
        (_, METRICS | LIVE | READY) => status(StatusCode::METHOD_NOT_ALLOWED),
        _ => status(StatusCode::NOT_FOUND),
    }
}
