//! The content of an archive: a file in sealed pieces.

use super::PIECE;
use super::error::ArchiveError;
use super::head::ContentSeal;
use smp_crypto::sealed_stream::PIECE_OVERHEAD;
use std::io::{self, Read, Write};

/// Where something went wrong.
pub(super) enum CopyError {
    Reading(io::Error),
    Writing(io::Error),
    Damaged,
}

impl CopyError {
    /// With the files' errors made those of archives.
    pub(super) fn name(
        self,
        reading: impl FnOnce(io::Error) -> ArchiveError,
        writing: impl FnOnce(io::Error) -> ArchiveError,
    ) -> ArchiveError {
        match self {
            Self::Reading(error) => reading(error),
            Self::Writing(error) => writing(error),
            Self::Damaged => ArchiveError::Damaged,
        }
    }
}

/// Seals all that can be read.
pub(super) fn seal(
    mut seal: ContentSeal,
    from: &mut impl Read,
    to: &mut impl Write,
) -> Result<(), CopyError> {
    let mut piece = read_piece(from, PIECE)?;
    loop {
        // A piece is the last one if nothing is behind it.
        let next = if piece.len() < PIECE { Vec::new() } else { read_piece(from, PIECE)? };
        let sealed = seal.stream.seal(&piece, &seal.covered, next.is_empty());
        to.write_all(&sealed).map_err(CopyError::Writing)?;
        if next.is_empty() {
            return Ok(());
        }
        piece = next;
    }
}

/// Opens all pieces. The file is whole only if this succeeds.
pub(super) fn open(
    mut seal: ContentSeal,
    from: &mut impl Read,
    to: &mut impl Write,
) -> Result<(), CopyError> {
    loop {
        let sealed = read_piece(from, PIECE + PIECE_OVERHEAD)?;
        let (piece, is_last) = seal.stream.open(&sealed, &seal.covered).map_err(|_| CopyError::Damaged)?;
        to.write_all(&piece).map_err(CopyError::Writing)?;
        if is_last {
            return match read_piece(from, 1)?.is_empty() {
                true => Ok(()),
                false => Err(CopyError::Damaged),
            };
        }
    }
}

/// So many bytes, or all that are left.
fn read_piece(from: &mut impl Read, size: usize) -> Result<Vec<u8>, CopyError> {
    let mut piece = Vec::with_capacity(size);
    from.take(size as u64).read_to_end(&mut piece).map_err(CopyError::Reading)?;
    Ok(piece)
}
