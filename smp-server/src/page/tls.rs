//! The certificate of the page. It is one that browsers trust, and has nothing to do with the identity of the relay.
//!
//! A relay whose page has an expired certificate serves messages as before, and says so: in the log at the start, at a reload and
//! once a day, and in `smp-server status`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::Duration,
};

use rustls::{ServerConfig, crypto::aws_lc_rs, server::NoServerSessionStorage, version::TLS13};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject as _},
};
use tokio_rustls::TlsAcceptor;

use super::validity::{CertificateState, PageCertificate, Validity};
use crate::{
    config::{InForce, Page},
    sync::{read, write},
};

/// How often it is looked whether the certificate is about to expire.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(3_600);
/// Looks between two warnings of the same.
const LOOKS_UNTIL_REPEATED: u32 = 24;

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
        /// Their fault.
        reason: rustls::Error,
    },
}

/// A certificate in use.
pub(crate) struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    acceptor: TlsAcceptor,
    /// `None` if it does not say.
    validity: Option<Validity>,
}

/// The page's TLS, or none for plain HTTP. Can be replaced while the relay runs.
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

    /// The certificate at a time in seconds since 1970; `None` if there is none.
    pub(crate) fn certificate(&self, now: i64) -> Option<PageCertificate> {
        let current = read(&self.0);
        Some(current.as_ref()?.validity.as_ref()?.at(now))
    }

    /// Warns of a certificate that browsers refuse, or soon will. Returns how it is.
    pub(crate) fn warn(&self, now: i64) -> Option<CertificateState> {
        let PageCertificate { file, state, says, .. } = self.certificate(now)?;
        if state != CertificateState::Valid {
            tracing::warn!("the certificate of the page, {}: {says}", file.display());
        }
        Some(state)
    }

    /// Takes the files up again if they have a certificate that is valid longer: it was renewed, and nobody said so.
    fn take_renewed(&self, page: &Page) -> bool {
        let Ok(Some(renewed)) = load(page) else { return false };
        let outlasts = match (&renewed.validity, read(&self.0).as_ref().and_then(|now| now.validity.as_ref()))
        {
            (Some(renewed), Some(current)) => renewed.outlasts(current),
            _ => false,
        };
        outlasts && self.replace(Some(renewed))
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
    let validity = Validity::of(certificate.clone(), &chain);
    let settings = server_config(chain.clone(), read_key(key)?).map_err(|reason| PageTlsError::Unusable {
        certificate: certificate.clone(),
        key: key.clone(),
        reason,
    })?;
    Ok(Some(Certificate { chain, acceptor: TlsAcceptor::from(Arc::new(settings)), validity }))
}

/// Looks after the certificate while the page is served: takes up a renewed one, warns of one that was not renewed.
pub(crate) async fn watch(tls: PageTls, settings: Arc<InForce>, now: impl Fn() -> i64) {
    let mut warned = tls.certificate(now()).map(|certificate| certificate.state);
    let mut looks = 0;
    loop {
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        looks += 1;
        let Some(PageCertificate { state, .. }) = tls.certificate(now()) else { continue };
        if state != CertificateState::Valid && tls.take_renewed(&settings.get().page) {
            tracing::info!("the certificate of the page was renewed");
        } else if warned != Some(state) || looks >= LOOKS_UNTIL_REPEATED {
            (warned, looks) = (tls.warn(now()), 0);
        }
    }
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
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
