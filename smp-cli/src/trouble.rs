//! What is wrong with a contact, from when it began until it ends: told once it would be forgotten.

use serde::Serialize;

/// What can be wrong with a contact that is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// What comes from them cannot be decrypted, so they can hardly read what we send. Ends with a message that can.
    Unreadable,
    /// Nothing comes from them. Ends when something does.
    ReceivingStopped,
    /// Their relay holds no more for them. Ends when it takes a message.
    Full,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Full, Self::ReceivingStopped, Self::Unreadable];

    /// Its name in the book, the same as in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::ReceivingStopped => "receiving_stopped",
            Self::Full => "full",
        }
    }

    /// How it is listed.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Unreadable => "messages cannot be read",
            Self::ReceivingStopped => "nothing can be received",
            Self::Full => "their relay holds no more, messages wait",
        }
    }

    /// Whether a text that their relay took may all the same not be read, or not be answered.
    pub(crate) fn concerns_sent_texts(self) -> bool {
        matches!(self, Self::Unreadable | Self::ReceivingStopped)
    }
}

impl Trouble {
    /// From the book. None for a kind that another version knew.
    pub(crate) fn of(contact: i64, kind: &str, reason: String) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind)?;
        Some(Self { contact, kind, reason })
    }
}

/// Something that is wrong now.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Trouble {
    #[serde(skip)]
    pub(crate) contact: i64,
    pub(crate) kind: Kind,
    pub(crate) reason: String,
}
