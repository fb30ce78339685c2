//! Streams of any length, sealed piece by piece: XChaCha20-Poly1305 as libsodium's `crypto_secretstream` uses it.
//!
//! Pieces can be neither changed, reordered, left out nor cut off at the end without being noticed: the last one says that it is.

use dryoc::classic::crypto_secretstream_xchacha20poly1305::{
    State, crypto_secretstream_xchacha20poly1305_init_pull, crypto_secretstream_xchacha20poly1305_pull,
    crypto_secretstream_xchacha20poly1305_push,
};
use dryoc::constants::{
    CRYPTO_SECRETSTREAM_XCHACHA20POLY1305_ABYTES, CRYPTO_SECRETSTREAM_XCHACHA20POLY1305_TAG_FINAL,
    CRYPTO_SECRETSTREAM_XCHACHA20POLY1305_TAG_MESSAGE,
};
use std::fmt;

use crate::OpenError;

/// Size of the nonce in bytes. It is chosen at random for each stream, and stands in front of it.
pub const STREAM_NONCE_SIZE: usize = 24;
/// How many bytes a sealed piece is longer than what is in it.
pub const PIECE_OVERHEAD: usize = CRYPTO_SECRETSTREAM_XCHACHA20POLY1305_ABYTES;

const LAST: u8 = CRYPTO_SECRETSTREAM_XCHACHA20POLY1305_TAG_FINAL;
const NOT_LAST: u8 = CRYPTO_SECRETSTREAM_XCHACHA20POLY1305_TAG_MESSAGE;

/// Seals or opens the pieces of one stream, in their order.
///
/// Source: RFC 8439 for the cipher; libsodium's documentation of `crypto_secretstream` for the construction.
pub struct SealedStream(State);

impl SealedStream {
    /// A stream with this key and nonce, at its beginning. No two streams may have both in common.
    #[must_use]
    pub fn new(key: &[u8; 32], nonce: &[u8; STREAM_NONCE_SIZE]) -> Self {
        let mut state = State::new();
        // Sealing begins like opening: only the nonce has to be chosen, which the caller has done.
        crypto_secretstream_xchacha20poly1305_init_pull(&mut state, nonce, key);
        Self(state)
    }

    /// Seals the next piece. `covered` is authenticated with it, and not contained.
    #[must_use]
    pub fn seal(&mut self, content: &[u8], covered: &[u8], is_last: bool) -> Vec<u8> {
        let mut sealed = vec![0; content.len() + PIECE_OVERHEAD];
        let tag = if is_last { LAST } else { NOT_LAST };
        let done =
            crypto_secretstream_xchacha20poly1305_push(&mut self.0, &mut sealed, content, Some(covered), tag);
        if done.is_err() {
            unreachable!("only a wrong size is refused");
        }
        sealed
    }

    /// Opens the next piece, and says whether it is the last one.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] if it is not the next piece of this stream.
    pub fn open(&mut self, sealed: &[u8], covered: &[u8]) -> Result<(Vec<u8>, bool), OpenError> {
        let length = sealed.len().checked_sub(PIECE_OVERHEAD).ok_or(OpenError::Damaged)?;
        let mut content = vec![0; length];
        let mut tag = 0;
        crypto_secretstream_xchacha20poly1305_pull(
            &mut self.0,
            &mut content,
            &mut tag,
            sealed,
            Some(covered),
        )
        .map_err(|_| OpenError::Damaged)?;
        match tag {
            LAST => Ok((content, true)),
            NOT_LAST => Ok((content, false)),
            _ => Err(OpenError::Damaged),
        }
    }
}

impl fmt::Debug for SealedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedStream(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream() -> SealedStream {
        SealedStream::new(&[1; 32], &[2; 24])
    }

    proptest! {
        #[test]
        fn pieces_come_back(pieces: Vec<Vec<u8>>, covered: Vec<u8>) {
            let (mut sealing, mut opening) = (stream(), stream());
            for (n, piece) in pieces.iter().enumerate() {
                let is_last = n + 1 == pieces.len();
                let sealed = sealing.seal(piece, &covered, is_last);
                prop_assert_eq!(sealed.len(), piece.len() + PIECE_OVERHEAD);
                prop_assert_eq!(opening.open(&sealed, &covered), Ok((piece.clone(), is_last)));
            }
        }

        #[test]
        fn changed_pieces_are_refused(piece: Vec<u8>, at: prop::sample::Index, bit in 0..8_u32) {
            let mut sealed = stream().seal(&piece, b"", true);
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(stream().open(&sealed, b""), Err(OpenError::Damaged));
        }
    }

    /// As libsodium seals them.
    #[test]
    fn known_pieces() {
        let mut sealing = stream();
        assert_eq!(
            hex::encode(sealing.seal(b"first", b"covered", false)),
            "92e5b7092f686a447762c231497589f5c53ed43c327d"
        );
        assert_eq!(
            hex::encode(sealing.seal(b"second", b"", true)),
            "26d721ff7b363c6b1b042e1296582f09fdf30bb0714ce5"
        );
    }

    #[test]
    fn order_and_what_is_covered_count() {
        let mut sealing = stream();
        let (first, second) = (sealing.seal(b"1", b"", false), sealing.seal(b"2", b"", true));
        assert!(stream().open(&second, b"").is_err());
        assert!(stream().open(&first, b"other").is_err());
        assert!(stream().open(&first[..PIECE_OVERHEAD - 1], b"").is_err());
        let mut opening = stream();
        opening.open(&first, b"").unwrap();
        assert!(opening.open(&first, b"").is_err());
    }
}
