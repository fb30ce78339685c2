//! `Content`: the kind of a file, as far as its beginning says.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// The beginning of a database that is not encrypted.
const PLAIN: &[u8; 16] = b"SQLite format 3\0";

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is no file, or nothing in it.
    Nothing,
    /// A database that is not encrypted.
    Plain,
    /// An encrypted database, or none at all: only the key tells.
    Sealed,
}

/// Looks at the beginning of a file.
///
/// # Errors
/// Of the system.
pub fn content(path: &Path) -> io::Result<Content> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Content::Nothing),
        file => file?,
    };
    let mut begin = Vec::with_capacity(PLAIN.len());
    file.take(PLAIN.len() as u64).read_to_end(&mut begin)?;
    Ok(match begin.as_slice() {
        [] => Content::Nothing,
        begin if begin == PLAIN => Content::Plain,
        _ => Content::Sealed,
    })
}
