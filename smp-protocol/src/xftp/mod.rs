//! The file transfer protocol, XFTP (chapter `12-files.md`).
//!
//! A file is encrypted, cut into chunks of few sizes, and each chunk is put on a relay for some hours. Its recipients are told by a
//! description, over a channel that they have already, where the chunks are and how to decrypt them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`session`] | what both sides have agreed on |
//! | [`handshake`] | hellos and both sides' rules; also those of browsers |
//! | [`command`], [`response`], [`error`] | what clients ask and relays answer |
//! | [`transmission`] | blocks of one transmission, with authorization |
//! | [`chunk_size`] | into which chunks a file is cut |
//! | [`header`] | what stands in front of a file's content |
//! | [`description`] | where a file is and how to decrypt it |
//! | [`link`] | descriptions as links |
//!
//! A request is a block, after which the chunk follows in an upload; an answer is a block, after which the chunk follows in a
//! download. How blocks travel (HTTP/2) is not the matter of this module, nor are the chunks themselves: they are boxes
//! of `smp_crypto::tail_box`.

pub mod chunk_size;
pub mod command;
pub mod description;
pub mod error;
pub mod handshake;
pub mod header;
pub mod link;
pub mod response;
pub mod session;
pub mod transmission;

/// Bytes in a block, in front of which and behind which nothing stands but a chunk.
pub const BLOCK_BYTES: usize = 16_384;
/// The name by which client and relay agree in TLS (ALPN) on a handshake.
pub const ALPN: &str = "xftp/1";
