//! Messages to a contact.

use smp_bot::types::{ChatError, ErrorType, StoreError};
use smp_bot::{ChatRef, ComposedMessage, Response};
use smp_chat::{Contact, Status};
use smp_protocol::chat::{MessageContent, SharedMessageId};

use super::Outcome;
use crate::bot_api::desk::{Desk, Failure};
use crate::session::SendOptions;

/// Messages of one command.
const MAX_MESSAGES: usize = 100;

impl Desk {
    pub(super) async fn send(
        &self,
        chat: &ChatRef,
        live: bool,
        ttl: Option<u32>,
        messages: Vec<ComposedMessage>,
    ) -> Outcome {
        let contact = self.contact_of(chat).await?;
        self.require_connected(&contact).await?;
        if messages.is_empty() || messages.len() > MAX_MESSAGES {
            return Err(
                ChatError::command(format!("1 to {MAX_MESSAGES} messages are sent by one command")).into()
            );
        }
        // All of them are looked at before the first one goes.
        let mut read = Vec::with_capacity(messages.len());
        for message in messages {
            read.push(self.composed(&contact, message).await?);
        }
        let mut chat_items = Vec::with_capacity(read.len());
        for (content, answered) in read {
            let id = SharedMessageId::generate(&mut rand::rng());
            let options = SendOptions { answered: answered.as_ref(), ttl: ttl.filter(|ttl| *ttl > 0), live };
            let number = self.identity().send_content(&contact, id, content, options).await?;
            let kept = self.identity().book().item(&contact, number).await?;
            chat_items.push(self.item_in_chat(&contact, &kept).await?);
        }
        Ok(Response::NewChatItems { user: self.user(), chat_items })
    }

    async fn composed(
        &self,
        contact: &Contact,
        message: ComposedMessage,
    ) -> Result<(MessageContent, Option<smp_chat::KeptItem>), Failure> {
        if let Some(file) = message.file_source.filter(|file| !file.is_null()) {
            let message = file["filePath"].as_str().unwrap_or_default().to_owned();
            return Err(ErrorType::FileNotFound { message }.into());
        }
        let content = MessageContent::from_json(message.msg_content)
            .map_err(|error| ChatError::command(format!("Failed reading: {error}")))?;
        if content.text.as_ref().is_some_and(String::is_empty) && content.other.is_empty() {
            return Err(ChatError::command("the text is empty").into());
        }
        let answered = match message.quoted_item_id {
            Some(number) => {
                let kept = self.kept_item(contact, number).await?;
                kept.item.quote().map_err(|_| StoreError::InvalidQuote)?;
                Some(kept)
            }
            None => None,
        };
        Ok((content, answered))
    }

    pub(super) async fn require_connected(&self, contact: &Contact) -> Result<(), Failure> {
        match contact.status {
            Status::Connected => Ok(()),
            Status::Ended => {
                Err(ErrorType::ContactNotActive { contact: self.contact(contact).await? }.into())
            }
            Status::Invited | Status::Requested | Status::Joining => {
                Err(ErrorType::ContactNotReady { contact: self.contact(contact).await? }.into())
            }
        }
    }
}
