//! Messages of the contact, and the changes that they make.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use smp_protocol::chat::{
    ChatEvent, ChatMessage, MessageContainer, MessageContent, Profile, Reaction, SharedMessageId,
};

use super::{Conversation, Item, MAX_FILE_PARTS, Order, Side};
use crate::words::{self, Line};

/// An effect of an event, besides what it does to items.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A line is to be shown, about the item at this index.
    Show(Line, usize),
    /// The contact is to get this. It may be sent again if the event comes again.
    Answer(Box<ChatEvent>),
    /// The contact's profile is another one now.
    Profile(Box<Profile>),
    /// The contact has deleted us.
    Ended,
}

/// The result of an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Indices of the items that have changed, or are new.
    pub changed: BTreeSet<usize>,
    /// In the order in which they are to happen.
    pub effects: Vec<Effect>,
}

/// The IDs of messages that an event of the contact names. A [`Conversation`] that is to receive it needs the items of both sides that have
/// them, those of the same [`Order`], and those that the contact is typing.
#[must_use]
pub fn named(message: &ChatMessage) -> Vec<SharedMessageId> {
    let about = match &message.event {
        ChatEvent::MessageUpdate { message_id, .. }
        | ChatEvent::MessageDelete { message_id, .. }
        | ChatEvent::Reaction { message_id, .. } => Some(message_id.clone()),
        ChatEvent::Other { params, .. } => about(params),
        _ => None,
    };
    message.message_id.iter().cloned().chain(about).collect()
}

/// The message that the parameters of an event are about.
fn about(params: &Map<String, Value>) -> Option<SharedMessageId> {
    serde_json::from_value(params.get("msgId")?.clone()).ok()
}

impl Conversation {
    /// Takes a message of the contact that the relay received at this Unix time in milliseconds. The same one again changes nothing, and
    /// has no effects that would be seen twice.
    pub fn receive(&mut self, message: ChatMessage, order: Order, at: i64) -> Outcome {
        let mut step = Step { conversation: self, outcome: Outcome::default(), order, at };
        step.take(message);
        step.outcome
    }

    /// The item of a side with this ID.
    fn find(&self, side: Side, id: &SharedMessageId) -> Option<usize> {
        self.items.iter().position(|item| item.side == side && item.shared_id.as_ref() == Some(id))
    }
}

/// One event that is being taken.
struct Step<'a> {
    conversation: &'a mut Conversation,
    outcome: Outcome,
    order: Order,
    at: i64,
}

