//! The file relay (protocol-spec chapter 12): keeps chunks of files for some hours, and knows nothing about who they are for.
//!
//! ```text
//!  serve ──────────► request ─────────► index ─────────► bodies
//!  HTTP/2: blocks    handshake,         records and      chunks as files: whole
//!  and chunks as     commands, after    quota, in        or not there
//!  streams           authorize          memory
//! ```
//!
//! Invariants: a chunk is never whole in memory, and never partly visible; an upload that was answered `OK` is on the disk, as
//! [`FileSettings::fsync`] says; an unknown ID looks like a wrong key. Records are in memory only: a relay that starts forgets all
//! chunks, and removes their files.
//!
//! Nothing listens for it yet: streams of TLS are handed to [`FileRelay::serve_tls`].

mod authorize;
mod bodies;
mod index;
mod relay;
mod request;
mod serve;
mod session;
mod settings;

#[cfg(test)]
mod tests;

pub use relay::FileRelay;
pub use settings::{FileConnection, FileIdentity, FileSettings};
