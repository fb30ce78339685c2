//! Byte strings and texts with a length in front, and the tail without one.

use std::borrow::Cow;
use std::fmt;

use super::{Decode, DecodeError, Encode, InvalidText, Reader, TooLong, debug_bytes};

/// The most bytes in a [`ShortString`].
pub const MAX_SHORT_STRING: usize = 255;
/// The most bytes in a [`LargeString`].
pub const MAX_LARGE_STRING: usize = 65535;

macro_rules! byte_string {
    ($(#[$doc:meta])* $name:ident, $max:expr, $length:ty, $read:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name<'a>(Cow<'a, [u8]>);

        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                debug_bytes(stringify!($name), &self.0, f)
            }
        }

        impl<'a> $name<'a> {
            /// Takes borrowed or owned bytes.
            ///
            /// # Errors
            /// [`TooLong`] if the length does not fit in the length field.
            pub fn new(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, TooLong> {
                let bytes = bytes.into();
                if bytes.len() > $max {
                    return Err(TooLong { length: bytes.len(), maximum: $max });
                }
                Ok($name(bytes))
            }

            /// The contents, without the length.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// The contents, copied only if they were borrowed.
            pub fn into_bytes(self) -> Cow<'a, [u8]> {
                self.0
            }

            /// The same with its own copy of the contents.
            pub fn into_owned(self) -> $name<'static> {
                $name(Cow::Owned(self.0.into_owned()))
            }
        }

        impl Encode for $name<'_> {
            fn encode(&self, out: &mut Vec<u8>) {
                // The constructor has checked that the length fits.
                out.extend_from_slice(&(self.0.len() as $length).to_be_bytes());
                out.extend_from_slice(&self.0);
            }
        }

        impl<'a> Decode<'a> for $name<'a> {
            fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok($name(Cow::Borrowed(input.$read()?)))
            }
        }

        impl AsRef<[u8]> for $name<'_> {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl Default for $name<'_> {
            fn default() -> Self {
                $name(Cow::Borrowed(&[]))
            }
        }

        impl<'a> TryFrom<&'a [u8]> for $name<'a> {
            type Error = TooLong;

            fn try_from(bytes: &'a [u8]) -> Result<Self, TooLong> {
                $name::new(bytes)
            }
        }

        impl TryFrom<Vec<u8>> for $name<'static> {
            type Error = TooLong;

            fn try_from(bytes: Vec<u8>) -> Result<Self, TooLong> {
                $name::new(bytes)
            }
        }
    };
}

byte_string!(
    /// 0 to 255 bytes with a length byte in front (`shortString`).
    ///
    /// Source: section 1.1 (`protocol-spec/1-primitives.md`).
    ShortString, MAX_SHORT_STRING, u8, short
);
byte_string!(
    /// 0 to 65535 bytes with two length bytes in front (`largeString`).
    ///
    /// Source: section 1.1 (`protocol-spec/1-primitives.md`).
    LargeString, MAX_LARGE_STRING, u16, large
);

/// For byte strings whose size shows that they fit.
impl<const N: usize> From<[u8; N]> for ShortString<'static> {
    fn from(bytes: [u8; N]) -> Self {
        const { assert!(N <= MAX_SHORT_STRING) };
        ShortString(Cow::Owned(bytes.to_vec()))
    }
}

/// All bytes up to the end of the input, without a length.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Tail<'a>(pub Cow<'a, [u8]>);

impl fmt::Debug for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_bytes("Tail", &self.0, f)
    }
}

impl Encode for Tail<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl<'a> Decode<'a> for Tail<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Tail(Cow::Borrowed(input.rest())))
    }
}

/// UTF-8 text of at most 255 bytes in the form of a short string.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ShortText<'a>(Cow<'a, str>);

impl<'a> ShortText<'a> {
    /// Takes borrowed or owned text.
    ///
    /// # Errors
    /// [`TooLong`] if it has more than 255 bytes.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, TooLong> {
        let text = text.into();
        if text.len() > MAX_SHORT_STRING {
            return Err(TooLong { length: text.len(), maximum: MAX_SHORT_STRING });
        }
        Ok(ShortText(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same with its own copy of the text.
    pub fn into_owned(self) -> ShortText<'static> {
        ShortText(Cow::Owned(self.0.into_owned()))
    }
}

impl Encode for ShortText<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        out.extend_from_slice(self.0.as_bytes());
    }
}

impl<'a> Decode<'a> for ShortText<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(input.short()?).map_err(|_| DecodeError::Invalid("UTF-8 text"))?;
        Ok(ShortText(Cow::Borrowed(text)))
    }
}

/// Text of at most 255 characters up to U+00FF, one byte each, in the form of a short string.
///
/// Only the texts inside `BROKER` errors have this form.
///
/// Source: section 4.6 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Latin1Text(Vec<u8>);

impl Latin1Text {
    /// Takes the characters of `text`.
    ///
    /// # Errors
    /// [`InvalidText`] if there are more than 255, or one is above U+00FF.
    pub fn new(text: &str) -> Result<Self, InvalidText> {
        let bytes: Vec<u8> = text
            .chars()
            .map(|c| u8::try_from(u32::from(c)))
            .collect::<Result<_, _>>()
            .map_err(|_| InvalidText)?;
        if bytes.len() > MAX_SHORT_STRING {
            return Err(InvalidText);
        }
        Ok(Latin1Text(bytes))
    }

    /// Takes what of `text` can be sent: other characters become `?`, and what is over 255 characters is cut.
    pub fn lossy(text: &str) -> Self {
        let bytes = text.chars().take(MAX_SHORT_STRING).map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'));
        Latin1Text(bytes.collect())
    }

    /// The bytes, one for each character.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Latin1Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&b| fmt::Write::write_char(f, char::from(b)))
    }
}

impl Encode for Latin1Text {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.0.len() as u8);
        out.extend_from_slice(&self.0);
    }
}

impl Decode<'_> for Latin1Text {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Latin1Text(input.short()?.to_vec()))
    }
}

/// Reads UTF-8, with `?` for each byte that is not.
pub(crate) fn lossy_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}
