//! The ID that both sides know a chat message by.

use std::fmt;

use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::base64url;

/// Shared message ID: random bytes chosen by the sender, by which messages are edited, quoted and deleted.
///
/// We make 12 bytes; any length is read. In JSON it is base64url with padding.
///
/// Source: section 9.3 (`protocol-spec/9-chat.md`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SharedMessageId(Vec<u8>);

impl SharedMessageId {
    /// Length in bytes of the IDs that we make.
    pub const LENGTH: usize = 12;

    /// A new random ID.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = vec![0; Self::LENGTH];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// An ID from its bytes.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes of the ID.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SharedMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for SharedMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedMessageId({self})")
    }
}

impl Serialize for SharedMessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SharedMessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        base64url::decode(text).map(Self).map_err(de::Error::custom)
    }
}
