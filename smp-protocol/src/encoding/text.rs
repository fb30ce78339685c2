//! Text encodings, as they stand in addresses, links and files.

use std::fmt;

use super::{DecodeError, Length};
use crate::base64url;

/// A value with a text form.
///
/// Source: section 1.2 (`protocol-spec/1-primitives.md`).
pub trait TextEncode {
    /// Appends the text form to `out`.
    fn text_encode(&self, out: &mut String);
}

/// A value that can be read from its text form.
///
/// Source: section 1.2 (`protocol-spec/1-primitives.md`).
pub trait TextDecode: Sized {
    /// Reads one value and leaves what follows it in `input`.
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError>;
}

/// The text form of `value`.
pub fn to_text<T: TextEncode + ?Sized>(value: &T) -> String {
    let mut out = String::new();
    value.text_encode(&mut out);
    out
}

/// Reads one value that takes all of `text`.
///
/// # Errors
/// As of the type, and [`DecodeError::TrailingBytes`] if something follows the value.
pub fn from_text<T: TextDecode>(text: &str) -> Result<T, DecodeError> {
    from_text_bytes(text.as_bytes())
}

pub(crate) fn from_text_bytes<T: TextDecode>(text: &[u8]) -> Result<T, DecodeError> {
    let mut input = TextReader::new(text);
    let value = T::text_decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// The unread rest of a text. It is `Copy`, so that a reader can look ahead with a copy of it.
///
/// Source: section 1.2 (`protocol-spec/1-primitives.md`).
#[derive(Clone, Copy)]
pub struct TextReader<'a> {
    rest: &'a [u8],
}

impl fmt::Debug for TextReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextReader({:?})", Length(self.rest.len()))
    }
}

impl<'a> TextReader<'a> {
    /// Reads from the beginning of `text`, which need not be valid UTF-8.
    pub fn new(text: &'a [u8]) -> Self {
        TextReader { rest: text }
    }

    /// The input that has not been read yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// The next byte, which stays unread.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`] if there is none.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(byte)
    }

    /// Reads bytes as long as `accept` says so, possibly none.
    pub fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&b| !accept(b)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
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

    /// Skips `literal`, which must come next.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] if it does not.
    pub fn expect(&mut self, literal: &[u8]) -> Result<(), DecodeError> {
        if self.skip(literal) { Ok(()) } else { Err(DecodeError::Invalid("separator")) }
    }

    /// Reads a decimal number of one or more digits.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] if there is no digit or the number has more than 64 bits.
    pub fn decimal(&mut self) -> Result<u64, DecodeError> {
        let digits = self.take_while(|b| b.is_ascii_digit());
        let text = std::str::from_utf8(digits).map_err(|_| DecodeError::Invalid("number"))?;
        text.parse().map_err(|_| DecodeError::Invalid("number"))
    }

    /// Reads a non-empty base64url string with or without padding.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] if there is none, or it is not canonical.
    pub fn base64url(&mut self) -> Result<Vec<u8>, DecodeError> {
        let start = self.rest;
        let digits = self.take_while(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_').len();
        let padding = self.take_while(|b| b == b'=').len();
        if digits == 0 {
            return Err(DecodeError::Invalid("base64url text"));
        }
        Ok(base64url::decode(&start[..digits + padding])?)
    }

    /// Checks that everything has been read.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`] if not.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}
