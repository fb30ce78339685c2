//! HTTP/1.1, in TLS or not: one small answer per connection, in bounded time and memory.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use smp_crypto::hash::sha256;
use smp_transport::surroundings::Spawner;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    html::{self, STYLE},
    link::Path,
    site::Site,
    tls::PageTls,
};
use crate::{
    admission::{Bounds, Origin, Place, Places},
    config::{Config, Page},
    metrics::Limit,
};

/// How many times as many connections a site or a network may have as an address.
const WIDER: usize = 2;
/// From the first byte of a connection to its last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);
/// For the head of the request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the head of a request, and header fields in it.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;
/// After the system could not accept a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the page until it is dropped.
pub(crate) async fn serve(listener: TcpListener, site: Site, tls: PageTls, spawner: Spawner) {
    let site = Arc::new(site);
    let headers = Arc::new(headers());
    let places = Places::new(bounds(&site.config()));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let Some(place) = take_place(&places, peer.ip(), &site) else { continue };
        let (site, headers, tls) = (site.clone(), headers.clone(), tls.current());
        let answering = async move {
            tokio::select! {
                // An error here is the browser's concern.
                _ = timeout(CONNECTION_TIMEOUT, answer_one(stream, tls, &site, &headers)) => {}
                () = place.evicted() => {}
            }
        };
        spawner.spawn_in(&mut connections, answering);
    }
}

fn bounds(config: &Config) -> Bounds {
    let Page { max_connections, max_connections_per_address, .. } = config.page;
    let wider = max_connections_per_address * WIDER;
    Bounds {
        total: max_connections,
        per_address: max_connections_per_address,
        per_site: wider,
        per_network: wider,
    }
}

/// A place for a connection. Until it is answered each is a stranger: the oldest one makes room.
fn take_place(places: &Places, from: IpAddr, site: &Site) -> Option<Place> {
    let config = site.config();
    places.set_bounds(bounds(&config));
    let (place, refusal) = match places.take(Origin::of(from, config.limits.count_loopback)) {
        Ok((place, displaced)) => (Some(place), displaced),
        Err(refusal) => (None, Some(refusal)),
    };
    if let Some((limit, value)) = refusal {
        let limit = if limit == Limit::Connections {
            Limit::PageConnections
        } else {
            Limit::PageConnectionsPerAddress
        };
        site.refusals().note(limit, value as u64);
    }
    place
}

async fn answer_one(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    site: &Site,
    headers: &HeaderMap,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    match tls {
        Some(tls) => http(tls.accept(stream).await?, site, headers).await?,
        None => http(stream, site, headers).await?,
    }
    Ok(())
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    site: &Site,
    headers: &HeaderMap,
) -> hyper::Result<()> {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request, site, headers)));
    http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// The body of a request is not read.
fn answer(request: &Request<Incoming>, site: &Site, headers: &HeaderMap) -> Response<String> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    let (status, kind, text) = match (is_read, Path::of(path)) {
        (false, _) => (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "This page can only be read.\n".to_owned()),
        (true, Path::Link(link)) => (StatusCode::OK, HTML, html::link_page(link)),
        (true, Path::Exposed) => (StatusCode::BAD_REQUEST, HTML, html::exposed_page()),
        (true, Path::Other) if path == "/" => match site.page() {
            Some(page) => (StatusCode::OK, HTML, page.to_string()),
            None => (StatusCode::SERVICE_UNAVAILABLE, PLAIN, "Try again later.\n".to_owned()),
        },
        (true, Path::Other) => {
            (StatusCode::NOT_FOUND, PLAIN, "There is nothing here but the page /.\n".to_owned())
        }
    };
    let mut response = Response::new(text);
    *response.status_mut() = status;
    *response.headers_mut() = headers.clone();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Headers of every answer: the browser may apply the page's own style, and nothing else.
fn headers() -> HeaderMap {
    let style = standard_base64(&sha256(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let mut headers: HeaderMap =
        fixed.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers
}

/// Policies are written in the standard alphabet.
fn standard_base64(bytes: &[u8]) -> String {
    smp_crypto::base64url::encode(bytes).replace('-', "+").replace('_', "/")
}
