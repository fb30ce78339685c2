//! The key file: the key of an encrypted data directory, sealed by each secret that opens it.
//!
//! # Format, version 1
//!
//! | bytes | |
//! |---|---|
//! | 11 | `SMP KEYFILE` |
//! | 1 | version: 1 |
//! | | a CBOR map of `keys`: the key of the data, sealed by each secret, as in the head of an [archive](crate::archive) |
//! | 32 | SHA-256 of all before, which tells damage from a wrong secret |

use crate::data_dir::DATABASE;
use crate::error::AgentError;
use crate::secret::{SealedKey, Secret, SecretError, seal_by_all};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::hash::sha256;
use smp_crypto::hkdf::hkdf_sha512;
use smp_crypto::passphrase::PassphraseCost;
use smp_sqlite::{Content, DatabaseKey, KEY_SIZE};
use smp_transport::durable::{self, Access};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Name of the file inside the data directory.
const KEY_FILE: &str = "agent.key";
const MAGIC: &[u8; 11] = b"SMP KEYFILE";
const VERSION: u8 = 1;
/// The name of this use of HKDF, in front of the purpose.
const APPLICATION_KEY: &[u8] = b"smp application key: ";
const HASH_SIZE: usize = 32;
/// The most bytes of the file; eight secrets take less than a quarter of them.
const MAX_SIZE: usize = 4096;

#[derive(Serialize, Deserialize)]
struct Keys {
    keys: Vec<SealedKey>,
}

/// The key file of a data directory.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    data_dir: PathBuf,
    path: PathBuf,
}

impl KeyFile {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), path: data_dir.join(KEY_FILE) }
    }

    /// The database beside it, as far as its beginning says.
    pub(crate) fn database(&self) -> Result<Content, AgentError> {
        smp_sqlite::content(&self.data_dir.join(DATABASE)).map_err(AgentError::of_file(&self.path))
    }

    fn exists(&self) -> Result<bool, AgentError> {
        self.path.try_exists().map_err(AgentError::of_file(&self.path))
    }

    /// Whether the data is encrypted. A key file beside a database that is not is of a change that was cut off, and counts for nothing.
    pub(crate) fn is_in_use(&self) -> Result<bool, AgentError> {
        Ok(self.exists()? && self.database()? != Content::Plain)
    }

    /// The key of the data, None if it is not encrypted. Makes the file for a database that is to be made. Blocks for as long
    /// as a passphrase takes.
    pub(crate) fn unlock(
        &self,
        secret: Option<&Secret>,
        rng: &mut impl CryptoRng,
    ) -> Result<Option<DatabaseKey>, AgentError> {
        let Some(secret) = secret else {
            return if self.is_in_use()? {
                Err(SecretError::Needed(self.data_dir.clone()).into())
            } else {
                Ok(None)
            };
        };
        match (self.database()?, self.exists()?) {
            (Content::Plain, _) => Err(SecretError::NotEncrypted(self.data_dir.clone()).into()),
            (Content::Sealed, false) => Err(SecretError::KeyFileMissing(self.path.clone()).into()),
            (Content::Nothing, false) => {
                let key = new_key(rng);
                self.write(&key, std::slice::from_ref(secret), PassphraseCost::DEFAULT, rng)?;
                Ok(Some(key))
            }
            (Content::Nothing | Content::Sealed, true) => self.open(secret).map(Some),
        }
    }

    /// Replaces the file: a crash leaves the one that was there, or this one.
    pub(crate) fn write(
        &self,
        key: &DatabaseKey,
        secrets: &[Secret],
        cost: PassphraseCost,
        rng: &mut impl CryptoRng,
    ) -> Result<(), AgentError> {
        let keys = seal_by_all(key.as_bytes(), secrets, cost, rng)?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        ciborium::into_writer(&Keys { keys }, &mut bytes).map_err(|_| SecretError::Count)?;
        bytes.extend_from_slice(&sha256(&bytes));
        durable::replace(&self.path, &bytes, Access::Owner).map_err(AgentError::of_file(&self.path))
    }

    /// The key that a secret opens.
    pub(crate) fn open(&self, secret: &Secret) -> Result<DatabaseKey, AgentError> {
        let key = secret.open(&self.read()?).map_err(SecretError::from)?;
        Ok(DatabaseKey::new(key.ok_or(SecretError::Wrong(secret.name()))?))
    }

    fn read(&self) -> Result<Vec<SealedKey>, AgentError> {
        let damaged = || SecretError::KeyFileDamaged(self.path.clone());
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => SecretError::KeyFileMissing(self.path.clone()).into(),
            _ => AgentError::of_file(&self.path)(error),
        })?;
        file.take(MAX_SIZE as u64 + 1).read_to_end(&mut bytes).map_err(AgentError::of_file(&self.path))?;
        let (content, hash) = bytes.split_last_chunk::<HASH_SIZE>().ok_or_else(damaged)?;
        if bytes.len() > MAX_SIZE || sha256(content) != *hash {
            return Err(damaged().into());
        }
        match content.strip_prefix(MAGIC) {
            Some([VERSION, cbor @ ..]) => {
                let keys: Keys = ciborium::from_reader(cbor).map_err(|_| damaged())?;
                Ok(keys.keys)
            }
            Some([version, ..]) => {
                Err(SecretError::KeyFileVersion { path: self.path.clone(), version: *version }.into())
            }
            _ => Err(damaged().into()),
        }
    }

    /// The data is not encrypted any more.
    pub(crate) fn remove(&self) -> Result<(), AgentError> {
        durable::remove(&self.path)
            .and_then(|()| durable::sync_name(&self.path))
            .map_err(AgentError::of_file(&self.path))
    }
}

