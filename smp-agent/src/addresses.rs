//! Contact addresses, as an application uses them: an address takes requests to connect from any number of people.

use crate::agent::{Agent, ConnectionHandle, UserHandle};
use crate::connection::{AddressLink, JoinLink, LinkFetch, MAX_ADDRESS_SHOWN_LENGTH, shown_data};
use crate::error::AgentError;
use crate::id::{ConnectionId, UserId};
use crate::network::links::{Change, change, look_behind};
use crate::network::{Made, invite, remove};
use smp_crypto::Ed25519PublicKey;
use smp_protocol::link::{ConnectionLink, ShortLink};

/// The links of a contact address. Both lead to the same queue, any number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactLink {
    /// The whole address in one long link. Every application can use it.
    pub full: ConnectionLink,
    /// A link to the address, which the relay keeps encrypted. None if the relay knows no short links (SMP version 15).
    pub short: Option<ShortLink>,
}

/// A link before it is joined: its kind, and the data that is shown with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkPreview {
    /// Its kind.
    pub kind: LinkKind,
    /// Data that the other side shows with it: a profile, for instance. None where that is only known after joining.
    pub shown: Option<Vec<u8>>,
}

/// Kind of a link: for one person, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkKind {
    /// An invitation for one person.
    Invitation,
    /// A contact address.
    Address,
}

impl Agent {
    /// Makes a contact address on one of the relays, with a short link if the relay can do it.
    ///
    /// The short link shows `shown` to everybody who opens it, at most 13,706 bytes; the relay cannot read it. It may be empty.
    /// [`Event::Request`](crate::Event::Request) tells who asks. With `auto_accept`, a request is accepted as soon as the application is
    /// [done](crate::Delivery::done) with that event, unless it has decided otherwise before; the bytes are what the other side gets
    /// to know.
    ///
    /// # Errors
    /// As [`create_invitation`](Self::create_invitation); [`AgentError::TooLarge`].
    ///
    /// # Cancel safety
    /// When it is dropped the address is made and deleted again, or not made.
    pub async fn create_address(
        &self,
        shown: &[u8],
        auto_accept: Option<&[u8]>,
    ) -> Result<(ConnectionId, ContactLink), AgentError> {
        self.user(UserId::DEFAULT).create_address(shown, auto_accept).await
    }

    /// Looks at a link without joining it. Of the short link of a contact address this asks the relay, and the owner does not learn of it. The
    /// invitation behind a short link is for the first one who looks, so nothing is asked of it before it is joined:
    /// [`Event::LinkShown`](crate::Event::LinkShown) tells then.
    ///
    /// # Errors
    /// [`AgentError::Link`]; [`AgentError::LinkTarget`]; [`AgentError::Relay`].
    ///
    /// # Cancel safety
    /// It changes nothing.
    pub async fn look_at_link(&self, link: &str) -> Result<LinkPreview, AgentError> {
        self.user(UserId::DEFAULT).look_at_link(link).await
    }
}

/// Contact addresses of one user.
impl UserHandle {
    /// As [`Agent::create_address`], for this user.
    ///
    /// # Errors
    /// As there; [`AgentError::UnknownUser`].
    ///
    /// # Cancel safety
    /// As there.
    pub async fn create_address(
        &self,
        shown: &[u8],
        auto_accept: Option<&[u8]>,
    ) -> Result<(ConnectionId, ContactLink), AgentError> {
        let shown = shown_data(shown, MAX_ADDRESS_SHOWN_LENGTH)?;
        let made = Made::Address(auto_accept.map(<[u8]>::to_vec));
        let (connection, made) = invite(self.engine(), self.id(), made, Some(shown)).await?;
        Ok((connection, ContactLink { full: made.full, short: made.short }))
    }

