//! base64url (RFC 4648 section 5), the text form of bytes in the protocol (spec chapter `1-primitives.md`).
//!
//! It is written with padding, except in short links. It is read with all of its padding or without any; other
//! padding, unused bits that are not zero and other characters are refused.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const PADDED: GeneralPurpose = engine(DecodePaddingMode::RequireCanonical);
const UNPADDED: GeneralPurpose = engine(DecodePaddingMode::RequireNone);

const fn engine(padding: DecodePaddingMode) -> GeneralPurpose {
    let written = matches!(padding, DecodePaddingMode::RequireCanonical);
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(padding).with_encode_padding(written);
    GeneralPurpose::new(&alphabet::URL_SAFE, config)
}

/// The text is not base64url.
///
/// Source: section 1.2 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url text")]
pub struct Base64Error;

/// Text with padding: the usual form.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    PADDED.encode(bytes)
}

/// Text without padding: the form in short links.
#[must_use]
pub fn encode_unpadded(bytes: &[u8]) -> String {
    UNPADDED.encode(bytes)
}

/// Reads text with or without padding.
///
/// # Errors
///
/// [`Base64Error`] for characters outside the alphabet, incomplete padding and unused bits that are not zero.
pub fn decode(text: impl AsRef<[u8]>) -> Result<Vec<u8>, Base64Error> {
    let text = text.as_ref();
    let engine = if text.ends_with(b"=") { &PADDED } else { &UNPADDED };
    engine.decode(text).map_err(|_| Base64Error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn padding_is_complete_or_absent() {
        assert_eq!(decode("_w=="), Ok(vec![0xff]));
        assert_eq!(decode("_w"), Ok(vec![0xff]));
        assert_eq!(decode(""), Ok(vec![]));
        for text in ["_w=", "_w===", "_w====", "=", "====", "AAAA=", "AAAA====", "A", "A==="] {
            assert_eq!(decode(text), Err(Base64Error), "{text}");
        }
    }

    #[test]
    fn unused_bits_and_other_characters_are_refused() {
        for text in ["_x==", "_x", "+/+/", "AAAA AAAA", "AAAA\n", "AA=A", "\u{e9}AAA"] {
            assert_eq!(decode(text), Err(Base64Error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_forms_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes)), Ok(bytes.clone()));
            prop_assert_eq!(decode(encode_unpadded(&bytes)), Ok(bytes.clone()));
            prop_assert_eq!(encode(&bytes).replace('=', ""), encode_unpadded(&bytes));
        }

        #[test]
        fn one_text_for_the_same_bytes(text in "[A-Za-z0-9_-]{0,9}={0,3}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert!(text == encode(&bytes) || text == encode_unpadded(&bytes));
            }
        }
    }
}
