//! Padding: two bytes of length (big-endian), the content, then `#` up to the full size
//! (spec chapter `1-primitives.md`). The bytes of the filling are not looked at when reading.

use crate::TooLongError;

/// Bytes of the length in front of the content.
pub const LENGTH_SIZE: usize = 2;
/// The most content that can be padded, in bytes. Two more would fit the length bytes, but are refused.
pub const MAX_CONTENT: usize = 65533;
/// The filling.
pub const FILL: u8 = b'#';

/// These bytes are not padded content: shorter than the length in front says, or without one.
///
/// Source: section 1.5 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not padded content")]
pub struct UnpadError;

/// The most content that fits into `padded_length` bytes, or nothing if not even the length does.
#[must_use]
pub const fn max_content(padded_length: usize) -> Option<usize> {
    match padded_length.checked_sub(LENGTH_SIZE) {
        Some(room) if room > MAX_CONTENT => Some(MAX_CONTENT),
        room => room,
    }
}

/// Pads content to `padded_length` bytes.
///
/// # Errors
///
/// [`TooLongError`] if the content does not fit.
pub fn pad(content: &[u8], padded_length: usize) -> Result<Vec<u8>, TooLongError> {
    check(content.len(), padded_length)?;
    let mut padded = vec![FILL; padded_length];
    padded[LENGTH_SIZE..][..content.len()].copy_from_slice(content);
    pad_in_place(&mut padded, content.len())?;
    Ok(padded)
}

/// Pads content that is already in its place: behind the first two bytes of `buffer`, `content_length` long.
///
/// # Errors
///
/// [`TooLongError`] if the buffer is too small for that; then it is left as it was.
pub fn pad_in_place(buffer: &mut [u8], content_length: usize) -> Result<(), TooLongError> {
    let [high, low] = check(content_length, buffer.len())?.to_be_bytes();
    (buffer[0], buffer[1]) = (high, low);
    buffer[LENGTH_SIZE + content_length..].fill(FILL);
    Ok(())
}

/// The content of padded bytes.
///
/// # Errors
///
/// [`UnpadError`] if there are fewer bytes than the length in front says, or fewer than two.
pub fn unpad(padded: &[u8]) -> Result<&[u8], UnpadError> {
    let (length, rest) = padded.split_first_chunk().ok_or(UnpadError)?;
    rest.get(..usize::from(u16::from_be_bytes(*length))).ok_or(UnpadError)
}

pub(crate) fn check(content_length: usize, padded_length: usize) -> Result<u16, TooLongError> {
    let limit = max_content(padded_length);
    match u16::try_from(content_length) {
        Ok(length) if limit.is_some_and(|limit| content_length <= limit) => Ok(length),
        _ => Err(TooLongError { length: content_length, limit: limit.unwrap_or(0) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn limits() {
        assert_eq!(pad(&[], 2), Ok(vec![0, 0]));
        assert_eq!(pad(b"abc", 6), Ok(b"\0\x03abc#".to_vec()));
        assert_eq!(pad(b"abc", 4), Err(TooLongError { length: 3, limit: 2 }));
        assert_eq!(pad(&[], 1), Err(TooLongError { length: 0, limit: 0 }));
        assert_eq!(max_content(1), None);
        assert!(pad(&[7; MAX_CONTENT], 70_000).is_ok());
        let too_long = Err(TooLongError { length: MAX_CONTENT + 1, limit: MAX_CONTENT });
        assert_eq!(pad(&[7; MAX_CONTENT + 1], 70_000), too_long);
    }

    #[test]
    fn refused_content_leaves_the_buffer() {
        let mut buffer = [9; 5];
        assert!(pad_in_place(&mut buffer, 4).is_err());
        assert_eq!(buffer, [9; 5]);
    }

    #[test]
    fn filling_is_not_looked_at() {
        assert_eq!(unpad(b"\0\x03abcXYZ"), Ok(&b"abc"[..]));
        assert_eq!(unpad(b"\0\x04abc"), Err(UnpadError));
        assert_eq!(unpad(b"\0"), Err(UnpadError));
        assert_eq!(unpad(b""), Err(UnpadError));
    }

    proptest! {
        #[test]
        fn content_comes_back(content: Vec<u8>, room in 0..200_usize) {
            let padded = pad(&content, content.len() + 2 + room).unwrap();
            prop_assert_eq!(padded.len(), content.len() + 2 + room);
            prop_assert_eq!(unpad(&padded), Ok(&content[..]));
            let mut in_place = [&[0, 0], &content[..], &vec![0; room]].concat();
            pad_in_place(&mut in_place, content.len()).unwrap();
            prop_assert_eq!(in_place, padded);
        }

        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = unpad(&bytes);
        }
    }
}
