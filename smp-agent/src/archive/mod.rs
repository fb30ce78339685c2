//! Archives: all that an agent has, in one encrypted file, to be opened on another machine.
//!
//! An archive is made of a running agent ([`Agent::export`](crate::Agent::export)), and becomes the data directory of a new one
//! ([`restore_archive`]). Each of several [secrets](crate::Secret) opens it.
//!
//! The agent of which it was made may have gone on since, with the same keys. So whoever opens a restored data directory renews
//! the encryption of each connection before anything else is sent: old keys are not used for new messages, and both sides
//! converge however old the archive is. The application is told how much the other side has that the archive has not ([`Event::Forgotten`](crate::Event::Forgotten)).
//! The agent of which the archive was made must not be opened any more.
//!
//! # Format, versions 1 to 3
//!
//! | bytes | |
//! |---|---|
//! | 11 | `SMP ARCHIVE` |
//! | 1 | version: 3 if there are files of the application, otherwise 2 if the database is encrypted, otherwise 1 |
//! | 2 | length of the head, big-endian, at most 4,096 |
//! | | head: a CBOR map of `made` (seconds since 1970), `nonce` (24 bytes) and `keys`: the key of the content, sealed by each secret |
//! | | content: in version 3 one byte, 1 if the database is encrypted, otherwise 0; if it is encrypted, the 32 bytes of its key; in version 3 the files (below); then the agent's database. In [sealed](smp_crypto::sealed_stream) pieces of 65,553 bytes, the last one shorter |
//!
//! Files of the application: their number in one byte, at most 16; of each the length of its name in one byte, the name, the length of its
//! content in 8 bytes (big-endian), and the content.
//!
//! The head is authenticated with each piece, by its SHA-256. A passphrase is made a key by [Argon2id](smp_crypto::passphrase), the
//! 256 bits of a recovery phrase and a key by HKDF-SHA512, each with a salt of its own.

mod content;
mod error;
mod export;
mod files;
mod head;
mod restore;

pub use error::ArchiveError;
pub use files::ArchivedFile;
pub use restore::{RestoredArchive, restore_archive, restore_archive_with};

/// The beginning of each archive.
const MAGIC: &[u8; 11] = b"SMP ARCHIVE";
/// The versions of the format: with a database in the open, with an encrypted one behind its key, and with files of the application.
const OPEN: u8 = 1;
const ENCRYPTED: u8 = 2;
const WITH_FILES: u8 = 3;
/// Bytes of content in a piece.
const PIECE: usize = 64 * 1024;
/// The most bytes of a head.
const MAX_HEAD: usize = 4096;

#[cfg(test)]
mod tests;
