//! X448 key agreement keys (RFC 7748; spec chapter `1-primitives.md`): the keys of the double ratchet.
//!
//! `crrl` does the arithmetic in constant time, nearly twice as fast as OpenSSL; it does not wipe its own stack.
//! The types here wipe what they hold.

use crate::Algorithm;
use crate::key_types::{private_key_encodings, public_key_encodings};
use crate::secret_bytes;

/// A public X448 key: 56 bytes, 68 in DER.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct X448PublicKey([u8; 56]);

public_key_encodings!(X448PublicKey, Algorithm::X448, 56, 68);

/// A private X448 key: 56 bytes, 72 in DER.
///
/// The bytes are kept and encoded as they are; they are clamped only where they are used.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct X448PrivateKey([u8; 56]);

private_key_encodings!(X448PrivateKey, Algorithm::X448, 56, 72);

secret_bytes! {
    /// The agreement of two X448 keys, 56 bytes. It is not uniform: derive keys from it.
    ///
    /// Source: section 7.1 (`protocol-spec/7-ratchet.md`).
    X448Secret, 56
}

impl X448PrivateKey {
    /// The key with these raw bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 56]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 56] {
        &self.0
    }

    /// Computes the public key: about a third of the work of an agreement, so keep the result.
    #[must_use]
    pub fn public_key(&self) -> X448PublicKey {
        X448PublicKey(crrl::x448::x448_base(&self.0))
    }

    /// The secret shared with the owner of a public key.
    ///
    /// The protocol does not refuse any public key: one of low order, such as all zeros, gives the all zero secret.
    #[must_use]
    pub fn agree(&self, public: &X448PublicKey) -> X448Secret {
        X448Secret(crrl::x448::x448(&public.0, &self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyError;
    use proptest::prelude::*;

    fn key(text: &str) -> [u8; 56] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    /// RFC 7748, section 6.2.
    #[test]
    fn rfc_7748_agreement() {
        let alice =
            X448PrivateKey::from_bytes(key("9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28d\
             d9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b"));
        let bob = X448PrivateKey::from_bytes(key("1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d\
             6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d"));
        let alice_public = key("9b08f7cc31b7e3e67d22d5aea121074a273bd2b83de09c63faa73d2c\
             22c5d9bbc836647241d953d40c5b12da88120d53177f80e532c41fa0");
        let bob_public = key("3eb7a829b0cd20f5bcfc0b599b6feccf6da4627107bdb0d4f345b430\
             27d8b972fc3e34fb4232a13ca706dcb57aec3dae07bdc1c67bf33609");
        let secret = key("07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282b\
             b60c0b56fd2464c335543936521c24403085d59a449a5037514a879d");
        assert_eq!(alice.public_key().as_bytes(), &alice_public);
        assert_eq!(bob.public_key().as_bytes(), &bob_public);
        assert_eq!(alice.agree(&bob.public_key()).as_bytes(), &secret);
        assert_eq!(bob.agree(&alice.public_key()).as_bytes(), &secret);
    }

    /// RFC 7748, section 5.2: what comes out goes in again, 1 and 1,000 times.
    #[test]
    fn rfc_7748_iterated() {
        let mut scalar = [0; 56];
        scalar[0] = 5;
        let mut point = scalar;
        for round in 1..=1000 {
            let secret = X448PrivateKey::from_bytes(scalar).agree(&X448PublicKey::from_bytes(point));
            point = std::mem::replace(&mut scalar, *secret.as_bytes());
            if round == 1 {
                let first = key("3f482c8a9f19b01e6c46ee9711d9dc14fd4bf67af30765c2ae2b846a\
                     4d23a8cd0db897086239492caf350b51f833868b9bc2b3bca9cf4113");
                assert_eq!(scalar, first);
            }
        }
        let last = key("aa3b4749d55b9daf1e5b00288826c467274ce3ebbdd5c17b975e09d4\
             af6c67cf10d087202db88286e2b79fceea3ec353ef54faa26e219f38");
        assert_eq!(scalar, last);
    }

    proptest! {
        #[test]
        fn both_sides_agree(a in prop::array::uniform32(any::<u8>()), b: u64) {
            let mut first = [0; 56];
            first[..32].copy_from_slice(&a);
            let first = X448PrivateKey::from_bytes(first);
            let mut second = [1; 56];
            second[..8].copy_from_slice(&b.to_le_bytes());
            let second = X448PrivateKey::from_bytes(second);
            prop_assert_eq!(first.agree(&second.public_key()), second.agree(&first.public_key()));
        }

        #[test]
        fn der_is_total(bytes: Vec<u8>) {
            let _ = X448PublicKey::from_der(&bytes);
            let _ = X448PrivateKey::from_der(&bytes);
        }
    }

    #[test]
    fn der_round_trip() {
        let mut rng = <rand_chacha::ChaCha20Rng as rand::SeedableRng>::seed_from_u64(1);
        let private = X448PrivateKey::generate(&mut rng);
        let public = private.public_key();
        assert_eq!(X448PrivateKey::from_der(private.to_der().as_slice()), Ok(private.clone()));
        assert_eq!(X448PublicKey::from_der(&public.to_der()), Ok(public));
        let der = public.to_der();
        assert_eq!(X448PublicKey::from_der(&der[..der.len() - 1]), Err(KeyError::Encoding));
        assert_eq!(X448PublicKey::from_der(&[&der[..], &[0]].concat()), Err(KeyError::Encoding));
        assert_eq!(X448PublicKey::from_der(private.to_der().as_slice()), Err(KeyError::Encoding));
    }

    #[test]
    fn debug_hides_secrets() {
        let private = X448PrivateKey::from_bytes([7; 56]);
        assert_eq!(format!("{private:?}"), "X448PrivateKey(..)");
        assert_eq!(format!("{:?}", private.agree(&private.public_key())), "X448Secret(..)");
    }
}
