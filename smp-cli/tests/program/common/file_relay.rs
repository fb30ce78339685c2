//! A file relay in this process.

use std::path::{Path, PathBuf};

use smp_protocol::base64url;
use smp_server::files::{FileIdentity, FileRelay, FileSettings};
use smp_transport::identity::{CertificateAuthority, KeyAlgorithm};
use smp_transport::surroundings::Surroundings;
use smp_transport::tls::TlsServer;
use time::OffsetDateTime;
use tokio::net::TcpListener;

pub(crate) struct TestFileRelay {
    _runtime: tokio::runtime::Runtime,
    chunks: PathBuf,
    pub(crate) address: String,
}

impl TestFileRelay {
    pub(crate) fn start(dir: &Path) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let entered = runtime.enter();
        let (now, rng, chunks) = (OffsetDateTime::now_utc(), &mut rand::rng(), dir.join("chunks"));
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed448, now, rng);
        let identity = authority.issue("localhost", KeyAlgorithm::Ed25519, now, rng).unwrap();
        let surroundings = Surroundings::machine();
        let server = TlsServer::speaking(&[b"xftp/1"], &identity, surroundings.time.clone()).unwrap();
        let settings = FileSettings { fsync: false, ..FileSettings::new(chunks.clone()) };
        let relay = FileRelay::new(settings, FileIdentity::of(&identity).unwrap(), surroundings).unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = format!("xftp://{}@127.0.0.1:{port}", base64url::encode(&identity.fingerprint()));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, relay) = (server.clone(), relay.clone());
                tokio::spawn(async move {
                    if let Ok(tls) = server.accept(stream).await {
                        let _ = relay.serve_tls(tls).await;
                    }
                });
            }
        });
        drop(entered);
        Self { _runtime: runtime, chunks, address }
    }

    /// How many chunks it has.
    pub(crate) fn chunks(&self) -> usize {
        let entries = std::fs::read_dir(self.chunks.join("chunks")).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_none()).count()
    }
}
