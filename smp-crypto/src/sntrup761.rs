//! Streamlined NTRU Prime 761, the key encapsulation of the post-quantum ratchet.
//!
//! Decapsulation never fails: a ciphertext that was made for another key or damaged gives another,
//! deterministic secret ("implicit rejection"), so that what follows does not decrypt.
//! The arithmetic is the crate `sntrup`, which gives what PQClean and the reference give.
//! Source: `protocol-spec/1-primitives.md`, draft-josefsson-ntruprime-streamlined-00.

use rand::CryptoRng;
use sntrup::sntrup761 as kem;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a public (encapsulation) key.
pub const PUBLIC_KEY_SIZE: usize = kem::PUBLIC_KEY_SIZE;
/// Bytes of a private (decapsulation) key.
pub const PRIVATE_KEY_SIZE: usize = kem::SECRET_KEY_SIZE;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_SIZE: usize = kem::CIPHERTEXT_SIZE;
/// Bytes of a shared secret.
pub const SHARED_SECRET_SIZE: usize = kem::SHARED_SECRET_SIZE;

/// A private key starts with two polynomials of this many bytes, then comes its public key.
const ENCODED_SMALL_SIZE: usize = 191;

/// The bytes have another size than the value they should be: refuse what contained them.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{actual} bytes where sntrup761 needs {expected}")]
pub struct KemSizeError {
    /// The size that the value has.
    pub expected: usize,
    /// The size that was found.
    pub actual: usize,
}

/// A 1,158-byte encapsulation key. Any bytes of that size are accepted.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct KemPublicKey(Box<[u8; PUBLIC_KEY_SIZE]>);

/// A 1,763-byte decapsulation key, which contains its public key. Wiped when dropped.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone)]
pub struct KemPrivateKey(Box<Zeroizing<[u8; PRIVATE_KEY_SIZE]>>);

/// A 1,039-byte encapsulated secret. Any bytes of that size are accepted.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct KemCiphertext(Box<[u8; CIPHERTEXT_SIZE]>);

/// A 32-byte shared secret, wiped when dropped.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct KemSharedSecret([u8; SHARED_SECRET_SIZE]);

/// Copies to the heap what must have `N` bytes.
fn boxed<const N: usize>(bytes: &[u8]) -> Result<Box<[u8; N]>, KemSizeError> {
    let error = KemSizeError { expected: N, actual: bytes.len() };
    if bytes.len() != N {
        return Err(error);
    }
    Box::<[u8]>::from(bytes).try_into().map_err(|_| error)
}

impl KemPublicKey {
    /// Takes the key's 1,158 bytes.
    ///
    /// # Errors
    /// [`KemSizeError`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KemSizeError> {
        boxed(bytes).map(Self)
    }

    /// The key's 1,158 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_SIZE] {
        &self.0
    }

    /// Makes a secret that the owner of this key can get out of the ciphertext.
    #[must_use]
    pub fn encapsulate(&self, rng: &mut (impl CryptoRng + ?Sized)) -> (KemCiphertext, KemSharedSecret) {
        let mut rng = rng;
        let Ok(key) = kem::EncapsulationKey::try_from(&self.0[..]) else {
            unreachable!("the type has the right size");
        };
        let (ciphertext, secret) = key.encapsulate(&mut rng);
        let Ok(ciphertext) = boxed(ciphertext.as_ref()) else {
            unreachable!("the library makes ciphertexts of the right size");
        };
        (KemCiphertext(ciphertext), KemSharedSecret::from_library(&secret))
    }
}

impl KemPrivateKey {
    /// Makes a new key.
    #[must_use]
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut rng = rng;
        let (_, private) = kem::generate_key(&mut rng);
        let Ok(key) = Self::from_slice(private.as_ref()) else {
            unreachable!("the library makes keys of the right size");
        };
        key
    }

    /// Takes the key's 1,763 bytes, as [`as_bytes`](Self::as_bytes) gave them.
    ///
    /// # Errors
    /// [`KemSizeError`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KemSizeError> {
        if bytes.len() != PRIVATE_KEY_SIZE {
            return Err(KemSizeError { expected: PRIVATE_KEY_SIZE, actual: bytes.len() });
        }
        let mut key = Box::new(Zeroizing::new([0; PRIVATE_KEY_SIZE]));
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// The key's 1,763 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PRIVATE_KEY_SIZE] {
        &self.0
    }

    /// The public key, copied out of the private one.
    #[must_use]
    pub fn public_key(&self) -> KemPublicKey {
        let start = 2 * ENCODED_SMALL_SIZE;
        let Ok(bytes) = boxed(&self.0[start..start + PUBLIC_KEY_SIZE]) else {
            unreachable!("the range has the right size");
        };
        KemPublicKey(bytes)
    }

    /// Gets the secret out of a ciphertext; out of a foreign or damaged one, an unrelated secret.
    #[must_use]
    pub fn decapsulate(&self, ciphertext: &KemCiphertext) -> KemSharedSecret {
        let (Ok(key), Ok(ciphertext)) =
            (kem::DecapsulationKey::try_from(&self.0[..]), kem::Ciphertext::try_from(&ciphertext.0[..]))
        else {
            unreachable!("the types have the right sizes");
        };
        KemSharedSecret::from_library(&key.decapsulate(&ciphertext))
    }
}

