//! The application's part of link data.

use crate::encoding::{Decode, DecodeError, Encode, LargeString, Reader, TooLong};

/// The longest data in the form of a short string; a length byte of 255 announces the long form.
const MAX_SHORT: usize = 254;
/// In place of a length: two length bytes follow.
const LONG_FORM: u8 = 0xff;

/// The content of a link that its owner shows to everybody who opens it, a profile for instance. At most 65535 bytes; how much
/// really fits depends on the other parts of the link data.
///
/// Source: section 8.3 (`protocol-spec/8-links.md`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserData(LargeString<'static>);

impl UserData {
    /// Takes the data.
    ///
    /// # Errors
    /// [`TooLong`] if it has more than 65535 bytes.
    pub fn new(data: impl Into<Vec<u8>>) -> Result<Self, TooLong> {
        LargeString::new(data.into()).map(Self)
    }

    /// The data.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Encode for UserData {
    fn encode(&self, out: &mut Vec<u8>) {
        let data = self.as_bytes();
        if data.len() <= MAX_SHORT {
            out.push(data.len() as u8);
            out.extend_from_slice(data);
        } else {
            out.push(LONG_FORM);
            self.0.encode(out);
        }
    }
}

impl Decode<'_> for UserData {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if input.skip(&[LONG_FORM]) {
            Ok(Self(input.read::<LargeString<'_>>()?.into_owned()))
        } else {
            Self::new(input.short()?).map_err(|_| DecodeError::Invalid("user data"))
        }
    }
}