impl Step<'_> {
    fn take(&mut self, message: ChatMessage) {
        let id = message.message_id;
        match message.event {
            ChatEvent::MessageNew(container) => self.message(id, container),
            ChatEvent::MessageUpdate { message_id, content, ttl, live, .. } => {
                self.update(message_id, content, ttl, live);
            }
            ChatEvent::MessageDelete { message_id, .. } => self.delete(message_id),
            ChatEvent::Reaction { message_id, reaction, add, .. } => self.react(message_id, &reaction, add),
            ChatEvent::Info(profile) => self.effect(Effect::Profile(Box::new(profile))),
            ChatEvent::DirectDelete => self.effect(Effect::Ended),
            ChatEvent::Other { event, params } => self.other(id, event, params),
            _ => {}
        }
    }

    /// `x.msg.new`. A second one of the same ID is another message, which nothing can be said about.
    fn message(&mut self, id: Option<SharedMessageId>, container: MessageContainer) {
        let Some(at) = self.new_item(id) else { return };
        let (order, live) = (self.order, container.live);
        let item = self.item(at);
        item.ttl = container.ttl;
        let content = container.content.clone();
        // Its last content may have come before it.
        let known = item.container().map(|known| (known.content.clone(), known.live));
        if !item.is_deleted {
            let mut container = container;
            if let Some((content, live)) = known {
                container.content = content;
                container.live = live;
            }
            item.event = Some(ChatEvent::MessageNew(container));
        }
        item.take_content(order, live, content);
        self.announce(at);
    }

    fn update(&mut self, id: SharedMessageId, content: MessageContent, ttl: Option<u32>, live: bool) {
        let at = self.of_theirs(id);
        let order = self.order;
        let item = self.item(at);
        let is_first = !item.is_announced;
        let was_known = item.event.is_some();
        if !item.take_content(order, live, content.clone()) {
            return;
        }
        if item.origin.is_none() {
            item.ttl = ttl;
        }
        if live && !was_known {
            self.announce_unfinished(at);
        }
        match (is_first && was_known, live) {
            (_, true) => {}
            (true, false) => self.announce(at),
            (false, false) => {
                self.item(at).is_announced = true;
                self.effect(Effect::Show(words::edited(&content), at));
            }
        }
    }

    fn delete(&mut self, id: SharedMessageId) {
        let at = self.of_theirs(id);
        let item = self.item(at);
        let is_known = item.origin.is_some() || item.event.is_some();
        if item.delete() && is_known {
            item.is_announced = true;
            self.effect(Effect::Show(words::deleted(), at));
        }
    }

    /// A reaction to a message of either side. One that is not known can only be theirs: of ours all are known.
    fn react(&mut self, id: SharedMessageId, reaction: &Reaction, add: bool) {
        let ours = self.conversation.find(Side::Ours, &id);
        let at = ours.unwrap_or_else(|| self.of_theirs(id));
        let order = self.order;
        let item = self.item(at);
        let has_changed = item.take_reaction(Side::Theirs, reaction, add, order);
        if has_changed && item.event.is_some() {
            let line = words::reacted(reaction, add, item.meant().as_deref());
            self.effect(Effect::Show(line, at));
        }
    }

    fn other(&mut self, id: Option<SharedMessageId>, event: String, params: Map<String, Value>) {
        match event.as_str() {
            "x.msg.file.descr" => self.file_description(&params),
            "x.file.cancel" => self.cancel_file(&params),
            "x.call.inv" => {
                // It would ring until the caller gives up.
                let call = params.get("callId").filter(|call| call.is_string()).cloned();
                self.event(id, event, params);
                if let Some(call) = call {
                    let params = Map::from_iter([("callId".to_owned(), call)]);
                    self.effect(Effect::Answer(Box::new(ChatEvent::Other {
                        event: "x.call.end".to_owned(),
                        params,
                    })));
                }
            }
            _ if words::is_silent(&event) => {}
            _ => self.event(id, event, params),
        }
    }

    /// An event that is kept as it came, as an item.
    fn event(&mut self, id: Option<SharedMessageId>, event: String, params: Map<String, Value>) {
        let Some(at) = self.new_item(id) else { return };
        let order = self.order;
        let item = self.item(at);
        item.content_order = Some(order);
        item.completed = Some(order);
        if !item.is_deleted {
            item.event = Some(ChatEvent::Other { event, params });
        }
        self.announce(at);
    }

    fn file_description(&mut self, params: &Map<String, Value>) {
        let part = || {
            let part = params.get("fileDescr")?;
            Some((part.get("fileDescrPartNo")?.as_u64()?, part.get("fileDescrText")?.as_str()?.to_owned()))
        };
        let (Some(id), Some((number, text))) = (about(params), part()) else { return };
        let at = self.of_theirs(id);
        let item = self.item(at);
        if !item.is_deleted && item.file_parts.len() < MAX_FILE_PARTS {
            item.file_parts.entry(number).or_insert(text);
        }
    }

    fn cancel_file(&mut self, params: &Map<String, Value>) {
        let Some(id) = about(params) else { return };
        let at = self.of_theirs(id);
        let item = self.item(at);
        let meant = item.line().map(|line| line.text);
        if !std::mem::replace(&mut item.is_cancelled, true) && item.event.is_some() {
            self.effect(Effect::Show(words::file_cancelled(meant.as_deref()), at));
        }
    }

    /// The item that this event makes, new or known by others about it. None if the event was taken before.
    fn new_item(&mut self, id: Option<SharedMessageId>) -> Option<usize> {
        let (order, received) = (self.order, self.at);
        let items = &self.conversation.items;
        if items.iter().any(|item| item.side == Side::Theirs && item.origin == Some(order)) {
            return None;
        }
        let known = id.as_ref().and_then(|id| self.conversation.find(Side::Theirs, id));
        let at = match known {
            Some(at) if self.conversation.items.get(at).is_some_and(|item| item.origin.is_none()) => at,
            Some(_) => self.add(Item::unknown(Side::Theirs, None, received)),
            None => self.add(Item::unknown(Side::Theirs, id, received)),
        };
        let item = self.item(at);
        item.origin = Some(order);
        item.at = received;
        self.announce_unfinished(at);
        Some(at)
    }

    /// The contact's item of this ID; one that has not come yet is begun.
    fn of_theirs(&mut self, id: SharedMessageId) -> usize {
        match self.conversation.find(Side::Theirs, &id) {
            Some(at) => at,
            None => {
                let unknown = Item::unknown(Side::Theirs, Some(id), self.at);
                self.add(unknown)
            }
        }
    }

    fn add(&mut self, item: Item) -> usize {
        self.conversation.items.push(item);
        self.conversation.items.len() - 1
    }

    /// An item that this event changes.
    fn item(&mut self, at: usize) -> &mut Item {
        self.outcome.changed.insert(at);
        &mut self.conversation.items[at]
    }

    /// Shows an item that is whole, once.
    fn announce(&mut self, at: usize) {
        let item = self.item(at);
        if item.is_announced || item.is_live() {
            return;
        }
        if let Some(line) = item.line() {
            item.is_announced = true;
            self.effect(Effect::Show(line, at));
        }
    }

    /// Shows what the contact was typing and will not complete, as they go on with the item at this index.
    fn announce_unfinished(&mut self, next: usize) {
        for at in 0..self.conversation.items.len() {
            let item = &self.conversation.items[at];
            if at == next || item.side != Side::Theirs || item.is_announced || !item.is_live() {
                continue;
            }
            let Some(line) = item.container().map(words::unfinished) else { continue };
            self.item(at).is_announced = true;
            self.effect(Effect::Show(line, at));
        }
    }

    fn effect(&mut self, effect: Effect) {
        self.outcome.effects.push(effect);
    }
}