/// A key for a file of the application's, of that of the data.
pub(crate) fn application_key(key: &DatabaseKey, purpose: &str) -> DatabaseKey {
    let info = [APPLICATION_KEY, purpose.as_bytes()].concat();
    DatabaseKey::new(hkdf_sha512(b"", key.as_bytes(), &info))
}

/// A key for new data.
pub(crate) fn new_key(rng: &mut impl CryptoRng) -> DatabaseKey {
    let mut key = Zeroizing::new([0; KEY_SIZE]);
    rng.fill_bytes(&mut *key);
    DatabaseKey::new(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::RecoveryPhrase;

    const CHEAP: PassphraseCost = PassphraseCost { passes: 1, memory_kib: 8 };

    fn key_file(dir: &tempfile::TempDir, secrets: &[Secret]) -> (KeyFile, DatabaseKey) {
        let (file, key) = (KeyFile::of(dir.path()), new_key(&mut rand::rng()));
        file.write(&key, secrets, CHEAP, &mut rand::rng()).unwrap();
        (file, key)
    }

    fn error(file: &KeyFile, secret: &Secret) -> SecretError {
        match file.open(secret).unwrap_err() {
            AgentError::Secret(error) => error,
            error => panic!("{error}"),
        }
    }

    #[test]
    fn each_secret_opens_it_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let phrase = RecoveryPhrase::generate(&mut rand::rng());
        let secrets = [Secret::passphrase("pass"), Secret::Recovery(phrase), Secret::key([7; 32])];
        let (file, key) = key_file(&dir, &secrets);
        for secret in &secrets {
            assert_eq!(file.open(secret).unwrap().as_bytes(), key.as_bytes());
        }
        let other = RecoveryPhrase::generate(&mut rand::rng());
        for secret in [Secret::passphrase("Pass"), Secret::Recovery(other), Secret::key([8; 32])] {
            assert_eq!(error(&file, &secret), SecretError::Wrong(secret.name()));
        }
        let bytes = std::fs::read(dir.path().join(KEY_FILE)).unwrap();
        assert!(!bytes.windows(32).any(|part| part == key.as_bytes()));
        assert_eq!(format!("{:?}", secrets[2]), "Secret(key)");
    }

    #[test]
    fn damage_is_told_from_a_wrong_secret() {
        let dir = tempfile::tempdir().unwrap();
        let secret = Secret::passphrase("pass");
        let (file, _) = key_file(&dir, std::slice::from_ref(&secret));
        let path = dir.path().join(KEY_FILE);
        let whole = std::fs::read(&path).unwrap();
        let changed = (0..whole.len()).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        });
        let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
        for bytes in changed.chain(cut).chain([vec![0; 2 * MAX_SIZE], [&whole[..], b"x"].concat()]) {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(error(&file, &secret), SecretError::KeyFileDamaged(path.clone()));
        }
        let mut newer = whole[..whole.len() - HASH_SIZE].to_vec();
        newer[MAGIC.len()] = 2;
        newer.extend_from_slice(&sha256(&newer));
        std::fs::write(&path, newer).unwrap();
        assert!(matches!(error(&file, &secret), SecretError::KeyFileVersion { version: 2, .. }));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(error(&file, &secret), SecretError::KeyFileMissing(path));
    }

    #[test]
    fn it_needs_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (file, key) = (KeyFile::of(dir.path()), new_key(&mut rand::rng()));
        let error = file.write(&key, &[], CHEAP, &mut rand::rng()).unwrap_err();
        assert!(matches!(error, AgentError::Secret(SecretError::Count)));
    }
}
