//! A file relay of the relay's library, and files for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use smp_files::{FileNetwork, FileRelays, Sent, Upload};
use smp_protocol::address::XftpAddress;
use smp_server::files::{FileIdentity, FileRelay, FileSettings};
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm, RelayIdentity};
use smp_transport::surroundings::Surroundings;
use smp_transport::tls::TlsServer;
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinHandle};

/// A relay with a directory of its own.
pub(crate) struct TestRelay {
    pub(crate) address: XftpAddress,
    pub(crate) dir: TempDir,
    listening: JoinHandle<()>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

/// One identity for all relays here.
pub(crate) fn identity() -> &'static RelayIdentity {
    static IDENTITY: LazyLock<RelayIdentity> = LazyLock::new(|| {
        let (now, rng) = (OffsetDateTime::now_utc(), &mut rand::rng());
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed448, now, rng);
        authority.issue("localhost", KeyAlgorithm::Ed25519, now, rng).unwrap()
    });
    &IDENTITY
}

/// The address of a relay with the identity of all relays here.
pub(crate) fn address(port: u16) -> XftpAddress {
    let fingerprint = smp_protocol::base64url::encode(&identity().fingerprint());
    format!("xftp://{fingerprint}@127.0.0.1:{port}").parse().unwrap()
}

impl TestRelay {
    pub(crate) async fn start() -> Self {
        Self::with(|settings| settings).await
    }

    pub(crate) async fn with(change: impl FnOnce(FileSettings) -> FileSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = change(FileSettings { fsync: false, ..FileSettings::new(dir.path().join("files")) });
        let surroundings = Surroundings::machine();
        let server = TlsServer::speaking(&[b"xftp/1"], identity(), surroundings.time.clone()).unwrap();
        let relay = FileRelay::new(settings, FileIdentity::of(identity()).unwrap(), surroundings).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address(listener.local_addr().unwrap().port());
        let connections: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let known = connections.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, relay) = (server.clone(), relay.clone());
                let serving = tokio::spawn(async move {
                    if let Ok(tls) = server.accept(stream).await {
                        let _ = relay.serve_tls(tls).await;
                    }
                });
                known.lock().unwrap().push(serving.abort_handle());
            }
        });
        Self { address, dir, listening, connections }
    }

    /// Breaks all connections. New ones are accepted.
    pub(crate) fn break_connections(&self) {
        self.connections.lock().unwrap().drain(..).for_each(|connection| connection.abort());
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.listening.abort();
        self.break_connections();
    }

    /// The chunks that it has.
    pub(crate) fn chunks(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("files/chunks")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_none()).collect()
    }
}

pub(crate) fn relays() -> FileRelays {
    FileRelays::new(FileNetwork::direct(Surroundings::machine()))
}

/// Content that compresses badly and repeats nowhere in a chunk.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as u8).collect()
}

/// A file with this content, in a new directory.
pub(crate) fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.bin");
    std::fs::write(&path, content).unwrap();
    (dir, path)
}

/// Begins an upload of a file, in a directory beside it.
pub(crate) async fn begin(path: &Path, recipients: usize) -> Upload {
    let to_send = smp_files::upload::ToSend { path, name: "a.bin", recipients, data: b"", seal: None };
    Upload::begin(to_send, &upload_dir(path), &Surroundings::machine()).await.unwrap()
}

pub(crate) fn upload_dir(path: &Path) -> PathBuf {
    path.parent().unwrap().join("upload")
}

/// Sends a file to these relays.
pub(crate) async fn send(content: &[u8], recipients: usize, to: &[XftpAddress]) -> Sent {
    let (_dir, path) = file(content);
    let upload = begin(&path, recipients).await;
    let sent = upload.run(&relays(), to, &|_, _| {}).await.unwrap();
    upload.forget().unwrap();
    assert!(!upload_dir(&path).exists());
    sent
}
