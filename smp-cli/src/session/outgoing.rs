//! Messages of ours: written down in the book, handed to the agent, and followed until the contact has them.

use smp_agent::{AgentError, MessageId, StorageError};
use smp_chat::compose::{self, Outgoing, TextError};
use smp_chat::conversation::{Item, Refusal};
use smp_chat::profile::{Disappearing, disappear_after, profile_for};
use smp_chat::{BookError, Contact, KeptItem, Person};
use smp_protocol::chat::{ChatEvent, MessageContent, SharedMessageId};

use super::handing_over::{HandedOver, Left, NotHandedOver};
use super::identity::{Identity, about, connection};
use crate::files::advised;

impl Identity {
    /// Hands a text to the agent, which keeps it until the contact's relay has it. A long one becomes several messages, the first of
    /// which quotes the item that it answers.
    pub(crate) async fn send_text(
        &self,
        contact: &Contact,
        text: &str,
        answered: Option<&KeptItem>,
    ) -> anyhow::Result<Vec<MessageId>> {
        if let Some(error) = self.agent().no_space() {
            return Err(AgentError::from(error).into());
        }
        let ttl = disappear_after(contact.disappearing, self.book().profile(contact).await?.as_ref());
        let quote = answered.map(|kept| kept.item.quote()).transpose()?;
        let messages = compose::messages(text, quote, ttl, contact.reads_compressed(), &mut rand::rng())?;
        let mut numbers = Vec::new();
        for message in messages {
            numbers.push(self.hand_over(contact, message).await?.message);
        }
        Ok(numbers)
    }

    /// As [`send_text`](Self::send_text), with a content of any kind, under this ID and in one message. Returns the number of its item.
    pub(crate) async fn send_content(
        &self,
        contact: &Contact,
        id: SharedMessageId,
        content: MessageContent,
        options: SendOptions<'_>,
    ) -> anyhow::Result<i64> {
        let people = self.book().people([contact.id].into_iter()).await?;
        let person = people.get(&contact.id).ok_or(BookError::Removed)?;
        Ok(self.leave_content(person, id, content, options)?.outcome().await?.kept.number)
    }

    /// Answers a message by a text, under this ID: the same answer again is not sent twice. A text that does not fit into one message goes in
    /// several, of which only the first has the ID.
    pub(crate) async fn send_answer(
        &self,
        contact: &Contact,
        id: SharedMessageId,
        text: &str,
        answered: &KeptItem,
    ) -> anyhow::Result<()> {
        let options = SendOptions {
            answered: Some(answered).filter(|kept| kept.item.quote().is_ok()),
            ..SendOptions::default()
        };
        match self.send_content(contact, id, MessageContent::text(text), options).await {
            Err(error) if matches!(error.downcast_ref(), Some(TextError::ContentTooLong)) => {
                self.send_text(contact, text, options.answered).await.map(drop)
            }
            sent => sent.map(drop),
        }
    }

    /// Greets somebody who asked by our contact address and was let in, once.
    pub(super) async fn welcome(&self, contact: &Contact) -> anyhow::Result<()> {
        let Some(content) = self.book().welcome().await?.filter(|_| contact.by_address) else {
            return Ok(());
        };
        let content =
            serde_json::from_str(&content).ok().and_then(|json| MessageContent::from_json(json).ok());
        let Some(content) = content else { return Ok(()) };
        // The same if the event comes again.
        let connection = contact.connection.to_be_bytes();
        let id = SharedMessageId::from_bytes([&b"hello"[..], &connection[1..]].concat());
        if self.book().has_own(contact, &id).await? {
            return Ok(());
        }
        match self.send_content(contact, id, content, SendOptions::default()).await {
            Err(error)
                if matches!(error.downcast_ref(), Some(AgentError::Storage(_) | AgentError::ShutDown)) =>
            {
                Err(error)
            }
            // The event must not come again for ever.
            _ => Ok(()),
        }
    }

