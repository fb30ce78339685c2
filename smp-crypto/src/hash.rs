//! The hash functions in use (FIPS 180-4, FIPS 202; spec chapter `1-primitives.md`).

use sha2::{Digest as _, Sha256, Sha512};
use sha3::{Sha3_256, Sha3_384};

/// SHA-256: certificate fingerprints, key hashes, the chain of agent messages.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-512: what an [authenticator](crate::authenticator) covers.
#[must_use]
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    Sha512::digest(bytes).into()
}

/// SHA-512 of parts as if they were one byte string.
#[must_use]
pub fn sha512_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 64] {
    let mut hash = Sha512::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// SHA3-256: the link key, hybrid secrets.
#[must_use]
pub fn sha3_256(bytes: &[u8]) -> [u8; 32] {
    Sha3_256::digest(bytes).into()
}

/// SHA3-256 of parts as if they were one byte string.
#[must_use]
pub fn sha3_256_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha3_256::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// SHA3-384: sender ids of queues that are created with link data.
#[must_use]
pub fn sha3_384(bytes: &[u8]) -> [u8; 48] {
    Sha3_384::digest(bytes).into()
}
