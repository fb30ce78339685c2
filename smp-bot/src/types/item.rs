//! Items of conversations, alone and in the chat that they are in.

use serde::Serialize;
use serde_json::{Map, Value, json};
use smp_chat::KeptItem;
use smp_chat::conversation::{Delivery, Item, Side};
use smp_protocol::chat::{ChatEvent, Reaction, SharedMessageId};

use super::at;
use super::contact::{Contact, ContactRequest, PendingConnection};
use super::shared::Shared;

/// How long after it was sent an item can be edited and deleted for both sides, in milliseconds: a day.
const CHANGEABLE: i64 = 24 * 3600 * 1000;

/// The chat that an item is in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ChatInfo {
    /// With one contact.
    Direct {
        /// The contact.
        contact: Shared<Contact>,
    },
    /// With somebody who asks.
    ContactRequest {
        /// The request.
        contact_request: Box<ContactRequest>,
    },
    /// With somebody who has not come yet.
    ContactConnection {
        /// The connection.
        contact_connection: Box<PendingConnection>,
    },
}

/// A chat with some of its items.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// The chat.
    pub chat_info: ChatInfo,
    /// Items, oldest first.
    pub chat_items: Vec<ChatItem>,
    /// Numbers of it.
    pub chat_stats: ChatStats,
}

/// Numbers of a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChatStats {
    /// Items that nobody has read.
    pub unread_count: i64,
    /// Mentions among them.
    pub unread_mentions: i64,
    /// Reports.
    pub reports_count: i64,
    /// The first of them.
    pub min_unread_item_id: i64,
    /// Whether it was marked as unread.
    pub unread_chat: bool,
}

/// An item with the chat that it is in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ItemInChat {
    /// The chat.
    pub chat_info: ChatInfo,
    /// The item.
    pub chat_item: ChatItem,
}

/// An item that was deleted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Deletion {
    /// As it was.
    pub deleted_chat_item: ItemInChat,
    /// As it is, if something is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_chat_item: Option<ItemInChat>,
}

/// A reaction to an item.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReactionInChat {
    /// The chat.
    pub chat_info: ChatInfo,
    /// The reaction.
    pub chat_reaction: ItemReaction,
}

/// A reaction with its item.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ItemReaction {
    /// The side that gave it.
    pub chat_dir: Value,
    /// The item.
    pub chat_item: ChatItem,
    /// The time.
    pub sent_at: String,
    /// The reaction.
    pub reaction: Value,
}

/// A reaction of one side to an item in a chat.
#[must_use]
pub fn reaction_of(
    chat_info: ChatInfo,
    chat_item: ChatItem,
    by: Side,
    reaction: &Reaction,
    sent_at: i64,
) -> ReactionInChat {
    let chat_reaction = ItemReaction {
        chat_dir: direction(by),
        chat_item,
        sent_at: at(sent_at),
        reaction: reaction.to_json(),
    };
    ReactionInChat { chat_info, chat_reaction }
}

/// An item.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChatItem {
    /// The side that it is of.
    pub chat_dir: Value,
    /// Its number, times and state.
    pub meta: Meta,
    /// Its content.
    pub content: Value,
    /// People who are mentioned in it.
    pub mentions: Map<String, Value>,
    /// The item that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted_item: Option<Value>,
    /// Reactions to it.
    pub reactions: Vec<Value>,
}

/// Number, times and state of an item.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Its number: of no other item, ever.
    pub item_id: i64,
    /// The time: sent, or received by the relay.
    pub item_ts: String,
    /// As text.
    pub item_text: String,
    /// How far it has come.
    pub item_status: Value,
    /// The ID by which both sides know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_shared_msg_id: Option<String>,
    /// Whether somebody else said it first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_forwarded: Option<Value>,
    /// Whether it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_deleted: Option<Value>,
    /// Whether it has other words than at first.
    pub item_edited: bool,
    /// When it disappears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_timed: Option<Value>,
    /// Whether it is still being typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_live: Option<bool>,
    /// Whether the user is mentioned.
    pub user_mention: bool,
    /// Whether there is a link in it.
    pub has_link: bool,
    /// Whether it can be deleted for both sides.
    pub deletable: bool,
    /// Whether it can be edited.
    pub editable: bool,
    /// Whether a group is shown as its sender.
    pub show_group_as_sender: bool,
    /// Its beginning.
    pub created_at: String,
    /// Its last change.
    pub updated_at: String,
}

impl ChatItem {
    /// The item as programs see it at this Unix time in milliseconds. `quoted` is the number of the item that it answers, if that is known.
    #[must_use]
    pub fn of(kept: &KeptItem, quoted: Option<i64>, now: i64) -> Self {
        let item = &kept.item;
        Self {
            chat_dir: direction(item.side),
            meta: meta(kept, now),
            content: content(item),
            mentions: Map::new(),
            quoted_item: quote(item, quoted),
            reactions: reactions(item),
        }
    }
}

