//! A conversation: its items, and what a message does to them. Pure: no store, no network, no clock.
//!
//! Each part of an item is decided by the greatest [`Order`] of the events that concern it, and a deletion is final. So events may come
//! in any order, and more than once: the items are the same in the end. An event about a message that has not come yet waits as
//! an item without content.

mod file;
mod item;
mod order;
mod own;
mod receive;

pub use self::file::ReceivedFile;
pub use self::item::{Delivery, GivenReaction, Item, MAX_FILE_PARTS, MAX_REACTIONS};
pub use self::order::{Order, Side};
pub use self::own::Refusal;
pub use self::receive::{Effect, Outcome, named};

/// Items of a conversation: all of them, or those that an event can concern ([`named`]).
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    /// The items, in any order. Indices in an [`Outcome`] are positions here.
    pub items: Vec<Item>,
}

#[cfg(test)]
mod tests;
