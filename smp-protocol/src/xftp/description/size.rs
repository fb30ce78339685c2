//! Sizes in descriptions: `64kb`, `4mb`, or bytes.

use crate::encoding::{DecodeError, TextReader};

/// Units, with their factors.
const UNITS: [(&str, u64); 3] = [("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30)];

/// A size in the largest unit in which it is a whole number.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let unit = UNITS.iter().rev().find(|(_, factor)| bytes.is_multiple_of(*factor));
    match unit {
        Some((name, factor)) => format!("{}{name}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// Reads a size in any unit.
///
/// # Errors
/// [`DecodeError::Invalid`] if it is none, or has more than 64 bits.
pub fn parse_size(text: &str) -> Result<u64, DecodeError> {
    let mut input = TextReader::new(text.as_bytes());
    let number = input.decimal()?;
    let unit = UNITS.iter().find(|(name, _)| input.remaining() == name.as_bytes());
    let factor = match unit {
        Some((_, factor)) => *factor,
        None => input.finish().map(|()| 1)?,
    };
    number.checked_mul(factor).ok_or(DecodeError::Invalid("size"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_sizes() {
        for (bytes, text) in [
            (0, "0gb"),
            (1, "1"),
            (1_023, "1023"),
            (65_536, "64kb"),
            (65_537, "65537"),
            (1_048_576, "1mb"),
            (327_680, "320kb"),
            (5_242_880, "5mb"),
            (1_073_741_824, "1gb"),
            (1_074_790_400, "1025mb"),
        ] {
            assert_eq!((format_size(bytes).as_str(), parse_size(text)), (text, Ok(bytes)));
        }
        assert_eq!(parse_size("1024kb"), Ok(1_048_576));
        for text in ["", "kb", "64 kb", "64KB", "64kbx", "-1", "+1", "1.5mb", "64kbkb", "99999999999gb"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn sizes_come_back(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn reading_never_panics(text: String) {
            let _ = parse_size(&text);
        }
    }
}
