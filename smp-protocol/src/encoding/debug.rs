//! Bytes in `Debug`: release builds show how many there are, so that no identifier gets into a log with whatever contains it.

use std::fmt;

/// Prints `name(<base64url>)`, in release builds `name(<n> bytes)`.
pub(crate) fn debug_bytes(name: &str, bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if cfg!(debug_assertions) {
        write!(f, "{name}({})", crate::base64url::encode_unpadded(bytes))
    } else {
        write!(f, "{name}({:?})", Length(bytes.len()))
    }
}

/// Prints as `<n> bytes`: stands for bytes of which nobody wants to see more.
pub(crate) struct Length(pub(crate) usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}
