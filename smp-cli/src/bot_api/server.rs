//! The places where clients come in, and the door: the WebSocket upgrade, and who is refused.

#![expect(clippy::result_large_err, reason = "the library's own type, once for each connection")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{StatusCode, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::Settings;
use super::client;
use super::desk::Desk;
use super::tls::Tls;
use super::token;

/// Connections at once; further ones wait.
const MAX_CLIENTS: usize = 32;
/// Bytes that may wait in memory to be written to one client.
const MAX_WRITE_BUFFER: usize = 8 * 1024 * 1024;
/// Next step where a port is taken.
const TAKEN: &str =
    "Another program listens there (another daemon, or simplex-chat): end it, or choose another port";
/// How long the handshake of TLS may take, and then the upgrade.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a failure to accept: the process may have too many files open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// How long the end waits for commands that are about to end.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket that clients connect to.
pub(super) enum Place {
    Tcp(TcpListener, SocketAddr, Option<Arc<Tls>>),
    Unix(UnixListener, PathBuf, u32),
}

impl Place {
    /// Opens all sockets of the settings. Where one name stands for two addresses, one of them is enough, if this machine
    /// does not have the other.
    pub(super) async fn open(settings: &Settings) -> anyhow::Result<Vec<Self>> {
        let tls = settings.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
        let mut places = Vec::new();
        let mut failure = None;
        // A port that the system chooses is one for all addresses.
        let mut chosen = None;
        for address in &settings.addresses {
            if !address.ip().is_loopback() && settings.token.is_none() {
                bail!(
                    "{address} can be reached from other machines: give clients a token (--bot-token-file), or listen on 127.0.0.1"
                );
            }
            let port = if address.port() == 0 { chosen.unwrap_or(0) } else { address.port() };
            match TcpListener::bind((address.ip(), port)).await {
                Ok(listener) => {
                    let address = listener.local_addr()?;
                    chosen = Some(address.port());
                    places.push(Self::Tcp(listener, address, tls.clone()));
                }
                Err(error) => {
                    // A program of another kind may be there, and bots would talk with it.
                    let is_taken = error.kind() == ErrorKind::AddrInUse && address.port() != 0;
                    let error = anyhow::Error::new(error).context(format!("{address} cannot be listened on"));
                    if is_taken {
                        return Err(error.context(TAKEN));
                    }
                    failure = Some(error);
                }
            }
        }
        if let (true, Some(error)) = (places.is_empty(), failure) {
            return Err(error);
        }
        if let Some(path) = &settings.socket {
            places.push(
                Self::open_unix(path)
                    .with_context(|| format!("The socket {} cannot be made", path.display()))?,
            );
        }
        Ok(places)
    }

