//! Key derivation: HKDF with SHA-512 (RFC 5869).
//!
//! Every derivation of the protocol uses this one function; they differ in salt and info, which are named
//! where they are used. Source: `protocol-spec/1-primitives.md`.

use std::sync::LazyLock;

use hkdf::HkdfExtract;
use sha2::Sha512;
use zeroize::Zeroizing;

/// The most that one call can give: 255 blocks of 64 bytes (RFC 5869, section 2.3).
pub const MAX_OUTPUT_SIZE: usize = 255 * 64;

/// Two of the ten compressions that each block of a connection costs are those of the empty salt.
static EMPTY_SALT: LazyLock<HkdfExtract<Sha512>> = LazyLock::new(|| HkdfExtract::new(None));

/// Derives `N` bytes from `ikm` (input key material).
///
/// `salt` may be empty. `N` over [`MAX_OUTPUT_SIZE`] does not compile. Cut the output into keys with
/// `first_chunk`, `split_at` and the like; it is wiped when it is dropped.
///
/// ```
/// let output = smp_crypto::hkdf::hkdf_sha512::<96>(&[], b"chain key", b"SimpleXChainRatchet");
/// let (next_chain_key, rest) = output.split_at(32);
/// assert_eq!((next_chain_key.len(), rest.len()), (32, 64));
/// ```
#[must_use]
pub fn hkdf_sha512<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= MAX_OUTPUT_SIZE, "HKDF-SHA512 gives at most 16320 bytes") };
    let mut output = Zeroizing::new([0; N]);
    let mut extract = if salt.is_empty() { EMPTY_SALT.clone() } else { HkdfExtract::new(Some(salt)) };
    extract.input_ikm(ikm);
    let (_, expand) = extract.finalize();
    if expand.expand(info, output.as_mut_slice()).is_err() {
        unreachable!("the length is checked when this is compiled");
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inputs of RFC 5869, appendix A.1, with SHA-512; the output is from Python's `hmac`.
    #[test]
    fn known_output() {
        let salt: Vec<u8> = (0..13).collect();
        let info: Vec<u8> = (0xf0..0xfa).collect();
        let output = hkdf_sha512::<42>(&salt, &[0x0b; 22], &info);
        assert_eq!(
            hex::encode(*output),
            "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb"
        );
    }

    #[test]
    fn empty_salt_is_a_salt_of_zeros() {
        assert_eq!(hkdf_sha512::<96>(&[], b"ikm", b"info"), hkdf_sha512::<96>(&[0; 64], b"ikm", b"info"));
    }

    #[test]
    fn shorter_output_is_a_prefix() {
        let long = hkdf_sha512::<200>(b"salt", b"ikm", b"info");
        assert_eq!(long[..33], hkdf_sha512::<33>(b"salt", b"ikm", b"info")[..]);
    }
}
