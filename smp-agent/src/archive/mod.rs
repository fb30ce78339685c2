//! Archives: all that an agent has, in one encrypted file, to be opened on another machine.
//!
//! An archive is made of a running agent ([`Agent::export`](crate::Agent::export)), and becomes the data directory of a new one
//! ([`restore_archive`]). Each of several secrets opens it: a passphrase, or the 24 words of a [`RecoveryPhrase`].
//!
//! The agent of which it was made may have gone on since, with the same keys. So whoever opens a restored data directory renews
//! the encryption of each connection before anything else is sent: old keys are not used for new messages, and both sides
//! converge however old the archive is. The application is told how much the other side has that the archive has not ([`Event::Forgotten`](crate::Event::Forgotten)).
//! The agent of which the archive was made must not be opened any more.
//!
//! # Format, version 1
//!
//! | bytes | |
//! |---|---|
//! | 11 | `SMP ARCHIVE` |
//! | 1 | version: 1 |
//! | 2 | length of the head, big-endian, at most 4,096 |
//! | | head: a CBOR map of `made` (seconds since 1970), `nonce` (24 bytes) and `keys`: the key of the content, sealed by each secret |
//! | | content: the agent's database, in [sealed](smp_crypto::sealed_stream) pieces of 65,553 bytes, the last one shorter |
//!
//! The head is authenticated with each piece, by its SHA-256. A passphrase is made a key by [Argon2id](smp_crypto::passphrase), the
//! 256 bits of a recovery phrase by HKDF-SHA512, both with a salt of their own.

mod content;
mod error;
mod export;
mod head;
mod phrase;
mod restore;
mod secret;

pub use error::ArchiveError;
pub use phrase::{PhraseError, RecoveryPhrase};
pub use restore::{RestoredArchive, restore_archive};
pub use secret::ArchiveSecret;

/// The beginning of each archive.
const MAGIC: &[u8; 11] = b"SMP ARCHIVE";
/// The version of the format.
const VERSION: u8 = 1;
/// Bytes of content in a piece.
const PIECE: usize = 64 * 1024;
/// The most bytes of a head.
const MAX_HEAD: usize = 4096;
/// The most secrets of an archive.
const MAX_SECRETS: usize = 8;

#[cfg(test)]
mod tests;
