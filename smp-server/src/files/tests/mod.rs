//! A file relay under clients of HTTP/2, without TLS.

mod client;
mod hostile;
mod tls;
mod transfers;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use http::{Method, Request};
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey, padding};
use smp_protocol::address::Password;
use smp_protocol::certificate::CertificateChain;
use smp_protocol::encoding::{NonEmpty, to_bytes};
use smp_protocol::id::{EntityId, SessionId};
use smp_protocol::key::{ChunkRecipientKey, RecipientDownloadKey};
use smp_protocol::version::XftpVersion;
use smp_protocol::xftp::command::{NewChunk, XftpCommand};
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::handshake::{XftpClientHello, read_refusal};
use smp_protocol::xftp::response::XftpResponse;
use smp_protocol::xftp::transmission::read_response;
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity};
use smp_transport::surroundings::Surroundings;
use time::OffsetDateTime;

use super::{FileConnection, FileIdentity, FileRelay, FileSettings};
use client::*;

/// An identity that is the same for all relays here.
fn relay_identity() -> &'static RelayIdentity {
    static IDENTITY: LazyLock<RelayIdentity> = LazyLock::new(|| {
        let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed448, now, rng);
        authority.issue("localhost", KeyAlgorithm::Ed25519, now, rng).unwrap()
    });
    &IDENTITY
}

fn identity() -> FileIdentity {
    FileIdentity::of(relay_identity()).unwrap()
}

fn settings(directory: &Path) -> FileSettings {
    FileSettings { quota: 4 * u64::from(SIZE), ..FileSettings::new(directory.join("files")) }
}

fn start(settings: FileSettings) -> FileRelay {
    FileRelay::new(settings, identity(), Surroundings::machine()).unwrap()
}

/// Names of chunks that are there, and of those that are being uploaded.
fn chunk_files(directory: &Path) -> Vec<String> {
    let entries =
        ["chunks", "incoming"].map(|kind| std::fs::read_dir(directory.join("files").join(kind)).unwrap());
    entries.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Waits until a condition holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A connection without a handshake.
async fn connect(relay: &FileRelay, alpn: bool) -> Client {
    let (ours, theirs) = tokio::io::duplex(20_000);
    let id = SessionId::new(&[9; 32]).unwrap();
    let connection = FileConnection { session_id: id.clone(), alpn };
    let relay = relay.clone();
    tokio::spawn(async move { relay.serve(theirs, connection).await });
    Client::over(ours, id).await
}

async fn client(relay: &FileRelay) -> Client {
    let mut client = connect(relay, true).await;
    client.agree(&identity().fingerprint, &identity().chain).await;
    client
}

fn client_hello(version: u16, fingerprint: [u8; 32]) -> Vec<u8> {
    let hello = XftpClientHello { version: XftpVersion(version), fingerprint: fingerprint.into() };
    padding::pad(&to_bytes(&hello), 16_384).unwrap()
}

#[test]
fn settings_and_errors_tell_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let password = Some(Password::new("swordfish").unwrap());
    let shown = format!("{:?} {:?}", FileSettings { password, ..settings(dir.path()) }, identity());
    assert!(!shown.contains("swordfish") && shown.contains("Ed25519(Ed25519PrivateKey(..))"), "{shown}");
}
