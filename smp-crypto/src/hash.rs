//! The hash functions in use (FIPS 180-4, FIPS 202; spec chapter `1-primitives.md`).
//!
//! SHA-512 of whole messages is a large part of what a relay has to do. That of aws-lc takes 84 % of the time of sha2's on
//! processors with AVX2, and about as much as that on those with AVX-512.

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
    let mut hash = digest::Context::new(&digest::SHA512);
    parts.into_iter().for_each(|part| hash.update(part));
    let mut out = [0; 64];
    // They are of the same length.
    out.copy_from_slice(hash.finish().as_ref());
    out
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
