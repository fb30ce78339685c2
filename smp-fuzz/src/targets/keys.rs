//! Keys and signatures in all of their forms.

use smp_crypto::sntrup761::{KemCiphertext, KemPublicKey};
use smp_crypto::{
    Ed448PrivateKey, Ed448PublicKey, Ed25519PrivateKey, Ed25519PublicKey, PrivateAuthKey,
    PrivateSignatureKey, PublicAuthKey, PublicSignatureKey, Signature, X448PrivateKey, X448PublicKey,
    X25519PrivateKey, X25519PublicKey, base64url, padding,
};

use crate::check::settles;
use crate::seeds::Vectors;

macro_rules! der_is_unique {
    ($data:expr, $($key:ty),+) => {$(
        if let Ok(key) = <$key>::from_der($data) {
            assert_eq!(&key.to_der()[..], $data);
        }
    )+};
}

macro_rules! text_settles {
    ($text:expr, $($key:ty),+) => {$(
        if let Ok(key) = <$key>::from_text($text) {
            assert_eq!(<$key>::from_text(&key.to_text()), Ok(key));
        }
    )+};
}

/// Reads the input as a key of every type.
pub fn run(data: &[u8]) {
    der_is_unique!(data, Ed25519PublicKey, Ed448PublicKey, X25519PublicKey, X448PublicKey);
    der_is_unique!(data, PublicAuthKey, PublicSignatureKey);
    der_is_unique!(data, Ed25519PrivateKey, Ed448PrivateKey, X25519PrivateKey, X448PrivateKey);
    der_is_unique!(data, PrivateAuthKey, PrivateSignatureKey);
    settles!(PublicAuthKey, data);
    settles!(KemPublicKey, data);
    settles!(KemCiphertext, data);
    if let Ok(signature) = Signature::from_slice(data) {
        assert_eq!(signature.as_bytes(), data);
    }
    if let Ok(content) = padding::unpad(data) {
        assert!(content.len() + padding::LENGTH_SIZE <= data.len());
    }
    if let Ok(text) = std::str::from_utf8(data) {
        text_settles!(text, Ed25519PublicKey, Ed448PublicKey, X25519PublicKey, X448PublicKey, PublicAuthKey);
        if let Ok(bytes) = base64url::decode(text) {
            assert!(text == base64url::encode(&bytes) || text == base64url::encode_unpadded(&bytes));
        }
    }
}

/// Keys of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for field in ["public_der", "private_pkcs8_der", "public_smp_encoded"] {
        seeds.extend(vectors.bytes("keys", &["key"], field));
    }
    seeds.extend(vectors.texts("keys", &["key"], "public_str_encoded"));
    seeds.extend(vectors.bytes("keys", &["public_der_refused"], "input"));
    seeds.extend(vectors.bytes("keys", &["signature"], "signature"));
    seeds.extend(vectors.bytes("sntrup761", &["encoding"], "public_smp_encoded"));
    seeds.extend(vectors.bytes("sntrup761", &["encoding"], "ciphertext_smp_encoded"));
    seeds.extend(vectors.bytes("primitives", &["unpad"], "input"));
    seeds
}
