//! A connection: one of the hosts of an address, TLS with `xftp/1`, HTTP/2, and the handshake.

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use smp_crypto::padding;
use smp_protocol::address::{Host, XftpAddress};
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::to_bytes;
use smp_protocol::error::HandshakeError;
use smp_protocol::id::SessionId;
use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::handshake::client::{XftpClient, answer};
use smp_protocol::xftp::handshake::{XftpRelayHello, read_refusal};
use smp_protocol::xftp::session::AgreedXftpSession;
use smp_protocol::xftp::{ALPN, BLOCK_BYTES};
use smp_transport::client::ClientError;
use smp_transport::connection::ConnectionError;
use smp_transport::dial::{DialError, Dialler};
use smp_transport::identity::ChainError;
use smp_transport::surroundings::Surroundings;
use smp_transport::tls::{TlsClient, TlsError, TlsSession};
use tokio::time::timeout;

use super::FileRelayClient;
use super::exchange::Exchange;
use crate::error::FileRelayError;

/// How long each host of a relay may take, with all handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes that a relay may send of one answer before they are read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Bytes that a relay may send of all answers before they are read.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of one request that wait for the network.
const SEND_BUFFER: usize = 128 * 1024;
/// Bytes of an answer's headers: one short one.
const HEADERS: u32 = 4 * 1024;

/// Tries the hosts of an address until one is the relay.
pub(super) async fn connect(
    address: &XftpAddress,
    dialler: &Dialler,
    surroundings: &Surroundings,
) -> Result<FileRelayClient, FileRelayError> {
    let mut failure = FileRelayError::from(ClientError::OnionOnly);
    let mut addresses = dialler.max_addresses;
    let hosts: Vec<&Host> = address.0.hosts.iter().filter(|host| dialler.reaches(host)).collect();
    for (number, host) in (1..).zip(&hosts) {
        let is_last = number == hosts.len();
        let connecting = connect_to(host, address, dialler, &mut addresses, is_last, surroundings);
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = ClientError::Timeout(CONNECT_TIMEOUT).into(),
        }
    }
    Err(failure)
}

async fn connect_to(
    host: &Host,
    address: &XftpAddress,
    dialler: &Dialler,
    addresses: &mut usize,
    is_last: bool,
    surroundings: &Surroundings,
) -> Result<FileRelayClient, FileRelayError> {
    let port = address.port_or_default();
    let dialled = dialler.dial(&*surroundings.network, host, port, addresses, is_last).await;
    let stream = dialled.map_err(of_dialling)?;
    let tls = TlsClient::new(address.0.fingerprint, None, surroundings.time.clone());
    let tls = tls.map_err(|error| of_tls(error, host))?.speaking(&[ALPN.as_bytes()]);
    let tls = tls.connect(stream).await.map_err(|error| of_tls(error, host))?;
    if tls.alpn() != Some(ALPN.as_bytes()) {
        return Err(FileRelayError::NoFileRelay);
    }
    over_tls(tls, host, &address.0.fingerprint, surroundings).await
}

async fn over_tls(
    tls: TlsSession,
    host: &Host,
    fingerprint: &[u8; 32],
    surroundings: &Surroundings,
) -> Result<FileRelayClient, FileRelayError> {
    let bad = || FileRelayError::Handshake(HandshakeError::BadAuth.into());
    let session_id = SessionId::new(tls.session_id()).map_err(|_| bad())?;
    let chain = CertificateChain::new(tls.peer_chain().iter().map(|der| der.to_vec()).collect());
    let chain = chain.map_err(|_| bad())?;
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADERS);
    let (http, connection) = builder.handshake::<_, Bytes>(tls.into_stream()).await?;
    // It ends with the last of its requests' handles.
    surroundings.spawner.spawn(connection);
    let exchange = Exchange::new(http, uri(host).ok_or(FileRelayError::NoFileRelay)?);
    let agreed = agree(&exchange, &session_id, fingerprint, &chain).await?;
    let AgreedXftpSession { session, relay_key, .. } = agreed;
    Ok(FileRelayClient::new(exchange, session, relay_key, surroundings.randomness.clone()))
}

/// The handshake of file relays.
async fn agree(
    exchange: &Exchange,
    session_id: &SessionId,
    fingerprint: &[u8; 32],
    relay_chain: &CertificateChain,
) -> Result<AgreedXftpSession, FileRelayError> {
    let block = exchange.ask(Bytes::new(), None).await?.block().await?;
    let content = padding::unpad(&block).map_err(|_| FileRelayError::NoFileRelay)?;
    if let Some(refusal) = read_refusal(content) {
        return Err(FileRelayError::Refused(refusal));
    }
    let hello = XftpRelayHello::read(content).map_err(|_| FileRelayError::NoFileRelay)?;
    let client = XftpClient { versions: XftpVersion::SUPPORTED, session_id, fingerprint, relay_chain };
    let (hello, agreed) = answer(&hello, &client)?;
    let block = padding::pad(&to_bytes(&hello), BLOCK_BYTES).map_err(FileRelayError::TooLong)?;
    let block = exchange.ask(block.into(), None).await?.block().await?;
    if block.is_empty() {
        return Ok(agreed);
    }
    let refusal = padding::unpad(&block).ok().and_then(read_refusal);
    Err(refusal.map_or(FileRelayError::Answer("to the handshake"), FileRelayError::Refused))
}

/// The host without its port, as clients in use write it.
fn uri(host: &Host) -> Option<Uri> {
    let name = host.canonical().to_string();
    let authority = if name.contains(':') { format!("[{name}]") } else { name };
    Uri::builder().scheme("https").authority(authority).path_and_query("/").build().ok()
}

fn of_dialling(error: DialError) -> FileRelayError {
    match error {
        DialError::NotAllowed => ClientError::NotAllowed,
        DialError::OnionOnly => ClientError::OnionOnly,
        DialError::TooMany => ClientError::TooManyAddresses,
        DialError::Socks(error) => ClientError::Socks(error),
        DialError::Io(error) => ClientError::Connection(ConnectionError::Io(error)),
        _ => ClientError::Closed,
    }
    .into()
}

fn of_tls(error: TlsError, host: &Host) -> FileRelayError {
    match error {
        TlsError::Certificate(ChainError::Fingerprint) => {
            ClientError::WrongRelay { host: host.canonical().to_string() }
        }
        other => ClientError::Connection(ConnectionError::Tls(other)),
    }
    .into()
}
