//! The contact address and its settings.

use anyhow::Context as _;
use serde_json::Value;
use smp_agent::{ConnectionSummary, ShortLinkScheme};
use smp_bot::Response;
use smp_bot::types::{AddressSettings, AutoAccept, ChatError, ConnectionLinks, ContactAddress, StoreError};
use smp_protocol::chat::MessageContent;

use super::{NO_INCOGNITO, Outcome};
use crate::bot_api::desk::{Desk, Failure};

impl Desk {
    pub(super) async fn require_address(&self) -> Result<ConnectionSummary, Failure> {
        let address = self.identity().address().await?;
        Ok(address.ok_or(StoreError::UserContactLinkNotFound)?)
    }

    pub(super) fn address_links(&self, address: &ConnectionSummary) -> Result<ConnectionLinks, Failure> {
        let short = address.short_invitation.as_ref().map(|short| short.to_uri(ShortLinkScheme::Simplex));
        let full = address.invitation.as_ref().map(ToString::to_string);
        let conn_full_link =
            full.or_else(|| short.clone()).context("The link of the contact address is lost")?;
        Ok(ConnectionLinks { conn_full_link, conn_short_link: short })
    }

    async fn shown_address(&self, address: &ConnectionSummary) -> Result<Box<ContactAddress>, Failure> {
        let welcome = self.identity().book().welcome().await?;
        let settings = AddressSettings {
            business_address: false,
            auto_accept: address.auto_accept.then(AutoAccept::default),
            auto_reply: welcome.and_then(|welcome| serde_json::from_str(&welcome).ok()),
        };
        Ok(Box::new(ContactAddress::new(self.address_links(address)?, settings)))
    }

    pub(super) async fn show_address(&self, user: Option<i64>) -> Outcome {
        self.require_user(user)?;
        let contact_link = self.shown_address(&self.require_address().await?).await?;
        Ok(Response::UserContactLink { user: self.user(), contact_link })
    }

    pub(super) async fn create_address(&self, user: Option<i64>) -> Outcome {
        self.require_user(user)?;
        if self.identity().address().await?.is_some() {
            return Err(StoreError::DuplicateContactLink.into());
        }
        self.identity().agent().create_address(&self.identity().shown_with_link(), None).await?;
        let links = self.address_links(&self.require_address().await?)?;
        Ok(Response::UserContactLinkCreated {
            user: self.user(),
            conn_req_contact: links.conn_full_link.clone(),
            conn_link_contact: links,
        })
    }

    pub(super) async fn delete_address(&self, user: Option<i64>) -> Outcome {
        self.require_user(user)?;
        let address = self.require_address().await?;
        self.identity().agent().connection(address.id).delete().await?;
        self.identity().book().set_welcome(None).await?;
        Ok(Response::UserContactLinkDeleted { user: self.user() })
    }

    pub(super) async fn auto_accept(&self, user: Option<i64>, on: bool, reply: Option<Value>) -> Outcome {
        self.require_user(user)?;
        let settings = AddressSettings {
            business_address: false,
            auto_accept: on.then(AutoAccept::default),
            auto_reply: reply,
        };
        self.set_address(settings).await
    }

    pub(super) async fn address_settings(&self, user: i64, settings: AddressSettings) -> Outcome {
        self.require_user(Some(user))?;
        self.set_address(settings).await
    }

    async fn set_address(&self, settings: AddressSettings) -> Outcome {
        let address = self.require_address().await?;
        if settings.business_address {
            return Err(ChatError::command("business addresses need groups, which are not there yet").into());
        }
        if settings.auto_accept.as_ref().is_some_and(|accept| accept.accept_incognito) {
            return Err(ChatError::command(NO_INCOGNITO).into());
        }
        let welcome = match settings.auto_reply {
            Some(content) => match MessageContent::from_json(content.clone()) {
                Ok(_) => Some(content.to_string()),
                Err(error) => return Err(ChatError::command(format!("autoReply: {error}")).into()),
            },
            None => None,
        };
        self.identity().book().set_welcome(welcome.as_deref()).await?;
        let own_info = self.identity().own_info();
        let auto_accept = settings.auto_accept.map(|_| own_info.as_slice());
        self.identity().agent().connection(address.id).set_auto_accept(auto_accept).await?;
        let contact_link = self.shown_address(&self.require_address().await?).await?;
        Ok(Response::UserContactLinkUpdated { user: self.user(), contact_link })
    }
}
