//! Public keys as short strings of their DER (SubjectPublicKeyInfo), nonces as 24 bare bytes.

use smp_crypto::x448::X448PublicKey;
use smp_crypto::{
    Ed448PublicKey, Ed25519PublicKey, Nonce, PublicAuthKey, PublicSignatureKey, X25519PublicKey,
};

use super::{Decode, DecodeError, Encode, Reader};

macro_rules! public_key {
    ($($key:ty),+) => {$(
        impl Encode for $key {
            fn encode(&self, out: &mut Vec<u8>) {
                let der = self.to_der();
                // At most 69 bytes.
                out.push(der.len() as u8);
                out.extend_from_slice(&der);
            }
        }

        impl Decode<'_> for $key {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                <$key>::from_der(input.short()?).map_err(|_| DecodeError::Invalid("key"))
            }
        }
    )+};
}

public_key!(
    Ed25519PublicKey,
    Ed448PublicKey,
    X25519PublicKey,
    X448PublicKey,
    PublicAuthKey,
    PublicSignatureKey
);

impl Encode for Nonce {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

impl Decode<'_> for Nonce {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Nonce::from_bytes(input.array()?))
    }
}
