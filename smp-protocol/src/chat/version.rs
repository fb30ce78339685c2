//! Chat protocol versions: the `v` property of every message.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A chat protocol version.
///
/// Source: section 9.3 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatVersion(pub u16);

/// A range of chat versions, both ends included, minimum not above maximum. Text: `1-9`, or `1` for a single version.
///
/// Source: section 9.3 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChatVersionRange {
    min: ChatVersion,
    max: ChatVersion,
}

/// Versions that we announce: `1-9`.
///
/// Applications take the lower of both maxima as the version of the conversation. 8 is what makes them turn on
/// post-quantum encryption and send compressed messages, 9 what makes them send several messages in one, all of which
/// we read. 10 and later only promise features of business chats, groups and short links that we do not have.
pub const SUPPORTED_CHAT_VERSIONS: ChatVersionRange =
    ChatVersionRange { min: ChatVersion(1), max: ChatVersion(9) };

impl ChatVersionRange {
    /// Versions of a message without `v`: version 1 only.
    pub const INITIAL: Self = Self { min: ChatVersion(1), max: ChatVersion(1) };

    /// A range, `None` if the minimum is above the maximum.
    #[must_use]
    pub fn new(min: ChatVersion, max: ChatVersion) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    /// The lowest version of the range.
    #[must_use]
    pub fn min(self) -> ChatVersion {
        self.min
    }

    /// The highest version of the range.
    #[must_use]
    pub fn max(self) -> ChatVersion {
        self.max
    }

    /// The version to use with a partner who announced `other`: the highest that both have.
    #[must_use]
    pub fn compatible(self, other: Self) -> Option<ChatVersion> {
        let max = self.max.min(other.max);
        (max >= self.min.max(other.min)).then_some(max)
    }
}

impl fmt::Display for ChatVersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min.0)
        } else {
            write!(f, "{}-{}", self.min.0, self.max.0)
        }
    }
}

/// The text is not a version range. Treat the message as unreadable.
///
/// Source: section 9.3 (`protocol-spec/9-chat.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a chat version range")]
pub struct BadChatVersionRange;

impl FromStr for ChatVersionRange {
    type Err = BadChatVersionRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (min, max) = text.split_once('-').unwrap_or((text, text));
        Self::new(parse_version(min)?, parse_version(max)?).ok_or(BadChatVersionRange)
    }
}

fn parse_version(digits: &str) -> Result<ChatVersion, BadChatVersionRange> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadChatVersionRange);
    }
    digits.parse().map(ChatVersion).map_err(|_| BadChatVersionRange)
}

impl Serialize for ChatVersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChatVersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        assert_eq!(SUPPORTED_CHAT_VERSIONS.to_string(), "1-9");
        assert_eq!(ChatVersionRange::INITIAL.to_string(), "1");
        assert_eq!("1-9".parse(), Ok(SUPPORTED_CHAT_VERSIONS));
        for bad in ["", "-", "1-", "-1", "+1", "2-1", "1-65536", "1 ", "a"] {
            assert_eq!(bad.parse::<ChatVersionRange>(), Err(BadChatVersionRange), "{bad}");
        }
    }

    #[test]
    fn agreement_is_the_highest_common_version() {
        let range = |min, max| ChatVersionRange::new(ChatVersion(min), ChatVersion(max)).unwrap();
        assert_eq!(SUPPORTED_CHAT_VERSIONS.compatible(range(1, 18)), Some(ChatVersion(9)));
        assert_eq!(SUPPORTED_CHAT_VERSIONS.compatible(range(1, 8)), Some(ChatVersion(8)));
        assert_eq!(SUPPORTED_CHAT_VERSIONS.compatible(range(10, 18)), None);
    }
}
