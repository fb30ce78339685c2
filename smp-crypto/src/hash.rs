//! The hash functions in use (FIPS 180-4, FIPS 202; spec chapter `1-primitives.md`).
//!
//! SHA-512 of whole messages is a large part of what a relay has to do. That of aws-lc takes 84 % of the time of sha2's on
//! processors with AVX2, and about as much as that on those with AVX-512.

use std::fmt;

use aws_lc_rs::digest;
use sha2::{Digest as _, Sha256};
use sha3::{Sha3_256, Sha3_384};

/// SHA-256: certificate fingerprints, key hashes, the chain of agent messages.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-512: what an [authenticator](crate::authenticator) covers.
#[must_use]
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    sha512_of_parts([bytes])
}

/// SHA-512 of parts as if they were one byte string.
#[must_use]
pub fn sha512_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 64] {
    let mut hash = Sha512Stream::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// SHA-256 of bytes that come one after the other: the digest of a chunk of a file.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// The hash of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes, 32 bytes.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl fmt::Debug for Sha256Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256Stream(..)")
    }
}

/// SHA-512 of bytes that come one after the other: the digest of an encrypted file.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
#[derive(Clone)]
pub struct Sha512Stream(digest::Context);

impl Sha512Stream {
    /// The hash of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA512))
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all bytes, 64 bytes.
    #[must_use]
    pub fn finish(self) -> [u8; 64] {
        let mut out = [0; 64];
        // They are of the same length.
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Sha512Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha512Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha512Stream(..)")
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sha512_is_that_of_sha2_however_it_is_cut(bytes: Vec<u8>, cut: prop::sample::Index) {
            let expected: [u8; 64] = sha2::Sha512::digest(&bytes).into();
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(sha512(&bytes), expected);
            prop_assert_eq!(sha512_of_parts([first, second]), expected);
            let mut stream = Sha256Stream::new();
            stream.update(first);
            stream.update(second);
            prop_assert_eq!(stream.finish(), sha256(&bytes));
        }
    }

    #[test]
    fn sha512_is_that_of_sha2_for_every_length() {
        let bytes: Vec<u8> = (0..1_100_u32).map(|n| (n * 7) as u8).collect();
        for length in 0..=bytes.len() {
            let expected: [u8; 64] = sha2::Sha512::digest(&bytes[..length]).into();
            assert_eq!(sha512(&bytes[..length]), expected, "of {length} bytes");
        }
    }
}
