//! The listener that the monitoring system asks, by HTTP.

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
const PATH: &str = "/metrics";

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

/// Makes the text that is answered.
type Text = dyn Fn() -> Result<String, fmt::Error> + Send + Sync;

/// Answers with `text` until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    spawner: Spawner,
    text: impl Fn() -> Result<String, fmt::Error> + Send + Sync + 'static,
) {
    let text: Arc<Text> = Arc::new(text);
    // Those that are answered end with it.
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let text = text.clone();
                let answering = async move { drop(timeout(TIMEOUT, answer(stream, &*text)).await) };
                spawner.spawn_in(&mut connections, answering);
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn answer(stream: TcpStream, text: &Text) {
    let service = service_fn(async |request: Request<Incoming>| {
        Ok::<_, Infallible>(respond(request.method(), request.uri().path(), text))
    });
    // A monitoring system that does not listen to the answer is no concern of the relay.
    let _ = http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

fn respond(method: &Method, path: &str, text: &Text) -> Response<String> {
    let status = |code| {
        let mut response = Response::new(String::new());
        *response.status_mut() = code;
        response
    };
    match (method, path) {
        (&Method::GET, PATH) => match text() {
            Ok(text) => {
                let mut response = Response::new(text);
                let kind = header::HeaderValue::from_static(CONTENT_TYPE);
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                response
            }
            Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR),
        },
        (_, PATH) => status(StatusCode::METHOD_NOT_ALLOWED),
        _ => status(StatusCode::NOT_FOUND),
    }
}
