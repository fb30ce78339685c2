//! Primitive encodings, binary and text (chapter `1-primitives.md`).
//!
//! Binary: [`Encode`] and [`Decode`] with a [`Reader`]; text: [`TextEncode`] and [`TextDecode`] with a [`TextReader`].
//! Numbers are big endian. A value that cannot be written cannot be built: strings and lists check their length in their constructors
//! ([`ShortString`], [`LargeString`], [`List`], [`NonEmpty`]), so encoding itself never fails.
//!
//! # Where we deliberately differ from the reference implementation
//!
//! | input | reference | here | why |
//! |---|---|---|---|
//! | short string of more than 255 bytes | length modulo 256 is written | [`TooLong`] when the value is built | the bytes after the wrapped length would be read as something else |
//! | large string of more than 65535 bytes | length modulo 65536 is written | [`TooLong`] when the value is built | same |
//! | list of more than 255 items | count modulo 256 is written | [`TooLong`] when the value is built | same |
//! | characters over 255 in texts of `BROKER` errors | low 8 bits are written | [`InvalidText`] when the value is built | another text would arrive |
//! | decimal number over the maximum of its type in a text | reduced modulo 2^16, 2^32 | refused | it would silently mean another version or port |
//! | last part of an IPv4 address over 255 | reduced modulo 256 | refused | it would silently mean another host |
//! | port of a relay that is not a number up to 65535 | any text is kept | refused | nothing can be connected to it |
//! | `PROXY PROTOCOL` errors nested deeper than 16 | any depth is read | refused | the stack that a reader needs must not depend on the peer |
//! | relay fingerprint that is not 32 bytes | any length is kept | refused | no certificate can have it |
//!
//! The tests in `tests/` check each row.

mod basic;
mod debug;
mod error;
mod key;
mod list;
mod reader;
mod string;
mod text;

pub use basic::{UnixSeconds, UtcTime};
pub(crate) use debug::{Length, debug_bytes};
pub use error::{DecodeError, InvalidText, TooLong};
pub use list::{List, MAX_ITEMS, NonEmpty};
pub use reader::Reader;
pub(crate) use string::lossy_text;
pub use string::{LargeString, Latin1Text, MAX_LARGE_STRING, MAX_SHORT_STRING, ShortString, ShortText, Tail};
pub(crate) use text::from_text_bytes;
pub use text::{TextDecode, TextEncode, TextReader, from_text, to_text};

/// A value with one binary encoding. Encoding cannot fail: a value that cannot be written cannot be built.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
pub trait Encode {
    /// Appends the encoding to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

/// A value that can be read from its binary encoding, borrowing long parts from the input where its type does.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
pub trait Decode<'a>: Sized {
    /// Reads one value and leaves what follows it in `input`.
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// The encoding of `value` in a new vector.
pub fn to_bytes<T: Encode + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.encode(&mut out);
    out
}

/// Reads one value that takes all of `bytes`.
///
/// # Errors
/// As of the type, and [`DecodeError::TrailingBytes`] if something follows the value.
pub fn from_bytes<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut input = Reader::new(bytes);
    let value = T::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
}
