//! Verification of a peer's certificates.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved,
    SignatureScheme,
};
use smp_crypto::{PublicSignatureKey, Signature};

use crate::identity::{ChainError, check_relay_chain, check_service_chain, public_key, relay_fingerprint};

/// The signature schemes of real clients and relays.
const SCHEMES: [SignatureScheme; 2] = [SignatureScheme::ED448, SignatureScheme::ED25519];

/// Both traits ask for the same: signatures of TLS 1.3, with the key of the certificate.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            SCHEMES.to_vec()
        }
    };
}

/// Accepts the relay with this fingerprint, whatever its host name.
#[derive(Debug)]
pub(super) struct RelayVerifier {
    pub(super) fingerprint: [u8; 32],
}

impl ServerCertVerifier for RelayVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = whole_chain(leaf, others);
        if relay_fingerprint(&chain).map_err(refuse)? != self.fingerprint {
            return Err(refuse(ChainError::Fingerprint));
        }
        check_relay_chain(&chain, now).map_err(refuse)?;
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

/// Asks clients for a certificate: services have one, ordinary clients have none.
#[derive(Debug)]
pub(super) struct ServiceVerifier;

impl ClientCertVerifier for ServiceVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        check_service_chain(&whole_chain(leaf, others), now).map_err(refuse)?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}

fn whole_chain<'a>(
    leaf: &'a CertificateDer<'_>,
    others: &'a [CertificateDer<'_>],
) -> Vec<CertificateDer<'a>> {
    std::iter::once(leaf).chain(others).map(|der| CertificateDer::from(&der[..])).collect()
}

/// Carries the reason through rustls; [`super::TlsError`] takes it out again.
fn refuse(reason: ChainError) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
}

fn verify_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = public_key(certificate).map_err(refuse)?;
    let scheme = match key {
        PublicSignatureKey::Ed25519(_) => SignatureScheme::ED25519,
        PublicSignatureKey::Ed448(_) => SignatureScheme::ED448,
    };
    if signed.scheme != scheme {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    match Signature::from_slice(signed.signature()) {
        Ok(signature) if key.verify(message, &signature) => Ok(HandshakeSignatureValid::assertion()),
        _ => Err(Error::InvalidCertificate(CertificateError::BadSignature)),
    }
}
