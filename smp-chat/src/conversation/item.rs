//! An item of a conversation: one message, and all that is known of it by now.

use std::collections::BTreeMap;

use smp_protocol::chat::{ChatEvent, MessageContainer, MessageContent, Reaction, SharedMessageId};

use super::{Order, Side};
use crate::words::{self, Line};

/// The most reactions that are kept of one item. An application has some dozen emoji to choose from.
pub const MAX_REACTIONS: usize = 64;

/// The most parts of a file's description that are kept: 5 GiB need 19 of those that we make.
pub const MAX_FILE_PARTS: usize = 32;

/// How far a message of ours has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// Written down, and perhaps not handed to the agent yet.
    New,
    /// The agent has it.
    Queued,
    /// The agent has given it up.
    Failed,
    /// The contact's relay has it.
    Sent,
    /// The contact's application has it.
    Received,
}

impl Delivery {
    /// As people see it.
    #[must_use]
    pub fn tick(self) -> &'static str {
        match self {
            Self::New => "?",
            Self::Queued => "…",
            Self::Failed => "✗",
            Self::Sent => "✓",
            Self::Received => "✓✓",
        }
    }
}

/// A reaction to an item.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenReaction {
    /// The side that gave it.
    pub by: Side,
    /// The reaction.
    pub reaction: Reaction,
    /// Whether it stands; else it was taken back.
    pub is_given: bool,
    /// The event that said so.
    pub order: Order,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The side that it is of.
    pub side: Side,
    /// The ID by which both sides know it.
    pub shared_id: Option<SharedMessageId>,
    /// The event that made it. None while only others about it have come, and while the agent has no number for one of ours.
    pub origin: Option<Order>,
    /// Unix time in milliseconds: received by the relay, or written here.
    pub at: i64,
    /// Its content: `x.msg.new` with the last content, or an event that is kept as it came. None if it was deleted, or has not come.
    pub event: Option<ChatEvent>,
    /// The event that the content is of.
    pub content_order: Option<Order>,
    /// The first event that had the content whole: not while it was being typed.
    pub completed: Option<Order>,
    /// Whether it was taken back. For good.
    pub is_deleted: bool,
    /// Whether its file is not offered any more.
    pub is_cancelled: bool,
    /// Whether a line about its content was made.
    pub is_announced: bool,
    /// Disappears this many seconds after it was read, or sent.
    pub ttl: Option<u32>,
    /// Reactions, also those that were taken back.
    pub reactions: Vec<GivenReaction>,
    /// Parts of the description of its file, by their numbers, as they came; of a message of ours that of its sender, under 0.
    pub file_parts: BTreeMap<u64, String>,
    /// How far it has come, if it is ours.
    pub delivery: Delivery,
}

impl Item {
    /// An item of which nothing is known yet.
    #[must_use]
    pub fn unknown(side: Side, shared_id: Option<SharedMessageId>, at: i64) -> Self {
        Self {
            side,
            shared_id,
            origin: None,
            at,
            event: None,
            content_order: None,
            completed: None,
            is_deleted: false,
            is_cancelled: false,
            is_announced: false,
            ttl: None,
            reactions: Vec::new(),
            file_parts: BTreeMap::new(),
            delivery: Delivery::New,
        }
    }

    /// Whether there is something to show: not before it has come, nor while it is being typed.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        (self.event.is_some() && (self.is_announced || !self.is_live()))
            || (self.is_deleted && self.is_announced)
    }

    /// Whether its writer has not completed it.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.container().is_some_and(|container| container.live)
    }

    /// Whether the content is another one than at first.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.completed.is_some_and(|completed| self.content_order > Some(completed))
    }

    /// The message, if it is one and not deleted.
    #[must_use]
    pub fn container(&self) -> Option<&MessageContainer> {
        match &self.event {
            Some(ChatEvent::MessageNew(container)) => Some(container),
            _ => None,
        }
    }

    /// It in words, with what it quotes. None if there is nothing to show.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        match &self.event {
            Some(ChatEvent::MessageNew(container)) => Some(words::container_line(container)),
            Some(ChatEvent::Other { event, params }) => words::other(event, params),
            _ => None,
        }
    }

    /// How it reads by itself, to say which one is meant.
    pub(super) fn meant(&self) -> Option<String> {
        let content = self.container()?.content.display_text();
        (!content.is_empty()).then_some(content)
    }

    /// The reactions that stand.
    pub fn given(&self) -> impl Iterator<Item = &GivenReaction> {
        self.reactions.iter().filter(|reaction| reaction.is_given)
    }

    /// Takes a content, if it is newer than the one that is there. Returns whether it was.
    pub(super) fn take_content(&mut self, order: Order, live: bool, content: MessageContent) -> bool {
        if matches!(self.event, Some(ChatEvent::Other { .. })) {
            return false;
        }
        if !live {
            self.completed = Some(self.completed.map_or(order, |known| known.min(order)));
        }
        if self.content_order >= Some(order) {
            return false;
        }
        self.content_order = Some(order);
        if self.is_deleted {
            return false;
        }
        match &mut self.event {
            Some(ChatEvent::MessageNew(container)) => {
                container.content = content;
                container.live = live;
            }
            event => {
                let mut container = MessageContainer::new(content);
                container.live = live;
                *event = Some(ChatEvent::MessageNew(container));
            }
        }
        true
    }

    /// Forgets what it says, for good. Returns whether that is new.
    pub(super) fn delete(&mut self) -> bool {
        self.event = None;
        self.file_parts.clear();
        !std::mem::replace(&mut self.is_deleted, true)
    }

    /// Takes a reaction, if it is newer than what is known. Returns whether something has changed for people.
    pub(super) fn take_reaction(
        &mut self,
        by: Side,
        reaction: &Reaction,
        is_given: bool,
        order: Order,
    ) -> bool {
        let known = self.reactions.iter().position(|known| known.by == by && known.reaction == *reaction);
        match known {
            Some(at) => {
                let known = &mut self.reactions[at];
                if known.order >= order {
                    return false;
                }
                known.order = order;
                std::mem::replace(&mut known.is_given, is_given) != is_given
            }
            None if self.reactions.len() >= MAX_REACTIONS => false,
            None => {
                self.reactions.push(GivenReaction { by, reaction: reaction.clone(), is_given, order });
                is_given
            }
        }
    }
}
