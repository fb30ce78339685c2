//! Messages of ours, and changes that we make.

use serde_json::Map;
use smp_protocol::chat::{
    ChatEvent, MessageContainer, MessageContent, MessageReference, Quote, Reaction, SharedMessageId,
};
use thiserror::Error;
use time::OffsetDateTime;

use super::{Delivery, Item, Order, Side};

/// Something that cannot be done with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Only one's own messages can be edited and deleted for both sides.
    #[error("it was written by the other side; only your own messages can be changed")]
    NotOurs,
    /// It was deleted.
    #[error("it was deleted")]
    Deleted,
    /// It is no message, but a call or an invitation.
    #[error("it is no text")]
    NoText,
    /// The other side has no name for it.
    #[error("the other side's app gave it no ID, so nothing can be said about it")]
    NoId,
}

impl Item {
    /// A message of ours that the agent does not have yet.
    #[must_use]
    pub fn of_ours(id: SharedMessageId, container: MessageContainer, at: i64) -> Self {
        let first = Order { number: 0, part: 0 };
        Self {
            content_order: Some(first),
            completed: (!container.live).then_some(first),
            is_announced: true,
            ttl: container.ttl,
            event: Some(ChatEvent::MessageNew(container)),
            ..Self::unknown(Side::Ours, Some(id), at)
        }
    }

    /// Notes how far it has come; what is less than known is passed over.
    pub fn advance(&mut self, delivery: Delivery) {
        self.delivery = self.delivery.max(delivery);
    }

    /// A quote of it, for an answer.
    ///
    /// # Errors
    /// If there is nothing to quote.
    pub fn quote(&self) -> Result<Quote, Refusal> {
        let content = self.content()?.clone();
        let sent_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.at) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let message = MessageReference {
            message_id: self.shared_id.clone(),
            sent_at,
            // As the one who quotes sees it.
            sent: self.side == Side::Ours,
            member_id: None,
            other: Map::new(),
        };
        Ok(Quote { message, content, other: Map::new() })
    }

    /// Gives it another text, and makes the event that tells the contact.
    ///
    /// # Errors
    /// If it cannot be changed.
    pub fn edit(&mut self, text: &str) -> Result<ChatEvent, Refusal> {
        let mut content = self.content()?.clone();
        content.text = Some(text.to_owned());
        self.rewrite(content, false)
    }

    /// Gives it another content, and makes the event that tells the contact. `live`: it is still being typed.
    ///
    /// # Errors
    /// If it cannot be changed.
    pub fn rewrite(&mut self, content: MessageContent, live: bool) -> Result<ChatEvent, Refusal> {
        let message_id = self.own_id()?;
        self.content()?;
        let order = self.content_order.unwrap_or(Order { number: 0, part: 0 }).next();
        self.take_content(order, live, content.clone());
        Ok(ChatEvent::MessageUpdate { message_id, content, ttl: None, live, other: Map::new() })
    }

    /// Forgets its content, and makes the event that asks the contact to do so.
    ///
    /// # Errors
    /// If it is not ours, or deleted.
    pub fn take_back(&mut self) -> Result<ChatEvent, Refusal> {
        let message_id = self.own_id()?;
        self.delete();
        Ok(ChatEvent::MessageDelete { message_id, other: Map::new() })
    }

    /// Gives a reaction of ours or takes it back, and makes the event that tells the contact.
    ///
    /// # Errors
    /// If nothing can be said about it.
    pub fn react(&mut self, emoji: &str, add: bool) -> Result<ChatEvent, Refusal> {
        self.content()?;
        let message_id = self.shared_id.clone().ok_or(Refusal::NoId)?;
        let reaction = Reaction::emoji(emoji);
        let given = self.reactions.iter().filter(|given| given.by == Side::Ours);
        let last = given.map(|given| given.order).max().unwrap_or(Order { number: 0, part: 0 });
        self.take_reaction(Side::Ours, &reaction, add, last.next());
        Ok(ChatEvent::Reaction { message_id, reaction, add, other: Map::new() })
    }

    /// The ID of a message of ours that is not deleted.
    fn own_id(&self) -> Result<SharedMessageId, Refusal> {
        if self.side != Side::Ours {
            return Err(Refusal::NotOurs);
        }
        if self.is_deleted {
            return Err(Refusal::Deleted);
        }
        self.shared_id.clone().ok_or(Refusal::NoId)
    }

    fn content(&self) -> Result<&MessageContent, Refusal> {
        if self.is_deleted {
            return Err(Refusal::Deleted);
        }
        self.container().map(|container| &container.content).ok_or(Refusal::NoText)
    }
}
