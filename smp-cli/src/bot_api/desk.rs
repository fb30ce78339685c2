//! The desk: an identity as the interface shows it.

use std::sync::Arc;

use smp_bot::types::{self, ChatError, ChatInfo, ErrorType, ItemInChat, Shared, StoreError, User, View};
use smp_bot::{Address, ChatRef};
use smp_chat::{Contact, KeptItem, Person, Status};
use smp_protocol::chat::Profile;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::taken::Takers;
use super::views::Views;
use crate::session::{Follow, Identity, Notice, Session};
use crate::text::unix_millis;

/// An identity, and what clients are told of it.
pub(super) struct Desk {
    follow: Follow,
    identity: Arc<Identity>,
    version: String,
    takers: Arc<Takers>,
    views: Views,
    stop: CancellationToken,
}

impl Desk {
    pub(super) fn new(
        follow: Follow,
        version: String,
        takers: Arc<Takers>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self { identity: follow.identity(), follow, version, takers, views: Views::default(), stop })
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn takers(&self) -> &Takers {
        &self.takers
    }

    pub(super) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.follow.notices()
    }

    /// For what another command does.
    pub(super) fn session(&self) -> Session {
        self.follow.session(self.stop.clone())
    }

    pub(super) fn user(&self) -> Shared<User> {
        self.views.user(&self.identity.shown_profile(), self.identity.settings().receipts)
    }

    /// Fails if another user is named than the one that is there.
    pub(super) fn require_user(&self, user: Option<i64>) -> Result<(), ChatError> {
        match user {
            None | Some(User::ID) => Ok(()),
            Some(command_user_id) => Err(ChatError::of(ErrorType::DifferentActiveUser {
                command_user_id,
                active_user_id: User::ID,
            })),
        }
    }

    /// The contact, seen by this.
    pub(super) async fn view<T>(
        &self,
        contact: &Contact,
        see: impl FnOnce(View<'_>) -> T,
    ) -> anyhow::Result<T> {
        let profile = self.identity.book().profile(contact).await?;
        Ok(self.view_of(&Person { contact: contact.clone(), profile }, see))
    }

    /// The same of somebody whose profile is known.
    pub(super) fn view_of<T>(&self, person: &Person, see: impl FnOnce(View<'_>) -> T) -> T {
        let own = self.identity.shown_profile();
        see(View { contact: &person.contact, profile: person.profile.as_ref(), own: &own })
    }

    pub(super) async fn contact(&self, contact: &Contact) -> anyhow::Result<Shared<types::Contact>> {
        let profile = self.identity.book().profile(contact).await?;
        Ok(self.seen(&Person { contact: contact.clone(), profile }))
    }

    /// The contact as clients see it.
    pub(super) fn seen(&self, person: &Person) -> Shared<types::Contact> {
        self.views.contact(person, &self.identity.shown_profile())
    }

    /// The contact with a profile that it had once; without one, as it is now.
    pub(super) fn contact_with(&self, person: &Person, profile: Option<&Profile>) -> Shared<types::Contact> {
        match profile {
            Some(profile) => {
                let person = Person { contact: person.contact.clone(), profile: Some(profile.clone()) };
                Shared::new(self.view_of(&person, |view| view.contact()))
            }
            None => self.seen(person),
        }
    }

    pub(super) async fn chat_info(&self, contact: &Contact) -> anyhow::Result<ChatInfo> {
        self.view(contact, |view| match contact.status {
            Status::Requested => ChatInfo::ContactRequest { contact_request: Box::new(view.request()) },
            Status::Invited => {
                ChatInfo::ContactConnection { contact_connection: Box::new(view.pending(None)) }
            }
            Status::Joining | Status::Connected | Status::Ended => {
                ChatInfo::Direct { contact: Shared::new(view.contact()) }
            }
        })
        .await
    }

    pub(super) async fn item(&self, kept: &KeptItem) -> anyhow::Result<types::ChatItem> {
        let quoted = self.identity.book().quoted(kept.contact_id, &kept.item).await?;
        Ok(types::ChatItem::of(kept, quoted, unix_millis()))
    }

    pub(super) async fn item_in_chat(
        &self,
        contact: &Contact,
        kept: &KeptItem,
    ) -> anyhow::Result<ItemInChat> {
        let profile = self.identity.book().profile(contact).await?;
        self.item_with(&Person { contact: contact.clone(), profile }, kept).await
    }

    /// The same, with somebody whose profile is known.
    pub(super) async fn item_with(&self, person: &Person, kept: &KeptItem) -> anyhow::Result<ItemInChat> {
        let chat_info = ChatInfo::Direct { contact: self.seen(person) };
        Ok(ItemInChat { chat_info, chat_item: self.item(kept).await? })
    }

    /// The contact that a command names.
    pub(super) async fn find(&self, address: &Address) -> Result<Contact, Failure> {
        let book = self.identity.book();
        let found = match address {
            Address::Number(number) => book.by_number(*number).await,
            Address::Name(name) => book.by_name(name).await,
        };
        found?.ok_or_else(|| {
            let error = match address.clone() {
                Address::Number(contact_id) => StoreError::ContactNotFound { contact_id },
                Address::Name(contact_name) => StoreError::ContactNotFoundByName { contact_name },
            };
            ChatError::from(error).into()
        })
    }

    /// The contact of a chat.
    pub(super) async fn contact_of(&self, chat: &ChatRef) -> Result<Contact, Failure> {
        match chat {
            ChatRef::Contact(address) => self.find(address).await,
            ChatRef::Connection(number) => self.find(&Address::Number(*number)).await,
            ChatRef::Group(group_id) => {
                Err(ChatError::from(StoreError::GroupNotFound { group_id: *group_id }).into())
            }
        }
    }

    /// The item of this number in a chat.
    pub(super) async fn kept_item(&self, contact: &Contact, item_id: i64) -> Result<KeptItem, Failure> {
        match self.identity.book().item(contact, item_id).await {
            Err(smp_chat::BookError::UnknownItem { .. }) => {
                Err(ChatError::from(StoreError::ChatItemNotFound { item_id }).into())
            }
            item => Ok(item?),
        }
    }
}

/// Why a command was not done: an error of the interface, or one of this program.
#[derive(Debug)]
pub(super) enum Failure {
    Chat(ChatError),
    Other(anyhow::Error),
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Self {
        Self::Chat(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Chat(error.into())
    }
}

impl From<ErrorType> for Failure {
    fn from(error: ErrorType) -> Self {
        Self::Chat(ChatError::of(error))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<smp_chat::BookError> for Failure {
    fn from(error: smp_chat::BookError) -> Self {
        Self::Other(error.into())
    }
}

impl From<smp_agent::AgentError> for Failure {
    fn from(error: smp_agent::AgentError) -> Self {
        Self::Other(error.into())
    }
}
