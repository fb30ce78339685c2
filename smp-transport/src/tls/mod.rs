//! TLS as relays and their clients use it (`protocol-spec/2-transport.md`).
//!
//! TLS 1.3 only, with TLS_CHACHA20_POLY1305_SHA256, the groups X448 and X25519 and certificates signed by Ed448 or
//! Ed25519; ALPN `smp/1`; no resumption, no tickets, no server name. A relay is identified by the fingerprint of the
//! second certificate of its chain, and not by its host name. The session ID of SMP is the channel binding
//! `tls-unique`.

mod ahead;
mod binding;
mod error;
mod session;
mod signing;
mod verify;
mod x448;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::ServerName;
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::identity::RelayIdentity;

pub use crate::stream::ByteStream;
use crate::surroundings::Time;
pub use error::TlsError;
pub(crate) use session::Metered;
pub use session::TlsSession;

/// The ALPN name of the SMP handshake.
pub const ALPN: &[u8] = b"smp/1";

/// Offered instead of [`ALPN`] by clients that hide among web traffic on port 443.
pub const ALPN_WEB: &[u8] = b"http/1.1";

static GROUPS: [&dyn SupportedKxGroup; 2] = [&x448::X448Group, aws_lc_rs::kx_group::X25519];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![binding::cipher_suite()],
        kx_groups: GROUPS.to_vec(),
        ..aws_lc_rs::default_provider()
    })
}

/// The TLS side of a relay. Cheap to clone.
#[derive(Clone)]
pub struct TlsServer {
    acceptor: TlsAcceptor,
}

impl TlsServer {
    /// Prepares to accept sessions with this identity. Certificates of services are checked by this clock.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] if rustls refuses the configuration.
    pub fn new(identity: &RelayIdentity, time: Time) -> Result<Self, TlsError> {
        Self::speaking(&[ALPN, ALPN_WEB], identity, time)
    }

    /// The same for other protocols: a client agrees on one of these by ALPN, or on none.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] if rustls refuses the configuration.
    pub fn speaking(protocols: &[&[u8]], identity: &RelayIdentity, time: Time) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(time))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(verify::ServiceVerifier))
            .with_cert_resolver(signing::certified_key(identity));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Does the handshake with a client. There is no time limit here: see [`crate::connection::RelayAcceptor`].
    ///
    /// # Errors
    /// [`TlsError`] says whether it was the client's fault.
    pub async fn accept(&self, stream: impl ByteStream) -> Result<TlsSession, TlsError> {
        let (accepted, binding) = binding::observe(|| self.acceptor.accept(Metered::new(stream))).await;
        let stream = accepted?;
        let session_id = binding.ok_or(TlsError::NoChannelBinding)?;
        Ok(TlsSession::new(stream.into(), session_id, true))
    }
}

impl std::fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsServer").finish_non_exhaustive()
    }
}

/// The TLS side of a client of one relay. Cheap to clone.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    certificate: Option<Arc<SingleCertAndKey>>,
}

impl TlsClient {
    /// Prepares sessions with the relay that has this fingerprint. `certificate` is for services only. The
    /// relay's certificates are checked by this clock.
    ///
    /// # Errors
    /// [`TlsError::Protocol`] if rustls refuses the configuration.
    pub fn new(
        fingerprint: [u8; 32],
        certificate: Option<&RelayIdentity>,
        time: Time,
    ) -> Result<Self, TlsError> {
        let mut config = ClientConfig::builder_with_details(provider(), Arc::new(time))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verify::RelayVerifier { fingerprint }))
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Self { config: Arc::new(config), certificate: certificate.map(signing::certified_key) })
    }

    /// The same for other protocols, one of which the relay chooses by ALPN; with none it is not asked.
    #[must_use]
    pub fn speaking(mut self, protocols: &[&[u8]]) -> Self {
        let config = Arc::make_mut(&mut self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self
    }

    /// Does the handshake with the relay. There is no time limit here: see [`crate::connection::RelayConnector`].
    ///
    /// # Errors
    /// [`TlsError::Certificate`] if it is another relay than the fingerprint names, otherwise what went wrong.
    pub async fn connect(&self, stream: impl ByteStream) -> Result<TlsSession, TlsError> {
        let (config, sent) = self.for_one_session();
        // never sent and never compared
        let name = ServerName::from(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let connector = TlsConnector::from(config);
        let (connected, binding) = binding::observe(|| connector.connect(name, Metered::new(stream))).await;
        let stream = connected?;
        let session_id = binding.ok_or(TlsError::NoChannelBinding)?;
        Ok(TlsSession::new(stream.into(), session_id, sent.load(Ordering::Relaxed)))
    }

    /// The configuration for one session, and whether our certificate was sent in it.
    fn for_one_session(&self) -> (Arc<ClientConfig>, Arc<AtomicBool>) {
        let sent = Arc::new(AtomicBool::new(false));
        let Some(certificate) = &self.certificate else { return (self.config.clone(), sent) };
        let mut config = ClientConfig::clone(&self.config);
        config.client_auth_cert_resolver =
            Arc::new(NotedResolver { certificate: certificate.clone(), sent: sent.clone() });
        (Arc::new(config), sent)
    }
}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsClient").finish_non_exhaustive()
    }
}

/// Gives our certificate and notes that it was asked for: only then may the SMP handshake mention it.
#[derive(Debug)]
struct NotedResolver {
    certificate: Arc<SingleCertAndKey>,
    sent: Arc<AtomicBool>,
}

impl ResolvesClientCert for NotedResolver {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let key = ResolvesClientCert::resolve(self.certificate.as_ref(), hints, schemes)?;
        self.sent.store(true, Ordering::Relaxed);
        Some(key)
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::identity::{CertificateAuthority, KeyAlgorithm};

    #[tokio::test]
    async fn a_handshake_outside_of_its_scope_has_no_session_id() {
        let now = OffsetDateTime::now_utc();
        let authority = CertificateAuthority::generate(KeyAlgorithm::Ed25519, now, &mut rand::rng());
        let identity = authority.issue("localhost", KeyAlgorithm::Ed25519, now, &mut rand::rng()).unwrap();
        let server = TlsServer::new(&identity, Time::machine()).unwrap();
        let client = TlsClient::new(identity.fingerprint(), None, Time::machine()).unwrap();
        let (ours, theirs) = tokio::io::duplex(10_000);
        let accepting = tokio::spawn(async move { server.accept(theirs).await });
        let name = ServerName::from(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let (connected, id) = binding::observe(|| {
            let connector = TlsConnector::from(client.config.clone());
            tokio::spawn(async move { connector.connect(name, Metered::new(ours)).await.is_ok() })
        })
        .await;
        assert!(connected.unwrap());
        assert_eq!(id, None);
        // the other side was observed as it should be
        assert!(accepting.await.unwrap().is_ok());
    }
}