    /// As [`Agent::look_at_link`], in a session of this user.
    ///
    /// # Errors
    /// As there; [`AgentError::UnknownUser`].
    ///
    /// # Cancel safety
    /// As there.
    pub async fn look_at_link(&self, link: &str) -> Result<LinkPreview, AgentError> {
        let engine = self.engine();
        engine.users.check(self.id())?;
        match JoinLink::read(link, &engine.config)? {
            JoinLink::Full(_) | JoinLink::Short(ShortLink::Invitation(_)) => {
                Ok(LinkPreview { kind: LinkKind::Invitation, shown: None })
            }
            JoinLink::Contact(_) => Ok(LinkPreview { kind: LinkKind::Address, shown: None }),
            JoinLink::Short(link) => {
                let fetch = LinkFetch::new(link, &engine.users.relays(self.id()), &mut engine.rng())?;
                let behind = look_behind(engine, self.id(), fetch).await?;
                Ok(LinkPreview { kind: LinkKind::Address, shown: Some(behind.shown) })
            }
        }
    }
}

/// Of a contact address, and of the requests that come to it.
impl ConnectionHandle {
    /// Whether requests that come from now on are accepted without asking, and what the other side gets to know then.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if it is no contact address; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped it is done or not.
    pub async fn set_auto_accept(&self, auto_accept: Option<&[u8]>) -> Result<(), AgentError> {
        let step = self.engine().steps.step(self.id(), |connection, _| {
            let refused = connection.not_now(connection.phase.status(), "name a contact address");
            let address = connection.address.as_mut().ok_or(refused)?;
            address.auto_accept = auto_accept.map(<[u8]>::to_vec);
            Ok(())
        });
        step.await?.1.durable().await
    }

    /// Rejects a request that came to a contact address, and forgets it. The other side learns nothing.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if it is no request, or is accepted already; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped it is done or not.
    pub async fn reject(&self) -> Result<(), AgentError> {
        let look = |connection: &crate::connection::Connection| {
            (connection.request_of().is_some(), connection.phase.status())
        };
        match self.engine().steps.look(self.id(), look).await? {
            (true, _) => remove(self.engine(), self.id()).await,
            (false, status) => Err(AgentError::NotNow {
                connection: self.id(),
                status,
                advice: "only requests can be rejected; delete it to end it",
            }),
        }
    }

    /// Replaces what is shown with the short link of a contact address, at most 13,706 bytes; further owners take some of that.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if it is no contact address, or has no short link;
    /// [`AgentError::TooLarge`]; [`AgentError::Relay`]; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the relay may show either. Calling it again mends that.
    pub async fn set_shown(&self, shown: &[u8]) -> Result<(), AgentError> {
        shown_data(shown, MAX_ADDRESS_SHOWN_LENGTH)?;
        let set = |link: &AddressLink| Ok(link.showing(shown));
        change(self.engine(), self.id(), &Change::Set(&set)).await
    }

    /// Authorizes one more owner of the short link of a contact address: readers take what is shown from somebody who signs with this key,
    /// too. The ID is the application's, at most 144 bytes; an owner with the same ID is replaced.
    ///
    /// # Errors
    /// As [`set_shown`](Self::set_shown); [`AgentError::TooLarge`] too if the ID is too long, or there is an owner with this key.
    ///
    /// # Cancel safety
    /// As [`set_shown`](Self::set_shown).
    pub async fn add_link_owner(&self, owner_id: &[u8], key: Ed25519PublicKey) -> Result<(), AgentError> {
        let (size, limit) = (owner_id.len(), smp_protocol::link::MAX_OWNER_ID);
        let add =
            |link: &AddressLink| link.with_owner(owner_id, key).ok_or(AgentError::TooLarge { size, limit });
        change(self.engine(), self.id(), &Change::Set(&add)).await
    }

    /// Deletes the short link of a contact address at its relay, with what is shown. The full link goes on working.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`]; [`AgentError::NotNow`] if it is no contact address, or has no short link;
    /// [`AgentError::Relay`]; [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// When it is dropped the short link is deleted or not. Calling it again mends that.
    pub async fn delete_short_link(&self) -> Result<(), AgentError> {
        change(self.engine(), self.id(), &Change::Delete).await
    }
}
