//! The certificate of the page. It is one that browsers trust, and has nothing to do with the identity of the relay.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use rustls::{ServerConfig, crypto::ring, server::NoServerSessionStorage, version::TLS13};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    config::Page,
    sync::{read, write},
};

/// Why the certificate cannot be used; each says which file.
#[derive(Debug, thiserror::Error)]
pub enum PageTlsError {
    /// The file cannot be read: the relay runs as a user of its own.
    #[error("cannot read {0}: {1}; see page.tls_certificate and page.tls_key")]
    Read(PathBuf, #[source] io::Error),
    /// The file has no certificates.
    #[error("{0} has no certificates in PEM; page.tls_certificate is the file with the whole chain")]
    NoCertificate(PathBuf),
    /// The file has no key.
    #[error("{0} has no private key in PEM; see page.tls_key")]
    NoKey(PathBuf),
    /// They do not fit together, or are of a kind that is not supported.
    #[error("cannot use the certificate in {certificate} with the key in {key}: {reason}")]
    Unusable {
        /// `page.tls_certificate`
        certificate: PathBuf,
        /// `page.tls_key`
        key: PathBuf,
        /// What is wrong with them.
        reason: rustls::Error,
    },
}

/// A certificate in use.
pub(crate) struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    acceptor: TlsAcceptor,
}

/// What the page is served with now: TLS, or nothing for plain HTTP. Can be replaced while the relay runs.
#[derive(Clone)]
pub(crate) struct PageTls(Arc<RwLock<Option<Certificate>>>);

impl PageTls {
    pub(crate) fn new(certificate: Option<Certificate>) -> Self {
        Self(Arc::new(RwLock::new(certificate)))
    }

    pub(super) fn current(&self) -> Option<TlsAcceptor> {
        let current = read(&self.0);
        current.as_ref().map(|certificate| certificate.acceptor.clone())
    }

    /// Connections from now on are made by this one. Returns whether there is another certificate than before.
    pub(crate) fn replace(&self, certificate: Option<Certificate>) -> bool {
        let mut current = write(&self.0);
        let chain = |certificate: &Option<Certificate>| certificate.as_ref().map(|c| c.chain.clone());
        let changed = chain(&current) != chain(&certificate);
        *current = certificate;
        changed
    }
}

/// Reads certificate and key, if there is a page and it has them.
pub(crate) fn load(page: &Page) -> Result<Option<Certificate>, PageTlsError> {
    let (Some(_), Some(certificate), Some(key)) = (page.listen, &page.tls_certificate, &page.tls_key) else {
        return Ok(None);
    };
    let chain = read_chain(certificate)?;
    let settings = server_config(chain.clone(), read_key(key)?).map_err(|reason| PageTlsError::Unusable {
        certificate: certificate.clone(),
        key: key.clone(),
        reason,
    })?;
    Ok(Some(Certificate { chain, acceptor: TlsAcceptor::from(Arc::new(settings)) }))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, PageTlsError> {
    let text = fs::read(path).map_err(|error| PageTlsError::Read(path.to_path_buf(), error))?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(PageTlsError::NoCertificate(path.to_path_buf())),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, PageTlsError> {
    let text = zeroize::Zeroizing::new(
        fs::read(path).map_err(|error| PageTlsError::Read(path.to_path_buf(), error))?,
    );
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| PageTlsError::NoKey(path.to_path_buf()))
}

/// TLS 1.3 and HTTP/1.1. Connections are not resumed: one answer is all that anybody wants.
fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
