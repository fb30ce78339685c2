//! The code that two people compare over another channel.

use smp_crypto::hash::sha256;
use subtle::ConstantTimeEq;

use crate::associated_data::AssociatedData;

/// Decimal digits between two spaces.
const GROUP: usize = 5;

/// SHA-256 of the [`AssociatedData`], 32 bytes.
///
/// Both sides print it as one big-endian number in decimal, without leading zeros, in groups of five digits
/// from the left: up to 78 digits, the last group may be shorter. SimpleX apps show the same text.
///
/// Source: section 9.5 (`protocol-spec/9-chat.md`).
#[derive(Clone, PartialEq, Eq)]
pub struct SecurityCode([u8; 32]);

impl SecurityCode {
    /// The code of a connection that began with these keys.
    #[must_use]
    pub fn of(associated_data: &AssociatedData) -> Self {
        Self(sha256(associated_data.as_bytes()))
    }

    /// The hash itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `text` is this code, however it is divided by white space.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let typed: String = text.split_whitespace().collect();
        self.digits().as_bytes().ct_eq(typed.as_bytes()).into()
    }

    /// The number in decimal.
    fn digits(&self) -> String {
        let mut number = self.0;
        let mut digits = Vec::new();
        while number != [0; 32] {
            digits.push(char::from(b'0' + divide_by_ten(&mut number)));
        }
        if digits.is_empty() {
            digits.push('0');
        }
        digits.iter().rev().collect()
    }
}

/// Divides a big-endian number in place and returns the remainder.
fn divide_by_ten(number: &mut [u8; 32]) -> u8 {
    let mut remainder = 0;
    for byte in number {
        let value = (remainder << 8) | u16::from(*byte);
        // Below 256, because the remainder is below 10.
        *byte = (value / 10) as u8;
        remainder = value % 10;
    }
    remainder as u8
}

impl std::fmt::Display for SecurityCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, digit) in self.digits().chars().enumerate() {
            if index > 0 && index.is_multiple_of(GROUP) {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for SecurityCode {
    /// Prints the name of the type only: it identifies the connection.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecurityCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_and_smallest() {
        assert_eq!(
            SecurityCode([0xff; 32]).to_string(),
            "11579 20892 37316 19542 35709 85008 68790 78532 69984 66564 05640 39457 58400 79131 29639 935"
        );
        assert_eq!(SecurityCode([0; 32]).to_string(), "0");
        let mut small = [0; 32];
        small[30..].copy_from_slice(&[0x01, 0xe2]);
        assert_eq!(SecurityCode(small).to_string(), "482");
    }

    #[test]
    fn compared_without_white_space() {
        let code = SecurityCode([7; 32]);
        let text = code.to_string();
        assert!(code.matches(&text));
        assert!(code.matches(&format!(" {}\n", text.replace(' ', ""))));
        assert!(!code.matches(&text[1..]));
        assert!(!code.matches(""));
    }
}
