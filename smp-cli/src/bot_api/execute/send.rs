//! Messages to contacts.

use std::collections::HashMap;

use smp_bot::types::{ChatError, ErrorType, StoreError};
use smp_bot::{Address, ChatRef, ComposedMessage, Response};
use smp_chat::{Contact, Person, Status};
use smp_protocol::chat::{MessageContent, SharedMessageId};

use super::{Outcome, chat_error};
use crate::bot_api::desk::{Desk, Failure};
use crate::session::{LeftContent, SendOptions};

/// Messages of one command.
const MAX_MESSAGES: usize = 100;

/// A command that sends messages.
pub(in crate::bot_api) struct Sending {
    pub(in crate::bot_api) chat: ChatRef,
    pub(in crate::bot_api) live: bool,
    pub(in crate::bot_api) ttl: Option<u32>,
    pub(in crate::bot_api) messages: Vec<ComposedMessage>,
}

/// The messages of one command on their way, with the contact that they go to.
type Left<'a> = (Person, Vec<LeftContent<'a>>);

impl Desk {
    /// Does commands that send, in their order: their messages go together. Returns the answer to each.
    pub(in crate::bot_api) async fn send_all(&self, sendings: Vec<Sending>) -> Vec<Response> {
        let numbers = sendings.iter().filter_map(|sending| match &sending.chat {
            ChatRef::Contact(Address::Number(number)) => Some(*number),
            _ => None,
        });
        // One that fails is tried again for each.
        let people = self.identity().book().people(numbers).await.unwrap_or_default();
        let mut left = Vec::with_capacity(sendings.len());
        for sending in sendings {
            left.push(self.leave(&people, sending).await);
        }
        let mut responses = Vec::with_capacity(left.len());
        for left in left {
            let sent = match left {
                Ok(left) => self.sent(left).await,
                Err(failure) => Err(failure),
            };
            responses.push(sent.unwrap_or_else(|failure| Response::error(chat_error(failure))));
        }
        responses
    }

    async fn leave(&self, people: &HashMap<i64, Person>, sending: Sending) -> Result<Left<'_>, Failure> {
        let Sending { chat, live, ttl, messages } = sending;
        let known = match &chat {
            ChatRef::Contact(Address::Number(number)) => people.get(number).cloned(),
            _ => None,
        };
        let person = match known {
            Some(person) => person,
            None => {
                let contact = self.contact_of(&chat).await?;
                let profile = self.identity().book().profile(&contact).await?;
                Person { contact, profile }
            }
        };
        self.require_connected(&person.contact).await?;
        if messages.is_empty() || messages.len() > MAX_MESSAGES {
            return Err(
                ChatError::command(format!("1 to {MAX_MESSAGES} messages are sent by one command")).into()
            );
        }
        // All of them are looked at before the first one goes.
        let mut read = Vec::with_capacity(messages.len());
        for message in messages {
            read.push(self.composed(&person.contact, message).await?);
        }
        let mut left = Vec::with_capacity(read.len());
        for (content, answered) in read {
            let id = SharedMessageId::generate(&mut rand::rng());
            let options = SendOptions { answered: answered.as_ref(), ttl: ttl.filter(|ttl| *ttl > 0), live };
            left.push(self.identity().leave_content(&person, id, content, options)?);
        }
        Ok((person, left))
    }

    async fn sent(&self, (person, left): Left<'_>) -> Outcome {
        let mut chat_items = Vec::with_capacity(left.len());
        for left in left {
            let sent = left.outcome().await?;
            chat_items.push(self.item_with(&person, &sent.kept).await?);
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
