//! Boxes in pieces, with the tag at the end: XSalsa20-Poly1305 of content that is too long for the memory.
//!
//! Ciphertext and tag are those of a [box](crate::crypto_box) of the whole content with the same key and nonce, whatever the
//! pieces were; only the tag comes last. Files are encrypted so, and chunks of files on their way to a recipient.
//!
//! **Nothing that was opened is authentic before [`OpeningBox::finish`] has said so.** Until then it may be anything that
//! somebody on the way wanted it to be: write it to a file that nobody else looks at, and remove that if the tag is wrong.
//!
//! The stream cipher is RustCrypto's, as dryoc has no way to go on with a stream; Poly1305 is dryoc's.

use std::fmt;

use dryoc::classic::crypto_onetimeauth::{
    OnetimeauthState, crypto_onetimeauth_final, crypto_onetimeauth_init, crypto_onetimeauth_update,
};
use salsa20::XSalsa20;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::crypto_box::{BoxKey, TAG_SIZE, Tag};
use crate::{Nonce, OpenError};

/// Both halves of a box, after as many bytes as have gone through them.
struct Stream {
    cipher: XSalsa20,
    authenticator: OnetimeauthState,
}

impl Stream {
    fn new(key: &BoxKey, nonce: &Nonce) -> Self {
        let mut cipher = XSalsa20::new(key.as_bytes().into(), nonce.as_bytes().into());
        // The key of Poly1305 is the beginning of the stream; the content goes on behind it.
        let mut authenticator_key = Zeroizing::new([0; 32]);
        cipher.apply_keystream(authenticator_key.as_mut());
        Self { cipher, authenticator: crypto_onetimeauth_init(&authenticator_key) }
    }

    fn tag(self) -> Tag {
        let mut tag = [0; TAG_SIZE];
        crypto_onetimeauth_final(self.authenticator, &mut tag);
        tag
    }
}

/// A box that is being sealed, piece by piece.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
pub struct SealingBox(Stream);

impl SealingBox {
    /// Begins a box. No two boxes may have both key and nonce in common.
    #[must_use]
    pub fn new(key: &BoxKey, nonce: &Nonce) -> Self {
        Self(Stream::new(key, nonce))
    }

    /// Encrypts the next piece, of any length, in place.
    pub fn seal(&mut self, piece: &mut [u8]) {
        self.0.cipher.apply_keystream(piece);
        crypto_onetimeauth_update(&mut self.0.authenticator, piece);
    }

    /// Ends the box: the tag (16 bytes) belongs behind the last piece.
    #[must_use]
    pub fn finish(self) -> Tag {
        self.0.tag()
    }
}

/// A box that is being opened, piece by piece.
///
/// Source: section 1.6 (`protocol-spec/1-primitives.md`).
pub struct OpeningBox(Stream);

impl OpeningBox {
    /// Begins to open a box.
    #[must_use]
    pub fn new(key: &BoxKey, nonce: &Nonce) -> Self {
        Self(Stream::new(key, nonce))
    }

    /// Decrypts the next piece of the ciphertext, of any length, in place. Nothing of it is authentic yet.
    pub fn open(&mut self, piece: &mut [u8]) {
        crypto_onetimeauth_update(&mut self.0.authenticator, piece);
        self.0.cipher.apply_keystream(piece);
    }

    /// Ends the box: compares the tag in constant time. From here on all pieces are authentic.
    ///
    /// # Errors
    /// [`OpenError::Damaged`]: remove all that was opened.
    pub fn finish(self, tag: &[u8]) -> Result<(), OpenError> {
        if self.0.tag().as_slice().ct_eq(tag).into() { Ok(()) } else { Err(OpenError::Damaged) }
    }
}

impl fmt::Debug for SealingBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingBox(..)")
    }
}

impl fmt::Debug for OpeningBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpeningBox(..)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> BoxKey {
        BoxKey::from_bytes([7; 32])
    }

    fn nonce() -> Nonce {
        Nonce::from_bytes([8; 24])
    }

    /// The same bytes in pieces that end at these places.
    fn cut<'a>(bytes: &'a mut [u8], cuts: &[prop::sample::Index]) -> Vec<&'a mut [u8]> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        let (mut pieces, mut rest, mut start) = (Vec::new(), bytes, 0);
        for end in ends {
            let (piece, after) = rest.split_at_mut(end - start);
            pieces.push(piece);
            (rest, start) = (after, end);
        }
        pieces.push(rest);
        pieces
    }

    fn sealed(content: &[u8], cuts: &[prop::sample::Index]) -> (Vec<u8>, Tag) {
        let (mut bytes, mut sealing) = (content.to_vec(), SealingBox::new(&key(), &nonce()));
        cut(&mut bytes, cuts).into_iter().for_each(|piece| sealing.seal(piece));
        (bytes, sealing.finish())
    }

    proptest! {
        #[test]
        fn pieces_are_the_box_of_the_whole(
            content in prop::collection::vec(any::<u8>(), 0..4_000),
            cuts: [prop::sample::Index; 6],
            other_cuts: [prop::sample::Index; 3],
        ) {
            let (ciphertext, tag) = sealed(&content, &cuts);
            prop_assert_eq!([&tag[..], &ciphertext].concat(), key().seal(&nonce(), &content));
            let (mut bytes, mut opening) = (ciphertext, OpeningBox::new(&key(), &nonce()));
            cut(&mut bytes, &other_cuts).into_iter().for_each(|piece| opening.open(piece));
            prop_assert_eq!(opening.finish(&tag), Ok(()));
            prop_assert_eq!(bytes, content);
        }

        #[test]
        fn any_changed_bit_is_noticed(
            content in prop::collection::vec(any::<u8>(), 0..300), place: prop::sample::Index, bit in 0..8_u8,
        ) {
            let (ciphertext, tag) = sealed(&content, &[]);
            let mut boxed = [ciphertext, tag.to_vec()].concat();
            let place = place.index(boxed.len());
            boxed[place] ^= 1_u8 << bit;
            let (ciphertext, tag) = boxed.split_at_mut(content.len());
            let mut opening = OpeningBox::new(&key(), &nonce());
            opening.open(ciphertext);
            prop_assert_eq!(opening.finish(tag), Err(OpenError::Damaged));
        }
    }

    /// All lengths around the sizes of the ciphers' blocks, and those of chunks.
    #[test]
    fn all_lengths() {
        for length in (0..=1_100).chain([65_520, 65_536, 1_048_560]) {
            let content: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let mut pieces = content.clone();
            let mut sealing = SealingBox::new(&key(), &nonce());
            pieces.chunks_mut(777).for_each(|piece| sealing.seal(piece));
            let boxed = key().seal(&nonce(), &content);
            assert_eq!((&sealing.finish()[..], &pieces[..]), boxed.split_at(TAG_SIZE), "of {length} bytes");
        }
    }

    #[test]
    fn a_tag_of_another_length_is_refused_and_nothing_is_printed() {
        let (_, tag) = sealed(b"", &[]);
        for length in [0, 1, 15] {
            assert_eq!(OpeningBox::new(&key(), &nonce()).finish(&tag[..length]), Err(OpenError::Damaged));
        }
        assert!(OpeningBox::new(&key(), &nonce()).finish(&[&tag[..], &[0]].concat()).is_err());
        let shown =
            format!("{:?} {:?}", SealingBox::new(&key(), &nonce()), OpeningBox::new(&key(), &nonce()));
        assert_eq!(shown, "SealingBox(..) OpeningBox(..)");
    }
}
