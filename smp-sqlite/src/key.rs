//! `DatabaseKey`: the key that seals the pages of a file.

use std::fmt;
use zeroize::Zeroizing;

/// Size of a key in bytes.
pub const KEY_SIZE: usize = 32;

/// The key of a database, used as it is: it has to be random. Wiped when it is dropped.
#[derive(Clone)]
pub struct DatabaseKey(Zeroizing<[u8; KEY_SIZE]>);

impl DatabaseKey {
    /// A key of random bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; KEY_SIZE]>) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_SIZE] {
        &self.0
    }

    /// As SQLite takes it: `raw` says that nothing is to be derived from it.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Zeroizing::new(String::with_capacity(4 + 2 * KEY_SIZE));
        text.push_str("raw:");
        for byte in *self.0 {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
        }
        text
    }
}

impl fmt::Debug for DatabaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseKey(..)")
    }
}
