//! The note beside a relay's identity of the store that it has served from.
//!
//! Invariant: once the relay has accepted a connection, the note is there, or the log says that it could not be written. So a
//! relay that has served and finds no store knows that one is missing: its directory is not mounted, say.

use std::{fs, io, path::Path};

use smp_transport::durable::{self, Access};

/// Name of the note in the directory of the identity.
pub(crate) const NOTE: &str = "store-id";

/// Hexadecimal digits of an ID.
const ID_DIGITS: usize = 32;

/// The ID of the store, if the relay has served. A note that was cut off still says that it has.
pub(crate) fn read(identity: &Path) -> io::Result<Option<String>> {
    match fs::read(identity.join(NOTE)) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a note is an ID.
pub(crate) fn is_whole(note: &str) -> bool {
    note.len() == ID_DIGITS && note.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Writes it, so that a crash leaves the old or the new one.
pub(crate) fn write(identity: &Path, store: &str) -> io::Result<()> {
    durable::replace(&identity.join(NOTE), format!("{store}\n").as_bytes(), Access::Owner)
}
