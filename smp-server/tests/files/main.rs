//! The relay of files as a whole: beside that of messages, with restarts, limits and kills.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

// The tests inside the crate have the same client.
#[allow(dead_code, reason = "these tests use a part of it")]
#[path = "../../src/files/tests/client.rs"]
mod client;
mod imported;
mod killed;
mod limits;
mod whole;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use smp_protocol::certificate::CertificateChain;
use smp_protocol::id::SessionId;
use smp_server::config::Config;
use smp_server::{Relay, RunningRelay, init};
use smp_transport::surroundings::Surroundings;
use smp_transport::tls::TlsClient;
use tokio::net::TcpStream;

use client::Client;

/// The protocol of files.
const XFTP: &[&[u8]] = &[b"xftp/1"];

/// Settings of a new relay with files.
fn config(dir: &Path) -> Config {
    let mut config = init::local::embedded(dir, &Surroundings::machine()).unwrap();
    config.files.enabled = true;
    config
}

async fn start(config: &Config) -> RunningRelay {
    Relay::start(config.clone()).await.unwrap()
}

/// A client of the relay at the port that it has for all.
async fn client(relay: &RunningRelay) -> Client {
    connect(relay.local_addrs()[0], relay.address().fingerprint, XFTP).await.unwrap()
}

/// A client that offers these protocols by ALPN; without any it has no handshake.
async fn connect(address: SocketAddr, fingerprint: [u8; 32], protocols: &[&[u8]]) -> Option<Client> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let stream = TcpStream::connect(address).await.ok()?;
    let tls = TlsClient::new(fingerprint, None, Surroundings::machine().time).unwrap().speaking(protocols);
    let session = tls.connect(stream).await.ok()?;
    let chain = CertificateChain::new(session.peer_chain().iter().map(|der| der.to_vec()).collect()).unwrap();
    let id = SessionId::new(session.session_id()).unwrap();
    let mut client = Client::try_over(session.into_stream(), id).await.ok()?;
    if !protocols.is_empty() {
        client.try_agree(&fingerprint, &chain).await.ok()?;
    }
    Some(client)
}

/// Names of files in a directory of the relay of files.
fn files(dir: &Path, kind: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("files").join(kind)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
