//! `Head`: what stands in the open in front of an archive's content.

use super::error::{ArchiveError, about};
use super::{ENCRYPTED, MAGIC, MAX_HEAD, OPEN, WITH_FILES};
use crate::secret::{MAX_SECRETS, SealedKey, Secret, seal_by_all};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use smp_crypto::hash::sha256;
use smp_crypto::passphrase::PassphraseCost;
use smp_crypto::sealed_stream::{STREAM_NONCE_SIZE, SealedStream};
use std::io::{ErrorKind, Read};
use std::path::Path;
use zeroize::Zeroizing;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// When the archive was made, in seconds since 1970.
    pub(super) made: i64,
    #[serde(with = "crate::stored")]
    nonce: Vec<u8>,
    keys: Vec<SealedKey>,
}

/// The seal of the content that follows a head.
pub(super) struct ContentSeal {
    pub(super) stream: SealedStream,
    /// SHA-256 of all in front of the content, which is authenticated with each piece.
    pub(super) covered: [u8; 32],
    /// The version of the format, which says what the content begins with.
    pub(super) version: u8,
}

/// Chooses a key, and returns the bytes in front of the content that it seals.
pub(super) fn new_head(
    made: i64,
    version: u8,
    secrets: &[Secret],
    cost: PassphraseCost,
    rng: &mut impl CryptoRng,
) -> Result<(Vec<u8>, ContentSeal), ArchiveError> {
    let (mut key, mut nonce) = (Zeroizing::new([0; 32]), [0; STREAM_NONCE_SIZE]);
    rng.fill_bytes(&mut *key);
    rng.fill_bytes(&mut nonce);
    let keys = seal_by_all(&key, secrets, cost, rng)?;
    let head = Head { made, nonce: nonce.to_vec(), keys };
    let mut cbor = Vec::new();
    // Eight secrets take less than a quarter of it.
    ciborium::into_writer(&head, &mut cbor).map_err(|_| ArchiveError::Secrets)?;
    let length = u16::try_from(cbor.len()).map_err(|_| ArchiveError::Secrets)?;
    let mut bytes = MAGIC.to_vec();
    bytes.push(version);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&cbor);
    let covered = sha256(&bytes);
    Ok((bytes, ContentSeal { stream: SealedStream::new(&key, &nonce), covered, version }))
}

/// Reads the bytes in front of the content, and opens it by this secret.
pub(super) fn read_head(
    file: &mut impl Read,
    path: &Path,
    secret: &Secret,
) -> Result<(Head, ContentSeal), ArchiveError> {
    let mut bytes = vec![0; MAGIC.len() + 3];
    read(file, &mut bytes, path)?;
    let Some(&[version, high, low]) = bytes.strip_prefix(MAGIC) else {
        return Err(ArchiveError::NotAnArchive(path.to_owned()));
    };
    if !matches!(version, OPEN | ENCRYPTED | WITH_FILES) {
        return Err(ArchiveError::Version(version));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_HEAD {
        return Err(ArchiveError::Damaged);
    }
    let begin = bytes.len();
    bytes.resize(begin + length, 0);
    read(file, &mut bytes[begin..], path)?;
    let head: Head = ciborium::from_reader(&bytes[begin..]).map_err(|_| ArchiveError::Damaged)?;
    if head.keys.len() > MAX_SECRETS {
        return Err(ArchiveError::Damaged);
    }
    let nonce = head.nonce[..].try_into().map_err(|_| ArchiveError::Damaged)?;
    let key = secret.open(&head.keys)?.ok_or(ArchiveError::WrongSecret(secret.name()))?;
    let stream = SealedStream::new(&key, nonce);
    let seal = ContentSeal { stream, covered: sha256(&bytes), version };
    Ok((head, seal))
}

fn read(file: &mut impl Read, bytes: &mut [u8], path: &Path) -> Result<(), ArchiveError> {
    file.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => ArchiveError::NotAnArchive(path.to_owned()),
        _ => about(path)(error),
    })
}
