//! Writing certificates (RFC 5280) as the reference's configuration makes them.

use rand::CryptoRng;
use rustls_pki_types::CertificateDer;
use smp_crypto::hash::sha256;
use smp_crypto::{PrivateSignatureKey, PublicSignatureKey};
use time::{Duration, OffsetDateTime};

use super::der;
use super::key::KeyAlgorithm;

/// How long certificates are valid: identities do not expire in practice, addresses contain them.
const VALIDITY: Duration = Duration::days(999_999);

/// Certificates are valid from a day before they were made, for peers whose clocks are late.
const BACKDATED: Duration = Duration::days(1);

/// Bytes of a serial number (RFC 5280 allows 20).
const SERIAL_LENGTH: usize = 20;

/// Bytes of a key identifier.
const KEY_IDENTIFIER_LENGTH: usize = 20;

/// Bytes of the SubjectPublicKeyInfo before the key itself, in both algorithms.
const PUBLIC_KEY_HEADER: usize = 12;

/// Name of the CA, as in the reference's certificates.
const AUTHORITY_NAME: &str = "SMP server CA";
const AUTHORITY_ORGANIZATION: &str = "SimpleX";

/// Object identifiers 2.5.4.x of name attributes.
const ATTRIBUTE_COMMON_NAME: [u8; 3] = [0x55, 4, 3];
const ATTRIBUTE_ORGANIZATION: [u8; 3] = [0x55, 4, 10];

/// Object identifiers 2.5.29.x of extensions.
const EXTENSION_SUBJECT_KEY: [u8; 3] = [0x55, 0x1d, 14];
const EXTENSION_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 15];
const EXTENSION_BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];
const EXTENSION_AUTHORITY_KEY: [u8; 3] = [0x55, 0x1d, 35];
const EXTENSION_EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 37];

/// 1.3.6.1.5.5.7.3.1, TLS server authentication.
const PURPOSE_SERVER: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];

/// digitalSignature, nonRepudiation, keyAgreement: bits 0, 1 and 4, the last 3 of the byte unused.
const LEAF_KEY_USAGE: (u8, [u8; 1]) = (3, [0b1100_1000]);

/// Makes the self-signed offline certificate.
pub(super) fn authority(
    key: &PrivateSignatureKey,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + ?Sized),
) -> CertificateDer<'static> {
    let public = key.public_key();
    let name = authority_name();
    let extensions = [
        subject_key_extension(&public),
        authority_key_extension(&public),
        extension(EXTENSION_BASIC_CONSTRAINTS, true, &der::sequence(&[&der::boolean_true()])),
    ];
    certificate(
        &Content { subject: &name, issuer: &name, key: &public, extensions: &extensions, now },
        key,
        rng,
    )
}

/// Makes an online certificate for `host`, signed by the CA.
pub(super) fn leaf(
    host: &str,
    key: &PublicSignatureKey,
    authority: &PrivateSignatureKey,
    now: OffsetDateTime,
    rng: &mut (impl CryptoRng + ?Sized),
) -> CertificateDer<'static> {
    let subject = der::sequence(&[&attribute(ATTRIBUTE_COMMON_NAME, host)]);
    let (unused, usage) = LEAF_KEY_USAGE;
    let purposes = der::sequence(&[&der::object_identifier(&PURPOSE_SERVER)]);
    let extensions = [
        extension(EXTENSION_BASIC_CONSTRAINTS, false, &der::sequence(&[])),
        extension(EXTENSION_KEY_USAGE, false, &der::bit_string(unused, &usage)),
        extension(EXTENSION_EXTENDED_KEY_USAGE, false, &purposes),
        subject_key_extension(key),
        authority_key_extension(&authority.public_key()),
    ];
    let content = Content { subject: &subject, issuer: &authority_name(), key, extensions: &extensions, now };
    certificate(&content, authority, rng)
}

struct Content<'a> {
    subject: &'a [u8],
    issuer: &'a [u8],
    key: &'a PublicSignatureKey,
    extensions: &'a [Vec<u8>],
    now: OffsetDateTime,
}

fn certificate(
    content: &Content<'_>,
    signer: &PrivateSignatureKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> CertificateDer<'static> {
    let from = content.now.saturating_sub(BACKDATED);
    let validity =
        der::sequence(&[&der::certificate_time(from), &der::certificate_time(from.saturating_add(VALIDITY))]);
    let extensions: Vec<&[u8]> = content.extensions.iter().map(Vec::as_slice).collect();
    let algorithm = KeyAlgorithm::of(&signer.public_key()).identifier();
    let to_be_signed = der::sequence(&[
        &der::explicit(0, &der::unsigned(&[2])), // X.509 version 3
        &der::unsigned(&serial(rng)),
        &algorithm,
        content.issuer,
        &validity,
        content.subject,
        &content.key.to_der(),
        &der::explicit(3, &der::sequence(&extensions)),
    ]);
    let signature = signer.sign(&to_be_signed);
    CertificateDer::from(der::sequence(&[
        &to_be_signed,
        &algorithm,
        &der::bit_string(0, signature.as_bytes()),
    ]))
}

/// A random serial number: positive, and of the full length.
fn serial(rng: &mut (impl CryptoRng + ?Sized)) -> [u8; SERIAL_LENGTH] {
    let mut bytes = [0; SERIAL_LENGTH];
    rng.fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    bytes
}

fn authority_name() -> Vec<u8> {
    der::sequence(&[
        &attribute(ATTRIBUTE_COMMON_NAME, AUTHORITY_NAME),
        &attribute(ATTRIBUTE_ORGANIZATION, AUTHORITY_ORGANIZATION),
    ])
}

fn attribute(kind: [u8; 3], text: &str) -> Vec<u8> {
    der::set(&[&der::sequence(&[&der::object_identifier(&kind), &der::utf8_string(text)])])
}

fn extension(kind: [u8; 3], critical: bool, contents: &[u8]) -> Vec<u8> {
    let critical = if critical { der::boolean_true() } else { Vec::new() };
    der::sequence(&[&der::object_identifier(&kind), &critical, &der::octet_string(contents)])
}

fn subject_key_extension(key: &PublicSignatureKey) -> Vec<u8> {
    extension(EXTENSION_SUBJECT_KEY, false, &der::octet_string(&key_identifier(key)))
}

fn authority_key_extension(key: &PublicSignatureKey) -> Vec<u8> {
    extension(EXTENSION_AUTHORITY_KEY, false, &der::sequence(&[&der::implicit(0, &key_identifier(key))]))
}

/// The first 20 bytes of the SHA-256 of the key's bits (RFC 7093, method 1).
fn key_identifier(key: &PublicSignatureKey) -> [u8; KEY_IDENTIFIER_LENGTH] {
    let der = key.to_der();
    let hash = sha256(der.get(PUBLIC_KEY_HEADER..).unwrap_or_default());
    let mut identifier = [0; KEY_IDENTIFIER_LENGTH];
    identifier.copy_from_slice(&hash[..KEY_IDENTIFIER_LENGTH]);
    identifier
}