    /// Leaves a content for the contact, as [`send_content`](Self::send_content) does. Those that were left before it go first.
    pub(crate) fn leave_content(
        &self,
        person: &Person,
        id: SharedMessageId,
        content: MessageContent,
        options: SendOptions<'_>,
    ) -> anyhow::Result<LeftContent<'_>> {
        if let Some(error) = self.agent().no_space() {
            return Err(AgentError::from(error).into());
        }
        let Person { contact, profile, .. } = person;
        let ttl = options.ttl.or_else(|| disappear_after(contact.disappearing, profile.as_ref()));
        let quote = options.answered.map(|kept| kept.item.quote()).transpose()?;
        let message = compose::message(id, content, quote, ttl, options.live, contact.reads_compressed())?;
        let left = self.handing_over.leave(contact, message);
        Ok(LeftContent { identity: self, contact: contact.clone(), left })
    }

    pub(super) async fn hand_over(&self, contact: &Contact, message: Outgoing) -> anyhow::Result<HandedOver> {
        let left = self.handing_over.leave(contact, message);
        LeftContent { identity: self, contact: contact.clone(), left }.outcome().await
    }

    /// Hands over the messages that were written down when the program ended.
    pub(super) async fn hand_over_rest(&self) -> anyhow::Result<()> {
        let kept = self.book().not_handed_over().await?;
        if kept.is_empty() {
            return Ok(());
        }
        let contacts = self.book().contacts().await?;
        for kept in kept {
            let contact = contacts.iter().find(|contact| contact.id == kept.contact_id);
            let message = compose::again(&kept.item);
            let (Some(contact), Some(message)) = (contact, message) else { continue };
            let handle = self.agent().connection(connection(contact));
            let taken = match handle.send_once(message.id.as_bytes(), &message.body).await {
                Ok(sent) => Ok(self.book().handed_over(kept.number, sent.id().number()).await?),
                Err(error) => Err(error),
            };
            // Other failures pass: at the next start it is tried again.
            if let Err(AgentError::NotNow { .. } | AgentError::UnknownConnection(_)) = taken {
                // Nobody was told that it is kept.
                self.book().withdraw(kept.number).await?;
            }
        }
        Ok(())
    }

    /// Changes an item, and tells the contact. The agent has the event before the book has the change: after a kill in between it can be
    /// made again.
    pub(crate) async fn change(
        &self,
        contact: &Contact,
        number: i64,
        change: impl Fn(&mut Item) -> Result<ChatEvent, Refusal>,
    ) -> anyhow::Result<MessageId> {
        let (_, event) = self.book().plan_change(contact, number, &change).await.map_err(advised)?;
        let body = compose::event(event, &mut rand::rng())?;
        let sent = self.agent().connection(connection(contact)).send(&body).await;
        let sent = sent.map_err(|error| about(contact, error))?;
        self.book().keep_change(contact, number, &change).await?;
        self.note_change();
        self.book().clean().await?;
        Ok(sent.id())
    }

    /// Tells the contact after which time messages are to disappear. They have it before the book has: after a kill in between it can be
    /// said again.
    pub(crate) async fn set_disappearing(
        &self,
        contact: &Contact,
        wish: Disappearing,
    ) -> anyhow::Result<MessageId> {
        let profile = profile_for(self.profile(), contact.preferences.as_ref(), Some(wish));
        let sent = self
            .send_event(contact, ChatEvent::Info(profile))
            .await
            .map_err(|error| about(contact, error))?;
        self.book().set_disappearing(contact, Some(wish)).await?;
        Ok(sent)
    }

    /// Tells the contact that we delete them. None if they cannot be told.
    pub(crate) async fn send_goodbye(&self, contact: &Contact) -> anyhow::Result<Option<MessageId>> {
        match self.send_event(contact, ChatEvent::DirectDelete).await {
            Ok(number) => Ok(Some(number)),
            Err(AgentError::Storage(StorageError::NoSpace { .. })) => Ok(None),
            Err(AgentError::Storage(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Sends a message that is no text of the user.
    pub(super) async fn send_event(
        &self,
        contact: &Contact,
        event: ChatEvent,
    ) -> Result<MessageId, AgentError> {
        let body = compose::short_event(event, &mut rand::rng());
        Ok(self.agent().connection(connection(contact)).send(&body).await?.id())
    }
}

/// A way to send a content.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SendOptions<'a> {
    /// The item that it answers.
    pub(crate) answered: Option<&'a KeptItem>,
    /// It disappears so many seconds after it was read; if none are given, as the contact wishes.
    pub(crate) ttl: Option<u32>,
    /// It is still being typed.
    pub(crate) live: bool,
}

/// A content on its way to the agent. It goes on if this is dropped.
pub(crate) struct LeftContent<'a> {
    identity: &'a Identity,
    contact: Contact,
    left: Left,
}

impl LeftContent<'_> {
    /// Waits until it is handed over.
    pub(crate) async fn outcome(self) -> anyhow::Result<HandedOver> {
        let outcome = self.left.outcome().await;
        self.identity.note_change();
        outcome.map_err(|error| match error {
            NotHandedOver::Book(error) => error.into(),
            NotHandedOver::Agent(error) => about(&self.contact, error),
        })
    }
}
