//! The password that a relay may want before it creates queues.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::encoding::{
    Decode, DecodeError, Encode, MAX_SHORT_STRING, Reader, TextDecode, TextEncode, TextReader,
};

/// A password: 0 to 255 bytes, each of which is a printable Latin-1 character other than white space, `@`, `:` and `/`.
///
/// Text is taken as its UTF-8 bytes. An empty password can be sent but not be read from a text.
/// Comparison takes the same time wherever the passwords differ.
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the UTF-8 bytes of `text`.
    ///
    /// # Errors
    /// [`DecodeError::Invalid`] if there are more than 255 or one is not allowed.
    pub fn new(text: &str) -> Result<Self, DecodeError> {
        Password::from_bytes(text.as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_SHORT_STRING || !bytes.iter().all(|&b| is_allowed(b)) {
            return Err(DecodeError::Invalid("password"));
        }
        Ok(Password(Zeroizing::new(bytes.to_vec())))
    }

    /// The bytes as they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Printable as Unicode sees it: U+00AD, the soft hyphen, is not, and U+00A0 is a space.
fn is_allowed(byte: u8) -> bool {
    match byte {
        b'@' | b':' | b'/' => false,
        0x21..=0x7e => true,
        0xa1..=0xff => byte != 0xad,
        _ => false,
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Password {}

impl std::hash::Hash for Password {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

impl Encode for Password {
    fn encode(&self, out: &mut Vec<u8>) {
        // The constructor has checked that the length fits.
        out.push(self.0.len() as u8);
        out.extend_from_slice(&self.0);
    }
}

impl Decode<'_> for Password {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Password::from_bytes(input.short()?)
    }
}

impl TextEncode for Password {
    fn text_encode(&self, out: &mut String) {
        // Only one that came in a command can be something else than UTF-8, and those are not written to addresses.
        out.push_str(&String::from_utf8_lossy(&self.0));
    }
}

impl TextDecode for Password {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        match input.take_while(|b| b != b'@') {
            b"" => Err(DecodeError::Invalid("password")),
            bytes => Password::from_bytes(bytes),
        }
    }
}
