//! `Secret`: what opens an archive or a data directory, and the sealed key that it opens.
//!
//! Both are encrypted by a random key of their own. It stands beside what it encrypts, sealed by each of one to eight secrets: so a secret
//! is changed without encrypting anything else again.

mod phrase;

pub use phrase::{PhraseError, RecoveryPhrase};

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::hkdf::hkdf_sha512;
use smp_crypto::passphrase::{CostError, PassphraseCost, SALT_SIZE, key_of_passphrase};
use smp_crypto::sealed_stream::{STREAM_NONCE_SIZE, SealedStream};
use std::fmt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The most secrets that open something.
pub(crate) const MAX_SECRETS: usize = 8;
/// The names of the uses of HKDF.
const RECOVERY_INFO: &[u8] = b"smp archive recovery";
const KEY_INFO: &[u8] = b"smp key";

/// A secret that opens an archive or a data directory.
#[derive(Clone)]
#[non_exhaustive]
pub enum Secret {
    /// A passphrase that somebody chose. Each attempt to guess it costs 64 MiB of memory and some tenths of a second.
    Passphrase(Zeroizing<String>),
    /// 24 words that were chosen at random.
    Recovery(RecoveryPhrase),
    /// 32 random bytes, which the application keeps: in a file, or in the system's store of keys.
    Key(Zeroizing<[u8; 32]>),
}

/// Why a data directory is not opened by a secret, or without one. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The data is encrypted, and no secret was given.
    #[error("the data in {} is encrypted; give its passphrase or key", .0.display())]
    Needed(PathBuf),
    /// A secret was given, and the data is not encrypted.
    #[error("the data in {} is not encrypted; encrypt it first, or open it without a passphrase or key", .0.display())]
    NotEncrypted(PathBuf),
    /// The data is encrypted already.
    #[error("the data in {} is encrypted already; change its passphrase or key instead", .0.display())]
    Encrypted(PathBuf),
    /// It is another secret, or mistyped.
    #[error("the data is not opened by this {0}; check it for mistypings")]
    Wrong(&'static str),
    /// The file with the sealed key is gone. Without it no secret opens the data.
    #[error("{} is missing, without which the data cannot be decrypted; restore it from a backup", .0.display())]
    KeyFileMissing(PathBuf),
    /// The file with the sealed key is not as it was written.
    #[error("{} is damaged, without which the data cannot be decrypted; restore it from a backup", .0.display())]
    KeyFileDamaged(PathBuf),
    /// The file with the sealed key was written by a newer program.
    #[error("{} is of version {version}, which this program does not know; use a newer one", path.display())]
    KeyFileVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// No secret was given, or too many.
    #[error("data is encrypted under one to eight secrets; give a passphrase or a key")]
    Count,
    /// The file asks for more memory or time than is given to a passphrase.
    #[error(transparent)]
    Cost(#[from] CostError),
}

/// A key, sealed by one secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum SealedKey {
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
    Key {
        #[serde(with = "crate::stored")]
        salt: Vec<u8>,
        #[serde(with = "crate::stored")]
        sealed: Vec<u8>,
    },
}

/// Seals a key by each of these secrets.
pub(crate) fn seal_by_all(
    key: &[u8; 32],
    secrets: &[Secret],
    cost: PassphraseCost,
    rng: &mut impl CryptoRng,
) -> Result<Vec<SealedKey>, SecretError> {
    if !(1..=MAX_SECRETS).contains(&secrets.len()) {
        return Err(SecretError::Count);
    }
    secrets.iter().map(|secret| Ok(secret.seal(key, cost, rng)?)).collect()
}

impl Secret {
    /// A passphrase.
    pub fn passphrase(text: impl Into<String>) -> Self {
        Self::Passphrase(Zeroizing::new(text.into()))
    }

    /// 32 random bytes.
    #[must_use]
    pub fn key(key: [u8; 32]) -> Self {
        Self::Key(Zeroizing::new(key))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::Recovery(_) => "recovery phrase",
            Self::Key(_) => "key",
        }
    }

    fn seal(
        &self,
        key: &[u8; 32],
        cost: PassphraseCost,
        rng: &mut impl CryptoRng,
    ) -> Result<SealedKey, CostError> {
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
            Self::Key(secret) => {
                let sealed = sealing(&hkdf_sha512(&salt, &**secret, KEY_INFO)).seal(key, b"", true);
                SealedKey::Key { salt: salt.to_vec(), sealed }
            }
        })
    }

    /// The key, out of the one among these that this secret has sealed. None if there is none.
    pub(crate) fn open(&self, keys: &[SealedKey]) -> Result<Option<Zeroizing<[u8; 32]>>, CostError> {
        for key in keys {
            let opened = match (self, key) {
                (Self::Passphrase(text), SealedKey::Passphrase { salt, passes, memory_kib, sealed }) => {
                    let Ok(salt) = salt[..].try_into() else { continue };
                    let cost = PassphraseCost { passes: *passes, memory_kib: *memory_kib };
                    opened(&*key_of_passphrase(text.as_bytes(), salt, cost)?, sealed)
                }
                (Self::Recovery(phrase), SealedKey::Recovery { salt, sealed }) => {
                    opened(&key_of_phrase(phrase, salt), sealed)
                }
                (Self::Key(secret), SealedKey::Key { salt, sealed }) => {
                    opened(&hkdf_sha512(salt, &**secret, KEY_INFO), sealed)
                }
                _ => None,
            };
            if opened.is_some() {
                return Ok(opened);
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.name())
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
