//! PEM (RFC 7468) of certificates and private keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use smp_crypto::PrivateSignatureKey;
use zeroize::Zeroizing;

/// DER of a private key, wiped when dropped.
pub(super) type PrivateKeyDer = Zeroizing<PrivatePkcs8KeyDer<'static>>;

/// Characters in one line.
const LINE: usize = 64;

/// Text of one section.
fn section(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut out =
        Zeroizing::new(String::with_capacity(body.len() + body.len() / LINE + 2 * label.len() + 40));
    out.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = body.as_str();
    while !rest.is_empty() {
        // base64 is ASCII, so every position is a character boundary
        let (line, next) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push('\n');
        rest = next;
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

pub(super) fn certificate(certificate: &CertificateDer<'_>) -> Zeroizing<String> {
    section("CERTIFICATE", certificate)
}

pub(super) fn private_key(key: &PrivateSignatureKey) -> Zeroizing<String> {
    section("PRIVATE KEY", &key.to_der())
}

/// All certificates of a file, in order; `None` if there is none or the text is damaged.
pub(super) fn read_certificates(text: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().ok()?;
    (!certificates.is_empty()).then_some(certificates)
}

/// The DER of the first PKCS#8 key of a file.
pub(super) fn read_private_key(text: &[u8]) -> Option<PrivateKeyDer> {
    PrivatePkcs8KeyDer::from_pem_slice(text).ok().map(Zeroizing::new)
}
