//! Events of the agent that are applied by themselves: the book is brought up to date, and notices say what they mean.
//!
//! Applying an event again changes nothing: it comes again if the program ended before it was acknowledged.

use smp_agent::{AgentError, ConnectionId, ConnectionStatus, Event, StorageError, SyncState};
use smp_chat::{Contact, Happening, Introduction, Status};
use smp_protocol::chat::{ChatEvent, ChatMessage, MessageContainer, decode_messages};

use super::identity::{Identity, about, connection};
use super::notice::Notice;
use crate::text::unix_millis;

/// The number of the message that came with a request: those of connections begin with 1.
const GREETING: i64 = 0;

impl Identity {
    /// The notices of an event that stands for itself, once the book says them.
    pub(super) async fn apply_alone(&self, event: &Event) -> anyhow::Result<Vec<Notice>> {
        let notice = match event {
            Event::RelayUp { relay } => Notice::RelayUp(relay.clone()),
            Event::RelayDown { relay, error } => Notice::RelayDown(relay.clone(), error.to_string()),
            Event::StorageFailed { reason } => Notice::StorageFailed(reason.clone()),
            Event::StorageRecovered => Notice::StorageRecovered,
            _ => match event.connection() {
                Some(connection) => return self.apply_to(connection, event).await,
                None => return Ok(Vec::new()),
            },
        };
        Ok(vec![notice])
    }

