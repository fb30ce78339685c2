//! Keys that are given by algorithm: those that may authorize the commands of a queue, and those that sign
//! (spec chapters `1-primitives.md` and `3-transmissions.md`).

use zeroize::Zeroizing;

use crate::{
    Algorithm, Ed448PrivateKey, Ed448PublicKey, Ed25519PrivateKey, Ed25519PublicKey, KeyError, Signature,
    X25519PrivateKey, X25519PublicKey,
};

/// A sum of key types that are told apart by their DER encoding.
macro_rules! keys_by_algorithm {
    ($(#[$doc:meta])* $public:ident, $(#[$private_doc:meta])* $private:ident,
     $($variant:ident($public_key:ident, $private_key:ident)),*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $public {
            $(#[doc = concat!("An ", stringify!($variant), " key.")] $variant($public_key)),*
        }

        impl $public {
            /// Algorithm of the key.
            #[must_use]
            pub const fn algorithm(&self) -> Algorithm {
                match self { $(Self::$variant(_) => Algorithm::$variant),* }
            }

            /// SubjectPublicKeyInfo in DER.
            #[must_use]
            pub fn to_der(&self) -> Vec<u8> {
                match self { $(Self::$variant(key) => key.to_der().to_vec()),* }
            }

            /// Reads SubjectPublicKeyInfo in DER.
            ///
            /// # Errors
            ///
            /// [`KeyError::Algorithm`] for a key of another algorithm, [`KeyError::Encoding`] for anything else.
            pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
                match Algorithm::split_public(der) {
                    $(Some((Algorithm::$variant, raw)) => Ok(Self::$variant(raw.try_into()?)),)*
                    Some((other, _)) => Err(KeyError::Algorithm(other)),
                    None => Err(KeyError::Encoding),
                }
            }

            /// The text form: base64url of the DER, with padding.
            #[must_use]
            pub fn to_text(&self) -> String {
                crate::base64url::encode(&self.to_der())
            }

            /// Reads the text form.
            ///
            /// # Errors
            ///
            /// [`KeyError::Text`] if it is not base64url, otherwise as [`Self::from_der`].
            pub fn from_text(text: &str) -> Result<Self, KeyError> {
                Self::from_der(&crate::base64url::decode(text).map_err(|_| KeyError::Text)?)
            }
        }

        $(impl From<$public_key> for $public {
            fn from(key: $public_key) -> Self {
                Self::$variant(key)
            }
        })*

        $(#[$private_doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $private {
            $(#[doc = concat!("An ", stringify!($variant), " key.")] $variant($private_key)),*
        }

        impl $private {
            /// The public key of this one.
            #[must_use]
            pub fn public_key(&self) -> $public {
                match self { $(Self::$variant(key) => $public::$variant(key.public_key())),* }
            }

            /// PKCS#8 version 1 in DER.
            #[must_use]
            pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
                match self { $(Self::$variant(key) => Zeroizing::new(key.to_der().to_vec())),* }
            }

            /// Reads PKCS#8 version 1 in DER.
            ///
            /// # Errors
            ///
            /// [`KeyError::Algorithm`] for a key of another algorithm, [`KeyError::Encoding`] for anything else.
            pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
                match Algorithm::split_private(der) {
                    $(Some((Algorithm::$variant, raw)) => Ok(Self::$variant(raw.try_into()?)),)*
                    Some((other, _)) => Err(KeyError::Algorithm(other)),
                    None => Err(KeyError::Encoding),
                }
            }
        }

        $(impl From<$private_key> for $private {
            fn from(key: $private_key) -> Self {
                Self::$variant(key)
            }
        })*
    };
}

keys_by_algorithm!(
    /// A public key that authorizes commands: it verifies signatures, or (X25519, from version 7) authenticators.
    ///
    /// Source: section 1.4 (`protocol-spec/1-primitives.md`) and section 3.1 (`protocol-spec/3-transmissions.md`).
    PublicAuthKey,
    /// A private key that authorizes commands.
    ///
    /// Source: section 3.1 (`protocol-spec/3-transmissions.md`).
    PrivateAuthKey,
    X25519(X25519PublicKey, X25519PrivateKey),
    Ed25519(Ed25519PublicKey, Ed25519PrivateKey),
    Ed448(Ed448PublicKey, Ed448PrivateKey)
);

keys_by_algorithm!(
    /// A public key that verifies signatures: of certificates, services, links.
    ///
    /// Source: section 1.4 (`protocol-spec/1-primitives.md`).
    PublicSignatureKey,
    /// A private key that signs.
    ///
    /// Source: section 1.4 (`protocol-spec/1-primitives.md`).
    PrivateSignatureKey,
    Ed25519(Ed25519PublicKey, Ed25519PrivateKey),
    Ed448(Ed448PublicKey, Ed448PrivateKey)
);

impl PublicSignatureKey {
    /// Whether the signature was made for this message with the private key of this one. A signature of the other
    /// algorithm never was.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        match (self, signature) {
            (Self::Ed25519(key), Signature::Ed25519(signature)) => key.verify(message, signature),
            (Self::Ed448(key), Signature::Ed448(signature)) => key.verify(message, signature),
            _ => false,
        }
    }
}

impl PrivateSignatureKey {
    /// Signs a message. The same message always gets the same signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self {
            Self::Ed25519(key) => Signature::Ed25519(key.sign(message)),
            Self::Ed448(key) => Signature::Ed448(Box::new(key.sign(message))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_signature_of_the_other_algorithm_does_not_verify() {
        let ed25519 = PrivateSignatureKey::from(Ed25519PrivateKey::from_bytes([1; 32]));
        let ed448 = PrivateSignatureKey::from(Ed448PrivateKey::from_bytes([1; 57]));
        for (own, other) in [(&ed25519, &ed448), (&ed448, &ed25519)] {
            assert!(own.public_key().verify(b"message", &own.sign(b"message")));
            assert!(!own.public_key().verify(b"message", &other.sign(b"message")));
            assert!(!own.public_key().verify(b"massage", &own.sign(b"message")));
        }
    }

    #[test]
    fn agreement_keys_do_not_sign() {
        let der = X25519PrivateKey::from_bytes([1; 32]);
        let refused = KeyError::Algorithm(Algorithm::X25519);
        assert_eq!(PrivateSignatureKey::from_der(der.to_der().as_ref()), Err(refused));
        assert_eq!(PublicSignatureKey::from_der(&der.public_key().to_der()), Err(refused));
        assert!(PrivateAuthKey::from_der(der.to_der().as_ref()).is_ok());
    }

    #[test]
    fn bytes_that_are_no_point_verify_nothing() {
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert!(!Ed25519PublicKey::from_bytes(no_point).verify(b"", &[0; 64]));
        assert!(!Ed448PublicKey::from_bytes([0xff; 57]).verify(b"", &[0; 114]));
    }

    proptest! {
        #[test]
        fn readers_never_panic(bytes: Vec<u8>, text: String) {
            let _ = (PublicAuthKey::from_der(&bytes), PrivateAuthKey::from_der(&bytes));
            let _ = (PublicSignatureKey::from_der(&bytes), PrivateSignatureKey::from_der(&bytes));
            let _ = (PublicAuthKey::from_text(&text), PublicSignatureKey::from_text(&text));
        }
    }
}
