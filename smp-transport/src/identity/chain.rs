//! Reading and checking chains of certificates, leaf first.

use std::ops::RangeInclusive;

use rustls_pki_types::{CertificateDer, UnixTime};
use smp_crypto::hash::sha256;
use smp_crypto::{PublicSignatureKey, Signature};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use super::der;
use super::error::ChainError;
use super::key::KeyAlgorithm;

/// The longest chain: leaf, relay, network and operator certificate.
pub const MAX_CHAIN_LENGTH: usize = 4;

/// Position of the certificate that identifies a relay, in chains of every length.
const IDENTITY_POSITION: usize = 1;

/// SHA-256 (32 bytes) of a certificate's DER: how addresses name a relay.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    sha256(certificate)
}

/// The fingerprint that a relay with this chain has: that of the second of 2 to 4 certificates.
///
/// # Errors
/// [`ChainError::Length`] for other lengths.
pub fn relay_fingerprint(chain: &[CertificateDer<'_>]) -> Result<[u8; 32], ChainError> {
    match chain.get(IDENTITY_POSITION) {
        Some(certificate) if chain.len() <= MAX_CHAIN_LENGTH => Ok(fingerprint(certificate)),
        _ => Err(ChainError::Length(chain.len())),
    }
}

/// The public key of a certificate.
///
/// # Errors
/// [`ChainError::Encoding`] or [`ChainError::Algorithm`], with position 0.
pub fn public_key(certificate: &CertificateDer<'_>) -> Result<PublicSignatureKey, ChainError> {
    key_of(&parse(certificate, 0)?, 0)
}

/// From when and until when a certificate is valid, in seconds since 1970.
///
/// # Errors
/// [`ChainError::Encoding`], with position 0.
pub fn validity(certificate: &CertificateDer<'_>) -> Result<RangeInclusive<i64>, ChainError> {
    let certificate = parse(certificate, 0)?;
    let validity = certificate.validity();
    Ok(validity.not_before.timestamp()..=validity.not_after.timestamp())
}

/// From when all certificates of a chain are valid, in seconds since 1970.
///
/// # Errors
/// [`ChainError::Encoding`] for one that cannot be read.
pub(super) fn valid_from(chain: &[CertificateDer<'_>]) -> Result<i64, ChainError> {
    let mut latest = 0;
    for (position, der) in chain.iter().enumerate() {
        latest = latest.max(parse(der, position)?.validity().not_before.timestamp());
    }
    Ok(latest)
}

/// Checks a relay's chain: 2 to 4 certificates, each signed by the next, all valid at `now`.
///
/// Host names are not checked, and the last certificate need not be self-signed: the fingerprint is the identity.
///
/// # Errors
/// [`ChainError`] says which certificate is wrong and how.
pub fn check_relay_chain(chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), ChainError> {
    relay_fingerprint(chain)?;
    check_links(chain, now)
}

/// Checks a service's chain: as a relay's, or one self-signed certificate.
///
/// # Errors
/// [`ChainError`] says which certificate is wrong and how.
pub fn check_service_chain(chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), ChainError> {
    match chain {
        [single] => {
            let certificate = parse(single, 0)?;
            check_time(&certificate, 0, now)?;
            check_signature(&certificate, &certificate, 0)
        }
        _ => check_relay_chain(chain, now),
    }
}

fn check_links(chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), ChainError> {
    let mut below: Option<X509Certificate<'_>> = None;
    for (position, der) in chain.iter().enumerate() {
        let certificate = parse(der, position)?;
        key_of(&certificate, position)?;
        check_time(&certificate, position, now)?;
        if let Some(below) = below {
            if !certificate.is_ca() {
                return Err(ChainError::NotAuthority(position));
            }
            check_signature(&below, &certificate, position - 1)?;
        }
        below = Some(certificate);
    }
    Ok(())
}

fn check_signature(
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
    position: usize,
) -> Result<(), ChainError> {
    let key = key_of(issuer, position)?;
    let named = certificate.issuer().as_raw() == issuer.subject().as_raw();
    // The part that the signature does not cover has one form only. (The parser is less strict.)
    let signature = certificate.signature_value.data.as_ref();
    let content = certificate.tbs_certificate.as_ref();
    let algorithm = KeyAlgorithm::of(&key).identifier();
    let well_formed =
        *certificate.as_raw() == der::sequence(&[content, &algorithm, &der::bit_string(0, signature)]);
    let signed = Signature::from_slice(signature).is_ok_and(|signature| key.verify(content, &signature));
    if named && well_formed && signed { Ok(()) } else { Err(ChainError::NotSigned(position)) }
}

fn check_time(certificate: &X509Certificate<'_>, position: usize, now: UnixTime) -> Result<(), ChainError> {
    let now = i64::try_from(now.as_secs())
        .ok()
        .and_then(|seconds| ASN1Time::from_timestamp(seconds).ok())
        .ok_or(ChainError::Expired(position))?;
    let validity = certificate.validity();
    if now < validity.not_before {
        Err(ChainError::NotYetValid(position))
    } else if now > validity.not_after {
        Err(ChainError::Expired(position))
    } else {
        Ok(())
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>, position: usize) -> Result<X509Certificate<'a>, ChainError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(ChainError::Encoding(position)),
    }
}

fn key_of(certificate: &X509Certificate<'_>, position: usize) -> Result<PublicSignatureKey, ChainError> {
    PublicSignatureKey::from_der(certificate.public_key().raw).map_err(|_| ChainError::Algorithm(position))
}
