//! `ArchiveSecret`: what opens an archive, and the key that seals the key of its content.

use super::error::ArchiveError;
use super::phrase::RecoveryPhrase;
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::hkdf::hkdf_sha512;
use smp_crypto::passphrase::{PassphraseCost, SALT_SIZE, key_of_passphrase};
use smp_crypto::sealed_stream::{STREAM_NONCE_SIZE, SealedStream};
use std::fmt;
use zeroize::Zeroizing;

/// The name of this use of HKDF.
const RECOVERY_INFO: &[u8] = b"smp archive recovery";

/// A secret that opens an archive.
#[derive(Clone)]
#[non_exhaustive]
pub enum ArchiveSecret {
    /// A passphrase that somebody chose. Each attempt to guess it costs 64 MiB of memory and some tenths of a second.
    Passphrase(Zeroizing<String>),
    /// 24 words that were chosen at random.
    Recovery(RecoveryPhrase),
}

/// The key of the content, sealed by one secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum SealedKey {
    Passphrase {
        #[serde(with = "crate::stored")]
        salt: Vec<u8>,
        passes: u32,
        memory_kib: u32,
        #[serde(with = "crate::stored")]
        sealed: Vec<u8>,
    },
    Recovery {
        #[serde(with = "crate::stored")]
        salt: Vec<u8>,
        #[serde(with = "crate::stored")]
        sealed: Vec<u8>,
    },
}

impl ArchiveSecret {
    /// A passphrase.
    pub fn passphrase(text: impl Into<String>) -> Self {
        Self::Passphrase(Zeroizing::new(text.into()))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::Recovery(_) => "recovery phrase",
        }
    }

    /// Seals the key of an archive's content.
    pub(super) fn seal(
        &self,
        key: &[u8; 32],
        cost: PassphraseCost,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedKey, ArchiveError> {
        let mut salt = [0; SALT_SIZE];
        rng.fill_bytes(&mut salt);
        let PassphraseCost { passes, memory_kib } = cost;
        Ok(match self {
            Self::Passphrase(text) => {
                let sealed = sealing(&*key_of_passphrase(text.as_bytes(), &salt, cost)?).seal(key, b"", true);
                SealedKey::Passphrase { salt: salt.to_vec(), passes, memory_kib, sealed }
            }
            Self::Recovery(phrase) => {
                let sealed = sealing(&key_of_phrase(phrase, &salt)).seal(key, b"", true);
                SealedKey::Recovery { salt: salt.to_vec(), sealed }
            }
        })
    }

    /// The key of an archive's content, out of the one among these that this secret has sealed.
    pub(super) fn open(&self, keys: &[SealedKey]) -> Result<Zeroizing<[u8; 32]>, ArchiveError> {
        for key in keys {
            let opened = match (self, key) {
                (Self::Passphrase(text), SealedKey::Passphrase { salt, passes, memory_kib, sealed }) => {
                    let cost = PassphraseCost { passes: *passes, memory_kib: *memory_kib };
                    let salt = salt[..].try_into().map_err(|_| ArchiveError::Damaged)?;
                    opened(&*key_of_passphrase(text.as_bytes(), salt, cost)?, sealed)
                }
                (Self::Recovery(phrase), SealedKey::Recovery { salt, sealed }) => {
                    opened(&key_of_phrase(phrase, salt), sealed)
                }
                _ => None,
            };
            if let Some(key) = opened {
                return Ok(key);
            }
        }
        Err(ArchiveError::WrongSecret(self.name()))
    }
}

impl fmt::Debug for ArchiveSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArchiveSecret({})", self.name())
    }
}

fn key_of_phrase(phrase: &RecoveryPhrase, salt: &[u8]) -> Zeroizing<[u8; 32]> {
    hkdf_sha512(salt, &phrase.entropy(), RECOVERY_INFO)
}

/// The key is used once, as its salt is chosen at random: so the nonce need not be.
fn sealing(key: &[u8; 32]) -> SealedStream {
    SealedStream::new(key, &[0; STREAM_NONCE_SIZE])
}

fn opened(key: &[u8; 32], sealed: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let content = Zeroizing::new(sealing(key).open(sealed, b"").ok()?.0);
    Some(Zeroizing::new(content[..].try_into().ok()?))
}
