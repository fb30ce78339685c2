//! The order of events, and whose a message is.

/// Where an event stands among those of a connection: later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// The agent's number of the message that it came in.
    pub number: i64,
    /// Which of the events in that message.
    pub part: i64,
}

impl Order {
    /// Behind this one, and before any of a later message.
    pub(super) fn next(self) -> Self {
        Self { part: self.part.saturating_add(1), ..self }
    }
}

/// The side that a message or a reaction is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Sent from here.
    Ours,
    /// Sent by the contact.
    Theirs,
}
