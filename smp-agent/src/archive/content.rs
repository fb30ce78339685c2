//! The content of an archive: bytes in sealed pieces.

use super::PIECE;
use super::error::ArchiveError;
use super::head::ContentSeal;
use smp_crypto::sealed_stream::PIECE_OVERHEAD;
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

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

/// A content that is being opened, piece by piece. It is whole only if [`rest`](Self::rest) succeeds.
pub(super) struct Opening<'a, R> {
    seal: ContentSeal,
    from: &'a mut R,
    piece: Zeroizing<Vec<u8>>,
    /// Bytes of the piece that were taken.
    taken: usize,
    was_last: bool,
}

impl<'a, R: Read> Opening<'a, R> {
    pub(super) fn new(seal: ContentSeal, from: &'a mut R) -> Self {
        Self { seal, from, piece: Zeroizing::default(), taken: 0, was_last: false }
    }

    /// Writes the next bytes, so many.
    pub(super) fn copy(&mut self, count: u64, to: &mut impl Write) -> Result<(), CopyError> {
        match self.up_to(count, to)? {
            copied if copied == count => Ok(()),
            _ => Err(CopyError::Damaged),
        }
    }

    /// The next bytes, so many.
    pub(super) fn bytes(&mut self, count: usize) -> Result<Zeroizing<Vec<u8>>, CopyError> {
        // Without room for all of them it would be moved, and what it was in not wiped.
        let mut bytes = Zeroizing::new(Vec::with_capacity(count));
        self.copy(count as u64, &mut *bytes)?;
        Ok(bytes)
    }

    /// Writes all that is left.
    pub(super) fn rest(mut self, to: &mut impl Write) -> Result<(), CopyError> {
        self.up_to(u64::MAX, to).map(drop)
    }

    fn up_to(&mut self, count: u64, to: &mut impl Write) -> Result<u64, CopyError> {
        let mut copied = 0;
        while copied < count {
            if self.taken == self.piece.len() {
                if self.was_last {
                    break;
                }
                self.next_piece()?;
            }
            let piece = &self.piece[self.taken..];
            let wanted = usize::try_from(count - copied).unwrap_or(usize::MAX).min(piece.len());
            to.write_all(&piece[..wanted]).map_err(CopyError::Writing)?;
            self.taken += wanted;
            copied += wanted as u64;
        }
        Ok(copied)
    }

    fn next_piece(&mut self) -> Result<(), CopyError> {
        let sealed = read_piece(self.from, PIECE + PIECE_OVERHEAD)?;
        let opened = self.seal.stream.open(&sealed, &self.seal.covered);
        let (piece, is_last) = opened.map_err(|_| CopyError::Damaged)?;
        if is_last && !read_piece(self.from, 1)?.is_empty() {
            return Err(CopyError::Damaged);
        }
        (self.piece, self.taken, self.was_last) = (Zeroizing::new(piece), 0, is_last);
        Ok(())
    }
}

/// So many bytes, or all that are left.
fn read_piece(from: &mut impl Read, size: usize) -> Result<Vec<u8>, CopyError> {
    let mut piece = Vec::with_capacity(size);
    from.take(size as u64).read_to_end(&mut piece).map_err(CopyError::Reading)?;
    Ok(piece)
}
