//! TLS 1.3 of the interface: a certificate and its key in PEM, read again once they were renewed.
//!
//! A daemon runs for longer than a certificate is valid. Files that are half written, or damaged, change nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, anyhow};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

/// The files of the certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// The certificate, and those that lead to it.
    pub(crate) certificate: PathBuf,
    /// The private key.
    pub(crate) key: PathBuf,
}

/// The state by which it is seen that a file is another one than before.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// TLS for connections that come.
pub(super) struct Tls {
    files: TlsFiles,
    current: Mutex<(Stamp, TlsAcceptor)>,
}

impl Tls {
    pub(super) fn new(files: TlsFiles) -> anyhow::Result<Self> {
        let stamp = files.stamp();
        let acceptor = files.read()?;
        Ok(Self { files, current: Mutex::new((stamp, acceptor)) })
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.files.stamp();
        if stamp != current.0 {
            match self.files.read() {
                Ok(renewed) => *current = (stamp, renewed),
                // Half written: the next connection looks again.
                Err(error) => tracing::warn!("the certificate of before goes on: {error:#}"),
            }
        }
        current.1.clone()
    }
}

impl TlsFiles {
    fn stamp(&self) -> Stamp {
        [&self.certificate, &self.key].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        })
    }

    fn read(&self) -> anyhow::Result<TlsAcceptor> {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content(&self.certificate)?).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.with_context(|| {
            format!("{certificate} has no certificate in PEM (-----BEGIN CERTIFICATE-----)")
        })?;
        let private = PrivateKeyDer::from_pem_slice(&content(&self.key)?).map_err(|_| {
            anyhow!("{key} has no private key in PEM (-----BEGIN PRIVATE KEY-----), or one with a passphrase")
        })?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .with_context(|| format!("{certificate} and {key} cannot be used together"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Connections stay: there is nothing to resume.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn content(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let content = std::fs::read(path).map(Zeroizing::new);
    content.with_context(|| format!("{} cannot be read", path.display()))
}
