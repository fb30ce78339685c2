//! Signatures of either algorithm (spec chapters `1-primitives.md` and `3-transmissions.md`).

use std::fmt;

use crate::{Algorithm, SignatureError};

/// A signature. Its algorithm is not encoded: it follows from the size.
///
/// Source: section 1.4 (`protocol-spec/1-primitives.md`).
#[derive(Clone, PartialEq, Eq)]
pub enum Signature {
    /// 64 bytes.
    Ed25519([u8; 64]),
    /// 114 bytes.
    Ed448(Box<[u8; 114]>),
}

impl Signature {
    /// The signature with these bytes.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Size`] unless there are 64 or 114 of them.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, SignatureError> {
        if let Ok(bytes) = bytes.try_into() {
            Ok(Self::Ed25519(bytes))
        } else if let Ok(bytes) = <[u8; 114]>::try_from(bytes) {
            Ok(Self::Ed448(Box::new(bytes)))
        } else {
            Err(SignatureError::Size(bytes.len()))
        }
    }

    /// The bytes of the signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Ed25519(bytes) => bytes,
            Self::Ed448(bytes) => bytes.as_slice(),
        }
    }

    /// The algorithm of the signature.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            Self::Ed448(_) => Algorithm::Ed448,
        }
    }

    /// The text form: base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        crate::base64url::encode(self.as_bytes())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature::{}(..)", self.algorithm())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_tells_the_algorithm() {
        for size in 0..200 {
            match Signature::from_slice(&vec![1; size]) {
                Ok(signature) => {
                    let algorithm = if size == 64 { Algorithm::Ed25519 } else { Algorithm::Ed448 };
                    assert!(size == 64 || size == 114);
                    assert_eq!(
                        (signature.algorithm(), signature.as_bytes()),
                        (algorithm, &vec![1; size][..])
                    );
                }
                Err(SignatureError::Size(refused)) => assert_eq!(refused, size),
            }
        }
    }
}
