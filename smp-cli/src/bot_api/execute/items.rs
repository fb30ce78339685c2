//! Changes of items: other words, deletions, reactions.

use serde_json::Value;
use smp_bot::types::{ChatError, Deletion, ErrorType, reaction_of};
use smp_bot::{ChatRef, DeleteMode, Response};
use smp_chat::conversation::Side;
use smp_chat::profile::Feature;
use smp_protocol::chat::{MessageContent, Reaction};

use super::Outcome;
use crate::bot_api::desk::Desk;
use crate::text::unix_millis;

/// Reactions that SimpleX apps show.
const REACTIONS: [&str; 8] = ["👍", "👎", "😀", "😂", "😢", "❤", "🚀", "✅"];

impl Desk {
    pub(super) async fn update(&self, chat: &ChatRef, number: i64, live: bool, content: Value) -> Outcome {
        let contact = self.contact_of(chat).await?;
        let kept = self.kept_item(&contact, number).await?;
        let content = MessageContent::from_json(content)
            .map_err(|error| ChatError::command(format!("Failed reading: {error}")))?;
        let Some(container) = kept.item.container().filter(|_| kept.item.side == Side::Ours) else {
            return Err(ErrorType::InvalidChatItemUpdate.into());
        };
        if container.content == content && container.live == live {
            let chat_item = Box::new(self.item_in_chat(&contact, &kept).await?);
            return Ok(Response::ChatItemNotChanged { user: self.user(), chat_item });
        }
        self.require_connected(&contact).await?;
        self.identity().change(&contact, number, |item| item.rewrite(content.clone(), live)).await?;
        let kept = self.kept_item(&contact, number).await?;
        let chat_item = Box::new(self.item_in_chat(&contact, &kept).await?);
        Ok(Response::ChatItemUpdated { user: self.user(), chat_item })
    }

    pub(super) async fn delete_items(&self, chat: &ChatRef, numbers: &[i64], mode: DeleteMode) -> Outcome {
        let contact = self.contact_of(chat).await?;
        if mode == DeleteMode::History {
            return Err(ErrorType::InvalidChatItemDelete.into());
        }
        let mut items = Vec::with_capacity(numbers.len());
        for number in numbers {
            let kept = self.kept_item(&contact, *number).await?;
            let is_own = kept.item.side == Side::Ours && !kept.item.is_deleted;
            if mode == DeleteMode::Broadcast && !is_own {
                return Err(ErrorType::InvalidChatItemDelete.into());
            }
            items.push(kept);
        }
        if mode == DeleteMode::Broadcast {
            self.require_connected(&contact).await?;
        }
        let mut chat_item_deletions = Vec::with_capacity(items.len());
        for kept in items {
            let deleted_chat_item = self.item_in_chat(&contact, &kept).await?;
            let to_chat_item = match mode {
                DeleteMode::Internal | DeleteMode::History => {
                    self.identity().book().forget(&kept).await?;
                    None
                }
                DeleteMode::Broadcast => {
                    self.identity().change(&contact, kept.number, |item| item.take_back()).await?;
                    match self.identity().book().item(&contact, kept.number).await {
                        Ok(kept) => Some(self.item_in_chat(&contact, &kept).await?),
                        Err(_) => None,
                    }
                }
            };
            chat_item_deletions.push(Deletion { deleted_chat_item, to_chat_item });
        }
        Ok(Response::ChatItemsDeleted { user: self.user(), chat_item_deletions, by_user: true, timed: false })
    }

    pub(super) async fn react(&self, chat: &ChatRef, number: i64, on: bool, reaction: &Value) -> Outcome {
        let contact = self.contact_of(chat).await?;
        self.kept_item(&contact, number).await?;
        // An SDK calls the type a tag.
        let is_emoji = [&reaction["type"], &reaction["tag"]].iter().any(|kind| *kind == "emoji");
        let Some(emoji) = reaction["emoji"].as_str().filter(|_| is_emoji) else {
            return Err(ChatError::command("Failed reading: expected a reaction of type emoji").into());
        };
        // Apps write the heart without the sign that colours it.
        let emoji = emoji.trim_end_matches('\u{fe0f}');
        if !REACTIONS.contains(&emoji) {
            let message = format!("apps drop other reactions than {}", REACTIONS.join(" "));
            return Err(ChatError::command(message).into());
        }
        let profile = self.identity().book().profile(&contact).await?;
        if !Feature::Reactions.is_ours_with(profile.as_ref()) {
            return Err(ChatError::command("the contact does not want reactions").into());
        }
        self.require_connected(&contact).await?;
        self.identity().change(&contact, number, |item| item.react(emoji, on)).await?;
        let kept = self.kept_item(&contact, number).await?;
        let chat = self.item_in_chat(&contact, &kept).await?;
        let reaction =
            reaction_of(chat.chat_info, chat.chat_item, Side::Ours, &Reaction::emoji(emoji), unix_millis());
        Ok(Response::ChatItemReaction { user: self.user(), added: on, reaction: Box::new(reaction) })
    }
}