fn direction(side: Side) -> Value {
    match side {
        Side::Ours => json!({ "type": "directSnd" }),
        Side::Theirs => json!({ "type": "directRcv" }),
    }
}

fn meta(kept: &KeptItem, now: i64) -> Meta {
    let item = &kept.item;
    let time = at(item.at);
    let is_own = item.side == Side::Ours && !item.is_deleted;
    let is_recent = is_own && now.saturating_sub(item.at) < CHANGEABLE;
    let container = item.container();
    Meta {
        item_id: kept.number,
        item_ts: time.clone(),
        item_text: text(item),
        item_status: status(item),
        item_shared_msg_id: item.shared_id.as_ref().map(SharedMessageId::to_string),
        item_forwarded: container
            .filter(|container| container.forwarded)
            .map(|_| json!({ "type": "unknown" })),
        item_deleted: item.is_deleted.then(|| json!({ "type": "deleted", "chatType": "direct" })),
        item_edited: item.is_edited(),
        item_timed: item.ttl.map(|ttl| json!({ "ttl": ttl })),
        item_live: item.is_live().then_some(true),
        user_mention: false,
        has_link: false,
        deletable: is_recent,
        editable: is_recent && container.is_some(),
        show_group_as_sender: false,
        created_at: time.clone(),
        updated_at: time,
    }
}

/// The words of the item, without those that it quotes.
fn text(item: &Item) -> String {
    match (item.container(), item.is_deleted) {
        (Some(container), _) => container.content.text.clone().unwrap_or_default(),
        (None, true) => "this item is deleted".to_owned(),
        (None, false) => item.line().map(|line| line.text).unwrap_or_default(),
    }
}

fn status(item: &Item) -> Value {
    match (item.side, item.delivery) {
        (Side::Theirs, _) => json!({ "type": "rcvNew" }),
        (Side::Ours, Delivery::New | Delivery::Queued) => json!({ "type": "sndNew" }),
        (Side::Ours, Delivery::Failed) => {
            json!({ "type": "sndError", "agentError": { "type": "other", "sndError": "given up" } })
        }
        (Side::Ours, Delivery::Sent) => json!({ "type": "sndSent", "sndProgress": "complete" }),
        (Side::Ours, Delivery::Received) => {
            json!({ "type": "sndRcvd", "msgRcptStatus": "ok", "sndProgress": "complete" })
        }
    }
}

fn content(item: &Item) -> Value {
    let kind = |snd: &str, rcv: &str| if item.side == Side::Ours { snd.to_owned() } else { rcv.to_owned() };
    match &item.event {
        Some(ChatEvent::MessageNew(container)) => {
            json!({ "type": kind("sndMsgContent", "rcvMsgContent"), "msgContent": container.content.to_json() })
        }
        Some(ChatEvent::Other { event, .. }) if event.starts_with("x.call.") => {
            json!({ "type": kind("sndCall", "rcvCall"), "status": "missed", "duration": 0 })
        }
        None if item.is_deleted => {
            json!({ "type": kind("sndDeleted", "rcvDeleted"), "deleteMode": "broadcast" })
        }
        // Said in words, as a text that nobody wrote.
        _ => {
            let text = item.line().map(|line| line.text).unwrap_or_default();
            json!({ "type": kind("sndMsgContent", "rcvMsgContent"), "msgContent": { "type": "unknown", "text": text } })
        }
    }
}

fn quote(item: &Item, quoted: Option<i64>) -> Option<Value> {
    let quote = item.container()?.quote.as_ref()?;
    // As the writer of the item saw it.
    let is_ours = quote.message.sent == (item.side == Side::Ours);
    let sent_at = i64::try_from(quote.message.sent_at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let mut value = json!({
        "chatDir": direction(if is_ours { Side::Ours } else { Side::Theirs }),
        "sentAt": at(sent_at),
        "content": quote.content.to_json(),
    });
    if let Some(quoted) = quoted {
        value["itemId"] = quoted.into();
    }
    if let Some(id) = &quote.message.message_id {
        value["sharedMsgId"] = id.to_string().into();
    }
    Some(value)
}

/// Each reaction once, with the number of sides that gave it.
fn reactions(item: &Item) -> Vec<Value> {
    let mut counted: Vec<(&Reaction, bool, i64)> = Vec::new();
    for given in item.given() {
        let is_ours = given.by == Side::Ours;
        match counted.iter_mut().find(|(reaction, ..)| **reaction == given.reaction) {
            Some((_, ours, total)) => {
                *ours |= is_ours;
                *total += 1;
            }
            None => counted.push((&given.reaction, is_ours, 1)),
        }
    }
    let counted = counted.into_iter();
    counted
        .map(|(reaction, ours, total)| {
            json!({ "reaction": reaction.to_json(), "userReacted": ours, "totalReacted": total })
        })
        .collect()
}
