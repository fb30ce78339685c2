//! Our profile: as contacts get it, and changed.

use std::sync::{Arc, PoisonError};

use smp_agent::{AgentError, ConnectionId};
use smp_chat::compose::Outgoing;
use smp_chat::profile::{
    ContactPreferences, contact_request, ours, own_profile, profile_for, shown_with_link,
};
use smp_chat::{Contact, Status};
use smp_protocol::chat::{ChatEvent, Profile};

use super::identity::{Identity, about, connection};

/// A change of our profile, and the contacts who are told.
pub(crate) struct ProfileChange {
    pub(crate) from: Profile,
    pub(crate) to: Profile,
    /// Contacts who get it.
    pub(crate) told: usize,
    /// Contacts who cannot be told now.
    pub(crate) not_told: usize,
}

impl Identity {
    /// Our profile, as contacts see it.
    pub(crate) fn profile(&self) -> Profile {
        (*self.shown_profile()).clone()
    }

    /// The same, shared.
    pub(crate) fn shown_profile(&self) -> Arc<Profile> {
        self.profile.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Our profile, as contacts get it while connecting.
    pub(crate) fn own_info(&self) -> Vec<u8> {
        own_profile(&self.profile())
    }

    /// Our request to connect, for the owner of a contact address, with a message.
    pub(crate) fn contact_request(&self, greeting: Option<&Outgoing>) -> Vec<u8> {
        let message = greeting.map(|greeting| (greeting.id.clone(), greeting.container.content.clone()));
        contact_request(&self.profile(), message, &mut rand::rng())
    }

    /// The content of our short link.
    pub(crate) fn shown_with_link(&self) -> Vec<u8> {
        shown_with_link(&self.profile())
    }

    /// Gives us another profile, and tells all contacts. None if it is the one that we have. A kill leaves the old one or the new one; made again, it is
    /// the same.
    pub(crate) async fn set_profile(&self, given: Profile) -> anyhow::Result<Option<ProfileChange>> {
        let from = self.profile();
        let to = ours(&given.display_name.clone(), Some(given));
        if from == to {
            return Ok(None);
        }
        self.book().set_own_profile(&to).await?;
        if from.display_name != to.display_name {
            self.dir().set_name(&to.display_name)?;
        }
        *self.profile.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(to.clone());
        self.show_profile().await?;
        let contacts = self.book().contacts().await?;
        let connected = contacts.iter().filter(|contact| contact.status == Status::Connected);
        let (with_words, others): (Vec<&Contact>, Vec<&Contact>) =
            connected.partition(|contact| contact.disappearing.is_some() || contact.preferences.is_some());
        let connections: Vec<ConnectionId> = others.into_iter().map(connection).collect();
        let sent = self.agent().send_to_many(&connections, &self.own_info()).await?;
        let mut told = sent.iter().filter(|sent| sent.is_ok()).count();
        // Their profile of ours has words of its own.
        for contact in &with_words {
            let profile = profile_for(to.clone(), contact.preferences.as_ref(), contact.disappearing);
            told += usize::from(self.send_event(contact, ChatEvent::Info(profile)).await.is_ok());
        }
        Ok(Some(ProfileChange { from, to, told, not_told: sent.len() + with_words.len() - told }))
    }

    /// Tells the contact what we allow them. They have it before the book has: after a kill in between it can be said again.
    pub(crate) async fn set_preferences(
        &self,
        contact: &Contact,
        preferences: &ContactPreferences,
    ) -> anyhow::Result<()> {
        let wish = preferences.disappearing();
        let profile = profile_for(self.profile(), Some(preferences), wish);
        let sent = self.send_event(contact, ChatEvent::Info(profile)).await;
        sent.map_err(|error| about(contact, error))?;
        self.book().set_preferences(contact, Some(preferences)).await?;
        self.book().set_disappearing(contact, wish).await?;
        self.note_change();
        Ok(())
    }

    /// Has the contact address show the profile.
    async fn show_profile(&self) -> anyhow::Result<()> {
        let Some(address) = self.address().await? else { return Ok(()) };
        let handle = self.agent().connection(address.id);
        if address.auto_accept {
            handle.set_auto_accept(Some(&self.own_info())).await?;
        }
        match handle.set_shown(&self.shown_with_link()).await {
            Err(error @ (AgentError::Storage(_) | AgentError::ShutDown)) => Err(error.into()),
            // The relay is away, or keeps no links: people see the old profile until they are connected.
            _ => Ok(()),
        }
    }
}