    fn open_unix(path: &Path) -> std::io::Result<Self> {
        // Left by a kill.
        if path.symlink_metadata().is_ok_and(|file| file.file_type().is_socket()) {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        let owner = std::fs::metadata(path)?.uid();
        Ok(Self::Unix(listener, path.to_owned(), owner))
    }

    /// As clients write it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Tcp(_, address, None) => format!("ws://{address}"),
            Self::Tcp(_, address, Some(_)) => format!("wss://{address}"),
            Self::Unix(_, path, _) => format!("unix:{}", path.display()),
        }
    }

    /// Whether others on the network can read what goes over it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Tcp(_, address, None) if !address.ip().is_loopback())
    }

    /// Takes connections until it is told to stop, and waits for those that are there.
    pub(super) async fn serve(self, door: Arc<Door>, stop: CancellationToken) {
        let slots = Arc::new(Semaphore::new(MAX_CLIENTS));
        let mut clients = JoinSet::new();
        let next = async || {
            let slot = slots.clone().acquire_owned().await.ok()?;
            loop {
                match self.accept().await {
                    Ok(stream) => return Some((slot, stream)),
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        while let Some(Some((slot, stream))) = stop.run_until_cancelled(next()).await {
            let (door, stop) = (door.clone(), stop.clone());
            clients.spawn(async move {
                match stream {
                    Stream::Tcp(stream, None) => door.enter(stream, door.token.is_some(), stop).await,
                    Stream::Tcp(stream, Some(tls)) => door.enter_tls(stream, &tls, stop).await,
                    // Those who may open the socket are the same user.
                    Stream::Unix(stream) => door.enter(stream, false, stop).await,
                }
                drop(slot);
            });
            while clients.try_join_next().is_some() {}
        }
        let all = async { while clients.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(END_TIMEOUT, all).await;
        if let Self::Unix(_, path, _) = &self {
            let _ = std::fs::remove_file(path);
        }
    }

    async fn accept(&self) -> std::io::Result<Stream> {
        match self {
            Self::Tcp(listener, _, tls) => {
                let (stream, _) = listener.accept().await?;
                // Answers are short and waited for.
                stream.set_nodelay(true)?;
                let keep_alive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
                socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
                Ok(Stream::Tcp(stream, tls.clone()))
            }
            Self::Unix(listener, _, owner) => loop {
                let (stream, _) = listener.accept().await?;
                if stream.peer_cred()?.uid() == *owner {
                    return Ok(Stream::Unix(stream));
                }
            },
        }
    }
}

enum Stream {
    Tcp(TcpStream, Option<Arc<Tls>>),
    Unix(UnixStream),
}

/// The door: each connection passes it once.
pub(super) struct Door {
    token: Option<Zeroizing<String>>,
    desk: Arc<Desk>,
}

/// The part of an upgrade that concerns us.
struct Wishes {
    acknowledges: bool,
}

impl Door {
    pub(super) fn new(token: Option<Zeroizing<String>>, desk: Arc<Desk>) -> Self {
        Self { token, desk }
    }

    async fn enter_tls(&self, stream: TcpStream, tls: &Tls, stop: CancellationToken) {
        let handshake = tls.acceptor().accept(stream);
        let Ok(Ok(stream)) = tokio::time::timeout(UPGRADE_TIMEOUT, handshake).await else { return };
        self.enter(stream, self.token.is_some(), stop).await;
    }

    async fn enter<S>(&self, stream: S, needs_token: bool, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = WebSocketConfig::default()
            .max_message_size(Some(client::MAX_FRAME))
            .max_frame_size(Some(client::MAX_FRAME))
            .max_write_buffer_size(MAX_WRITE_BUFFER);
        let mut wishes = Wishes { acknowledges: false };
        let check = |request: &Request, response: Response| {
            self.admit(request, needs_token)?;
            let query = request.uri().query().unwrap_or_default();
            wishes.acknowledges = query.split('&').any(|property| property == "ack=on");
            Ok(response)
        };
        let upgrade = accept_hdr_async_with_config(stream, check, Some(config));
        let Ok(Ok(socket)) = tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await else { return };
        client::run(socket, self.desk.clone(), wishes.acknowledges, stop).await;
    }

    /// Web pages say where they are from, and programs do not: no page of a browser on this machine gets in.
    fn admit(&self, request: &Request, needs_token: bool) -> Result<(), ErrorResponse> {
        if request.headers().contains_key(header::ORIGIN) {
            return Err(refusal(
                StatusCode::FORBIDDEN,
                "web pages are not let in (the request has an Origin)",
            ));
        }
        match self.token.as_ref().filter(|_| needs_token) {
            Some(token) if !token::has(request, token) => Err(refusal(
                StatusCode::UNAUTHORIZED,
                "the token is missing or wrong (Authorization: Bearer TOKEN, or ws://bot:TOKEN@HOST:PORT)",
            )),
            _ => Ok(()),
        }
    }
}

fn refusal(status: StatusCode, reason: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(format!("{reason}\n")));
    *response.status_mut() = status;
    response
}