impl KemCiphertext {
    /// Takes the ciphertext's 1,039 bytes.
    ///
    /// # Errors
    /// [`KemSizeError`].
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KemSizeError> {
        boxed(bytes).map(Self)
    }

    /// The ciphertext's 1,039 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; CIPHERTEXT_SIZE] {
        &self.0
    }
}

impl KemSharedSecret {
    /// Takes the secret's 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SHARED_SECRET_SIZE]) -> Self {
        Self(bytes)
    }

    /// The secret's 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SHARED_SECRET_SIZE] {
        &self.0
    }

    fn from_library(secret: &kem::SharedSecret) -> Self {
        let mut bytes = [0; SHARED_SECRET_SIZE];
        bytes.copy_from_slice(secret.as_ref());
        let secret = Self(bytes);
        bytes.zeroize();
        secret
    }
}

impl ZeroizeOnDrop for KemPrivateKey {}

impl PartialEq for KemPrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for KemPrivateKey {}

impl PartialEq for KemSharedSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for KemSharedSecret {}

/// Public values are long: their first bytes tell them apart.
macro_rules! debug_start {
    ($type:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let [a, b, c, d, ..] = *self.0;
                write!(f, concat!(stringify!($type), "({:02x}{:02x}{:02x}{:02x}..)"), a, b, c, d)
            }
        }
    };
}

debug_start!(KemPublicKey);
debug_start!(KemCiphertext);

impl std::fmt::Debug for KemPrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KemPrivateKey(..)")
    }
}

impl std::fmt::Debug for KemSharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KemSharedSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn rng() -> rand_chacha::ChaCha20Rng {
        rand_chacha::ChaCha20Rng::seed_from_u64(761)
    }

    #[test]
    fn both_sides_get_the_secret() {
        let private = KemPrivateKey::generate(&mut rng());
        let (ciphertext, secret) = private.public_key().encapsulate(&mut rng());
        assert_eq!(private.decapsulate(&ciphertext), secret);
        let copy = KemPrivateKey::from_slice(private.as_bytes()).unwrap();
        assert_eq!(copy, private);
        assert_eq!(copy.decapsulate(&KemCiphertext::from_slice(ciphertext.as_bytes()).unwrap()), secret);
    }

    #[test]
    fn any_bytes_give_some_secret() {
        let private = KemPrivateKey::generate(&mut rng());
        for fill in [0, 1, 0x55, 0xff] {
            let ciphertext = KemCiphertext::from_slice(&[fill; CIPHERTEXT_SIZE]).unwrap();
            assert_eq!(private.decapsulate(&ciphertext), private.decapsulate(&ciphertext));
            let _ = KemPublicKey::from_slice(&[fill; PUBLIC_KEY_SIZE]).unwrap().encapsulate(&mut rng());
            let _ = KemPrivateKey::from_slice(&[fill; PRIVATE_KEY_SIZE]).unwrap().decapsulate(&ciphertext);
        }
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(KemPublicKey::from_slice(&[0; 1157]), Err(KemSizeError { expected: 1158, actual: 1157 }));
        assert!(KemPrivateKey::from_slice(&[0; 1764]).is_err());
        assert!(KemCiphertext::from_slice(&[]).is_err());
    }

    #[test]
    fn debug_hides_secrets() {
        let private = KemPrivateKey::generate(&mut rng());
        assert_eq!(format!("{private:?}"), "KemPrivateKey(..)");
        let (ciphertext, secret) = private.public_key().encapsulate(&mut rng());
        assert_eq!(format!("{secret:?}"), "KemSharedSecret(..)");
        assert!(format!("{ciphertext:?}").len() < 40);
    }
}