    async fn apply_to(&self, connection: ConnectionId, event: &Event) -> anyhow::Result<Vec<Notice>> {
        let Some(contact) = self.contact_of(connection).await? else { return Ok(Vec::new()) };
        let notice = match event {
            Event::Confirmation { info, .. } => {
                let contact = self.learn_profile(&contact, info).await?.contact;
                self.book().set_status(&contact, Status::Joining).await?;
                self.book().happened(&contact, Happening::Joined).await?;
                return self.accept(contact).await;
            }
            Event::Request { info, .. } => return self.asked(contact, info).await,
            Event::Info { info, .. } => {
                let introduction = self.learn_profile(&contact, info).await?;
                if contact.status == Status::Joining && !contact.by_address {
                    self.book().happened(&contact, Happening::Joined).await?;
                }
                return Ok(Notice::introduced(introduction, None));
            }
            Event::Connected { .. } => {
                self.book().set_status(&contact, Status::Connected).await?;
                self.book().happened(&contact, Happening::Connected).await?;
                self.welcome(&contact).await?;
                Notice::Connected(contact)
            }
            Event::QuotaExceeded { .. } => Notice::Waiting(contact),
            Event::QueueRefused { .. } => Notice::Refused(contact),
            Event::ReceivingStopped { error, .. } => Notice::ReceivingStopped(contact, error.to_string()),
            Event::ReceiveFailed { error, .. } => Notice::Unreadable(contact, error.to_string()),
            Event::RatchetSync { state, .. } => return self.synchronised(contact, *state).await,
            Event::Forgotten { sent, received, .. } => Notice::forgotten(contact, *sent, *received),
            Event::QueueRotation { side, stage, .. } => Notice::Rotation(contact, *side, *stage),
            Event::ConnectionFailed { error, .. } => {
                self.book().set_status(&contact, Status::Ended).await?;
                self.book().happened(&contact, Happening::Ended).await?;
                Notice::Ended(contact, error.to_string())
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![notice])
    }

    /// Enters somebody who asks to connect, with the message that they may have sent along.
    async fn asked(&self, contact: Contact, info: &[u8]) -> anyhow::Result<Vec<Notice>> {
        let Some(request) = self.summary(connection(&contact)).await? else { return Ok(Vec::new()) };
        let waits = request.status == ConnectionStatus::Requested && !request.auto_accept;
        let contact = self.learn_profile(&contact, info).await?.contact;
        let status = if waits { Status::Requested } else { Status::Joining };
        self.book().set_status(&contact, status).await?;
        self.book().set_by_address(&contact).await?;
        let what = if waits { Happening::Requested } else { Happening::Accepted };
        self.book().happened(&contact, what).await?;
        let mut notices = vec![Notice::Asked(contact.clone(), !waits)];
        if let Some(greeting) = greeting(info) {
            let messages = vec![(0, greeting)];
            let received = self.book().receive(&contact, GREETING, unix_millis(), messages).await?;
            notices.extend(received.has_lines.then_some(Notice::Text));
        }
        Ok(notices)
    }

    /// A code that was compared counts for the keys that it was made of, and for no others.
    async fn synchronised(&self, contact: Contact, state: SyncState) -> anyhow::Result<Vec<Notice>> {
        let code = match self.agent().connection(connection(&contact)).security_code().await {
            Ok(code) => code.map(|code| code.to_string()),
            Err(AgentError::UnknownConnection(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let is_other = contact.verified_code.is_some() && contact.verified_code != code;
        if is_other {
            self.book().forget_verified(&contact).await?;
        }
        Ok(vec![Notice::Encryption(contact, state, is_other)])
    }

    /// Lets the contact in. One that cannot be let in is over: the event must not come again before all others for ever.
    async fn accept(&self, contact: Contact) -> anyhow::Result<Vec<Notice>> {
        match self.agent().connection(connection(&contact)).accept(&self.own_info()).await {
            Ok(()) => Ok(vec![Notice::Joined(contact)]),
            Err(error @ (AgentError::Storage(_) | AgentError::ShutDown)) => Err(error.into()),
            Err(error) => {
                self.book().set_status(&contact, Status::Ended).await?;
                let reason = about(&contact, error).to_string();
                Ok(vec![Notice::Ended(contact, reason)])
            }
        }
    }

    /// The contact of a connection; one that a crash kept out of the book is entered now. None if the connection was deleted
    /// after the event.
    pub(super) async fn contact_of(&self, id: ConnectionId) -> anyhow::Result<Option<Contact>> {
        if let Some(contact) = self.book().by_connection(id.number()).await? {
            return Ok(Some(contact));
        }
        match self.summary(id).await? {
            // The contact address is nobody.
            Some(connection) if connection.status != ConnectionStatus::Address => {}
            _ => return Ok(None),
        }
        Ok(Some(self.book().add(id.number(), None, Status::Joining, None).await?))
    }

    async fn learn_profile(&self, contact: &Contact, info: &[u8]) -> anyhow::Result<Introduction> {
        for message in decode_messages(info).into_iter().flatten() {
            self.book().set_versions(contact, message.versions).await?;
            let profile = match message.event {
                ChatEvent::Info(profile) => profile,
                ChatEvent::Contact(request) => request.profile,
                _ => continue,
            };
            return Ok(self.book().set_profile(contact, &profile).await?);
        }
        Ok(Introduction { contact: contact.clone(), renamed: None, has_other_disappearing: false })
    }

    /// Answers a message by itself. A contact that cannot be answered now is not: the event must not come again for ever.
    pub(super) async fn answer(&self, contact: &Contact, answer: ChatEvent) -> anyhow::Result<()> {
        match self.send_event(contact, answer).await {
            Ok(_)
            | Err(
                AgentError::NotNow { .. }
                | AgentError::UnknownConnection(_)
                | AgentError::Storage(StorageError::NoSpace { .. }),
            ) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The message that came with a request to connect, as if it had come for itself.
fn greeting(info: &[u8]) -> Option<ChatMessage> {
    let message = decode_messages(info).into_iter().flatten().next()?;
    let ChatEvent::Contact(request) = message.event else { return None };
    let (id, content) = request.message?;
    let mut container = MessageContainer::text("");
    container.content = content;
    Some(ChatMessage { message_id: Some(id), event: ChatEvent::MessageNew(container), ..message })
}
