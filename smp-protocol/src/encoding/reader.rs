//! Reading from a byte slice without copying.

use std::fmt;

use super::{Decode, DecodeError, Length};

/// The unread rest of an encoding.
///
/// Every method either returns what it read and moves on, or returns an error and leaves the position undefined:
/// after an error the input is of no further use.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({:?})", Length(self.rest.len()))
    }
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// The input that has not been read yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte, which stays unread.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads a value of any type.
    ///
    /// # Errors
    /// As of the type.
    pub fn read<T: Decode<'a>>(&mut self) -> Result<T, DecodeError> {
        T::decode(self)
    }

    /// Reads `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`] if there are fewer.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads an array of `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`] if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`] if there is none.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    /// Reads the contents of a short string: one length byte, then 0 to 255 bytes.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`] if it is cut.
    pub fn short(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.byte()?;
        self.take(usize::from(length))
    }

    /// Reads the contents of a large string: two length bytes, then 0 to 65535 bytes.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`] if it is cut.
    pub fn large(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    /// Reads all that is left, possibly nothing.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Skips `literal` if it comes next, and says whether it did.
    pub fn skip(&mut self, literal: &[u8]) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Reads up to, not including, the first space or the end.
    pub fn word(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| b == b' ').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Checks that everything has been read.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] if not.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}
