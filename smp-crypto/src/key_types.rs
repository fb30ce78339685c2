//! The common part of all types of keys: raw bytes, DER and text.

/// Encodings of a public key type: a tuple struct around its raw bytes.
macro_rules! public_key_encodings {
    ($type:ident, $algorithm:path, $size:literal, $der_size:literal) => {
        impl $type {
            /// Size of the raw key in bytes.
            pub const SIZE: usize = $size;
            /// Size of the DER encoding in bytes.
            pub const DER_SIZE: usize = $der_size;

            /// The key with these raw bytes. Any bytes are accepted, as in the protocol; unsuitable ones show in use.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $size]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $size] {
                &self.0
            }

            /// A copy of the raw bytes.
            #[must_use]
            pub const fn to_bytes(&self) -> [u8; $size] {
                self.0
            }

            /// SubjectPublicKeyInfo in DER: the form of public keys in the protocol.
            #[must_use]
            pub fn to_der(&self) -> [u8; $der_size] {
                const PREFIX: [u8; crate::der::PUBLIC_PREFIX] = crate::Algorithm::public_prefix($algorithm);
                let mut der = [0; $der_size];
                der[..PREFIX.len()].copy_from_slice(&PREFIX);
                der[PREFIX.len()..].copy_from_slice(&self.0);
                der
            }

            /// Reads SubjectPublicKeyInfo in DER.
            ///
            /// # Errors
            ///
            /// [`KeyError::Algorithm`](crate::KeyError::Algorithm) if it is a key of another algorithm,
            /// [`KeyError::Encoding`](crate::KeyError::Encoding) if it is anything else; trailing bytes are refused.
            pub fn from_der(der: &[u8]) -> Result<Self, crate::KeyError> {
                match crate::Algorithm::split_public(der) {
                    Some(($algorithm, raw)) => Self::try_from(raw),
                    Some((other, _)) => Err(crate::KeyError::Algorithm(other)),
                    None => Err(crate::KeyError::Encoding),
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
            /// [`KeyError::Text`](crate::KeyError::Text) if it is not base64url, otherwise as [`Self::from_der`].
            pub fn from_text(text: &str) -> Result<Self, crate::KeyError> {
                let der = crate::base64url::decode(text).map_err(|_| crate::KeyError::Text)?;
                Self::from_der(&der)
            }
        }

        impl TryFrom<&[u8]> for $type {
            type Error = crate::KeyError;

            fn try_from(raw: &[u8]) -> Result<Self, crate::KeyError> {
                let bytes = raw
                    .try_into()
                    .map_err(|_| crate::KeyError::Size { expected: $size, actual: raw.len() })?;
                Ok(Self::from_bytes(bytes))
            }
        }

        impl std::fmt::Debug for $type {
            /// Prints the name of the type only: keys do not belong into logs.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(..)"))
            }
        }
    };
}

/// Encodings of a private key type that has `from_bytes`, `as_bytes` and `Clone`.
macro_rules! private_key_encodings {
    ($type:ident, $algorithm:path, $size:literal, $der_size:literal) => {
        impl $type {
            /// Size of the raw key in bytes.
            pub const SIZE: usize = $size;
            /// Size of the DER encoding in bytes.
            pub const DER_SIZE: usize = $der_size;

            /// A new random key.
            pub fn generate(rng: &mut (impl rand::CryptoRng + ?Sized)) -> Self {
                let mut bytes = zeroize::Zeroizing::new([0; $size]);
                rng.fill_bytes(bytes.as_mut());
                Self::from_bytes(*bytes)
            }

            /// A copy of the raw bytes.
            #[must_use]
            pub fn to_bytes(&self) -> zeroize::Zeroizing<[u8; $size]> {
                zeroize::Zeroizing::new(*self.as_bytes())
            }

            /// PKCS#8 version 1 in DER: the form of stored private keys.
            #[must_use]
            pub fn to_der(&self) -> zeroize::Zeroizing<[u8; $der_size]> {
                const PREFIX: [u8; crate::der::PRIVATE_PREFIX] = crate::Algorithm::private_prefix($algorithm);
                let mut der = zeroize::Zeroizing::new([0; $der_size]);
                der[..PREFIX.len()].copy_from_slice(&PREFIX);
                der[PREFIX.len()..].copy_from_slice(self.as_bytes());
                der
            }

            /// Reads PKCS#8 version 1 in DER.
            ///
            /// # Errors
            ///
            /// [`KeyError::Algorithm`](crate::KeyError::Algorithm) if it is a key of another algorithm,
            /// [`KeyError::Encoding`](crate::KeyError::Encoding) if it is anything else; trailing bytes are refused.
            pub fn from_der(der: &[u8]) -> Result<Self, crate::KeyError> {
                match crate::Algorithm::split_private(der) {
                    Some(($algorithm, raw)) => Self::try_from(raw),
                    Some((other, _)) => Err(crate::KeyError::Algorithm(other)),
                    None => Err(crate::KeyError::Encoding),
                }
            }

            /// The text form: base64url of the DER, with padding.
            #[must_use]
            pub fn to_text(&self) -> zeroize::Zeroizing<String> {
                zeroize::Zeroizing::new(crate::base64url::encode(self.to_der().as_ref()))
            }

            /// Reads the text form.
            ///
            /// # Errors
            ///
            /// [`KeyError::Text`](crate::KeyError::Text) if it is not base64url, otherwise as [`Self::from_der`].
            pub fn from_text(text: &str) -> Result<Self, crate::KeyError> {
                let der = crate::base64url::decode(text).map_err(|_| crate::KeyError::Text)?;
                Self::from_der(&zeroize::Zeroizing::new(der))
            }
        }

        impl TryFrom<&[u8]> for $type {
            type Error = crate::KeyError;

            fn try_from(raw: &[u8]) -> Result<Self, crate::KeyError> {
                let bytes = raw
                    .try_into()
                    .map_err(|_| crate::KeyError::Size { expected: $size, actual: raw.len() })?;
                Ok(Self::from_bytes(bytes))
            }
        }

        crate::secret_traits!($type);
    };
}

pub(crate) use {private_key_encodings, public_key_encodings};

#[cfg(test)]
mod tests;
