//! Files: sending and receiving them through file relays, by the file transfer protocol (chapter `12-files.md`).
//!
//! A file is encrypted on the disk, cut into chunks, and each chunk is put on a relay; descriptions say where the chunks are and how to
//! decrypt them. Sending goes on where it was after a crash at any moment ([`Upload`]), and so does receiving ([`Download`]): run them
//! again. Neither holds more than a few pieces of a file in memory.
//!
//! | module | what it holds |
//! |---|---|
//! | [`client`] | one connection to a file relay: a call for each command |
//! | [`relays`] | connections to several, kept while they are used |
//! | [`encrypted`] | a file on the disk becomes an encrypted one, and the other way round |
//! | [`upload`] | a file goes to relays: its journal, its chunks, its descriptions |
//! | [`download`] | a file comes from relays |
//! | [`link`] | the link of a description that is not too long for one |
//! | [`name`] | names under which received files are kept |

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        reason = "tests are programs of their own, with the time and chance of this machine"
    )
)]

pub mod client;
pub mod delete;
pub mod download;
pub mod encrypted;
mod error;
pub mod link;
mod meter;
pub mod name;
pub mod relays;
mod retry;
pub mod upload;

pub use client::FileRelayClient;
pub use download::Download;
pub use error::{FileError, FileRelayError};
pub use meter::Progress;
pub use relays::{FileNetwork, FileRelays};
pub use upload::{Sent, Upload};

/// Transfers can be tasks of a runtime with several threads.
#[cfg(test)]
mod tests {
    use super::*;

    fn is_send(_: impl Send) {}

    #[expect(dead_code, reason = "that it compiles is the test")]
    fn transfers_are_tasks(upload: &Upload, given_up: Upload, download: Download, relays: &FileRelays) {
        is_send(upload.run(relays, &[], &|_, _| {}));
        is_send(given_up.cancel(relays));
        is_send(download.run(relays, download::Target::File(std::path::Path::new("")), &|_, _| {}));
    }
}
