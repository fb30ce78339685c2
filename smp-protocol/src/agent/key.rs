//! Text forms of keys, and both forms of KEM values.

use smp_crypto::X25519PublicKey;
use smp_crypto::sntrup761::{KemCiphertext, KemPublicKey};
use smp_crypto::x448::X448PublicKey;

use crate::base64url;
use crate::encoding::{Decode, DecodeError, Encode, Reader, TextDecode, TextEncode, TextReader};

macro_rules! key_text {
    ($($type:ident, $name:literal);+ $(;)?) => {$(
        impl TextEncode for $type {
            /// base64url of the DER of the key.
            fn text_encode(&self, out: &mut String) {
                out.push_str(&base64url::encode(&self.to_der()));
            }
        }

        impl TextDecode for $type {
            fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
                $type::from_der(&input.base64url()?).map_err(|_| DecodeError::Invalid($name))
            }
        }
    )+};
}

key_text!(X25519PublicKey, "X25519 key"; X448PublicKey, "X448 key");

macro_rules! kem_value {
    ($($type:ident, $name:literal);+ $(;)?) => {$(
        impl Encode for $type {
            /// A large string.
            fn encode(&self, out: &mut Vec<u8>) {
                let bytes = self.as_bytes();
                // 1158 or 1039 bytes.
                out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
                out.extend_from_slice(bytes);
            }
        }

        impl Decode<'_> for $type {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                $type::from_slice(input.large()?).map_err(|_| DecodeError::Invalid($name))
            }
        }

        impl TextEncode for $type {
            fn text_encode(&self, out: &mut String) {
                out.push_str(&base64url::encode(self.as_bytes()));
            }
        }

        impl TextDecode for $type {
            fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
                $type::from_slice(&input.base64url()?).map_err(|_| DecodeError::Invalid($name))
            }
        }
    )+};
}

kem_value!(KemPublicKey, "KEM public key"; KemCiphertext, "KEM ciphertext");
