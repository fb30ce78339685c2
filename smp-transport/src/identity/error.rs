//! `IdentityError` and `ChainError`: faults of an identity.

use std::io;
use std::path::PathBuf;

/// Why an identity cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file cannot be read or written: check that it exists and who may access it.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The words of the operating system.
        source: io::Error,
    },
    /// A file is there already and would be lost: choose another directory, or move it away.
    #[error("{} exists already; it was not changed", .0.display())]
    Exists(PathBuf),
    /// A file does not hold what its name promises: restore it from the backup.
    #[error("{} does not contain {expected} in PEM form", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// The expected content.
        expected: &'static str,
    },
    /// The key is none of those that relays use (Ed25519 or Ed448, PKCS#8): restore it from the backup.
    #[error("the private key is neither Ed25519 nor Ed448 in PKCS#8 form")]
    UnsupportedKey,
    /// The key belongs to another certificate: restore the pair from the same backup.
    #[error("the private key does not belong to the {0} certificate")]
    KeyMismatch(CertificateRole),
    /// The certificates are no chain that may identify a relay or service.
    #[error("certificate chain: {0}")]
    Chain(#[from] ChainError),
    /// The file `fingerprint` names another identity than the certificates have: clients who know the
    /// address would refuse this relay. Restore certificates and fingerprint from the same backup.
    #[error("the fingerprint file says {recorded}, but the certificates make {actual}")]
    FingerprintMismatch {
        /// Text of the file.
        recorded: String,
        /// Fingerprint of the identity certificate, base64url.
        actual: String,
    },
    /// A host name of 1 to 64 bytes is needed in the certificate.
    #[error("the host name for the certificate must have 1 to 64 bytes")]
    HostName,
}

/// Which certificate of a relay is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateRole {
    /// The offline certificate (`ca.crt`), whose fingerprint is in the relay's address.
    Authority,
    /// The online certificate (`server.crt`) that is used in TLS.
    Leaf,
}

impl std::fmt::Display for CertificateRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Authority => "offline (CA)",
            Self::Leaf => "online (server)",
        })
    }
}

/// Why a chain of certificates is refused (`protocol-spec/2-transport.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A relay's chain has 2 to 4 certificates, a service's 1 to 4.
    #[error("it has {0} certificates, which is not allowed here")]
    Length(usize),
    /// Certificate `0` (counted from the leaf) is not X.509 in DER.
    #[error("certificate {0} cannot be read")]
    Encoding(usize),
    /// The key or signature of certificate `0` is neither Ed25519 nor Ed448.
    #[error("certificate {0} uses another algorithm than Ed25519 and Ed448")]
    Algorithm(usize),
    /// The next certificate of the chain did not sign certificate `0`.
    #[error("certificate {0} is not signed by the next one")]
    NotSigned(usize),
    /// Certificate `0` signs another one, which its basic constraints forbid.
    #[error("certificate {0} is not a certificate authority")]
    NotAuthority(usize),
    /// The validity of certificate `0` has ended: issue a new one from the CA.
    #[error("certificate {0} has expired")]
    Expired(usize),
    /// The validity of certificate `0` has not begun: check the clock.
    #[error("certificate {0} is not valid yet")]
    NotYetValid(usize),
    /// The chain identifies another relay than the address names.
    #[error("it belongs to another relay than the address names")]
    Fingerprint,
}
