//! `RecoveryPhrase`: 24 words for 256 random bits (BIP-39), which people can write down.

use bip39::{Language, Mnemonic};
use rand::CryptoRng;
use std::fmt;
use std::str::FromStr;
use zeroize::{Zeroize as _, Zeroizing};

/// Words of a phrase.
const WORDS: usize = 24;

/// 24 words of the English list of BIP-39. [`to_words`](Self::to_words) gives them; nothing else prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryPhrase(Mnemonic);

/// Why a text is no recovery phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhraseError {
    /// It has another number of words.
    #[error("a recovery phrase has 24 words, not {0}")]
    Words(usize),
    /// A word is not in the list.
    #[error("word {0} is not one of the list; check it for mistypings")]
    Unknown(usize),
    /// All words are in the list, but do not belong together.
    #[error("the words do not belong together; check their order, and that none is another one of the list")]
    Checksum,
}

impl RecoveryPhrase {
    /// A new phrase.
    ///
    /// # Panics
    /// Never: each 256 bits are a phrase.
    #[must_use]
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut entropy = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *entropy);
        match Mnemonic::from_entropy(&*entropy) {
            Ok(mnemonic) => Self(mnemonic),
            Err(_) => unreachable!("256 bits are a size of BIP-39"),
        }
    }

    /// The words, with a space between any two.
    #[must_use]
    pub fn to_words(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(String::with_capacity(WORDS * 9));
        for word in self.0.words() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        words
    }

    /// The bits that the words stand for.
    pub(super) fn entropy(&self) -> Zeroizing<Vec<u8>> {
        let (mut bytes, size) = self.0.to_entropy_array();
        let entropy = Zeroizing::new(bytes[..size].to_vec());
        bytes.zeroize();
        entropy
    }
}

impl Drop for RecoveryPhrase {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for RecoveryPhrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryPhrase(..)")
    }
}

impl FromStr for RecoveryPhrase {
    type Err = PhraseError;

    /// Takes them as people write them: any space between words, numbers in front of them, capitals.
    fn from_str(text: &str) -> Result<Self, PhraseError> {
        let is_word = |word: &&str| word.trim_end_matches(['.', ')', ':']).parse::<u8>().is_err();
        let words: Vec<_> =
            text.split_whitespace().filter(is_word).map(|word| Zeroizing::new(word.to_lowercase())).collect();
        if words.len() != WORDS {
            return Err(PhraseError::Words(words.len()));
        }
        let list = Language::English;
        if let Some(unknown) = words.iter().position(|word| list.find_word(word).is_none()) {
            return Err(PhraseError::Unknown(unknown + 1));
        }
        let text = Zeroizing::new(words.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(" "));
        Mnemonic::parse_in_normalized(list, &text).map(Self).map_err(|_| PhraseError::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of BIP-39 for 256 bits: the first, and one with all kinds of bits.
    #[test]
    fn known_phrases() {
        let zeros = format!("{} art", vec!["abandon"; 23].join(" "));
        let phrase: RecoveryPhrase = zeros.parse().unwrap();
        assert_eq!(phrase.entropy()[..], [0; 32]);
        let phrase: RecoveryPhrase =
            "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing \
            screen patrol group space point ten exist slush involve unfold"
                .parse()
                .unwrap();
        let expected = "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f";
        let hex: String = phrase.entropy().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn phrases_come_back_as_people_write_them() {
        let phrase = RecoveryPhrase::generate(&mut rand::rng());
        let words = phrase.to_words();
        let numbered: String = words
            .split(' ')
            .enumerate()
            .map(|(n, word)| format!("{}. {}\r\n", n + 1, word.to_uppercase()))
            .collect();
        for text in [words.to_string(), numbered, format!("  {}\n", words.replace(' ', "\t "))] {
            assert_eq!(text.parse(), Ok(phrase.clone()));
        }
        assert_eq!(format!("{phrase:?}"), "RecoveryPhrase(..)");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let zeros = format!("{} art", vec!["abandon"; 23].join(" "));
        let parse = |text: &str| text.parse::<RecoveryPhrase>().unwrap_err();
        assert_eq!(parse(""), PhraseError::Words(0));
        assert_eq!(parse(&zeros.replacen("abandon ", "", 1)), PhraseError::Words(23));
        assert_eq!(parse(&zeros.replacen("abandon", "abandom", 1)), PhraseError::Unknown(1));
        assert_eq!(parse(&zeros.replacen("abandon", "ability", 1)), PhraseError::Checksum);
    }
}
