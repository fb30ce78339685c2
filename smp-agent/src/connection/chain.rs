//! The chains that both sides make of their messages: a number, and the hash of the message before (chapter 6).

use crate::event::Integrity;
use serde::{Deserialize, Serialize};

/// The last message of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChainEnd {
    /// Its number; 0 before the first. The confirmation has number 1, which is not sent with it.
    pub(crate) number: i64,
    /// SHA-256 of its encoding; empty before the first.
    #[serde(with = "crate::stored")]
    pub(crate) hash: Vec<u8>,
}

impl ChainEnd {
    /// Number of the message that will be sent next.
    pub(crate) fn next_number(&self) -> i64 {
        self.number.saturating_add(1)
    }

    /// Takes the message that was sent or received.
    pub(crate) fn append(&mut self, number: i64, hash: [u8; 32]) {
        self.number = number;
        self.hash = hash.to_vec();
    }

    /// Whether a received message with this number and hash continues the chain. None if it is the last one once more.
    pub(crate) fn check(&self, number: i64, previous_hash: &[u8], hash: &[u8; 32]) -> Option<Integrity> {
        let expected = self.next_number();
        if number == self.number && self.hash == hash {
            None
        } else if number <= self.number {
            Some(Integrity::BadNumber)
        } else if number > expected {
            Some(Integrity::Skipped { first: expected, last: number - 1 })
        } else if previous_hash != self.hash {
            Some(Integrity::BadHash)
        } else {
            Some(Integrity::Ok)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_what_does_not_continue_the_chain() {
        let mut end = ChainEnd::default();
        end.append(1, [7; 32]);
        let skipped = |last| Integrity::Skipped { first: 2, last };
        let other = [9; 32];
        assert_eq!(end.check(2, &[7; 32], &other), Some(Integrity::Ok));
        assert_eq!(end.check(2, &[8; 32], &other), Some(Integrity::BadHash));
        assert_eq!(end.check(1, &[], &[7; 32]), None);
        // From a copy of the peer that has not sent the first one.
        assert_eq!(end.check(1, &[], &other), Some(Integrity::BadNumber));
        assert_eq!(end.check(0, &[], &other), Some(Integrity::BadNumber));
        assert_eq!(end.check(i64::MIN, &[], &other), Some(Integrity::BadNumber));
        assert_eq!(end.check(5, &[7; 32], &other), Some(skipped(4)));
        assert_eq!(end.check(i64::MAX, &[7; 32], &other), Some(skipped(i64::MAX - 1)));
    }
}
