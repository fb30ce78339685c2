//! Words about one contact: preferences, an alias, data of the program, and the security code.

use serde_json::Value;
use smp_agent::{ConnectionId, SyncState};
use smp_bot::types::{ChatError, ConnectionStats, ErrorType};
use smp_bot::{Address, ChatRef, Response};
use smp_chat::profile::ContactPreferences;
use smp_chat::{Contact, Status};

use super::Outcome;
use crate::bot_api::desk::{Desk, Failure};

/// Longest alias in bytes.
const MAX_ALIAS: usize = 1000;
/// Longest data of a program in bytes of JSON: they are read with each list of contacts.
const MAX_CUSTOM: usize = 16 * 1024;

impl Desk {
    /// The contact as the book has it now.
    async fn again(&self, contact: &Contact) -> Result<Contact, Failure> {
        self.find(&Address::Number(contact.id)).await
    }

    pub(super) async fn set_preferences(&self, chat: &ChatRef, preferences: &Value) -> Outcome {
        let before = self.contact_of(chat).await?;
        let Some(preferences) = ContactPreferences::of_json(preferences) else {
            let message = "Failed reading: expected preferences, each with allow: always, yes or no";
            return Err(ChatError::command(message).into());
        };
        self.require_connected(&before).await?;
        let from_contact = self.contact(&before).await?;
        if before.preferences.as_ref() != Some(&preferences)
            || before.disappearing != preferences.disappearing()
        {
            self.identity().set_preferences(&before, &preferences).await?;
        }
        let to_contact = self.contact(&self.again(&before).await?).await?;
        Ok(Response::ContactPrefsUpdated { user: self.user(), from_contact, to_contact })
    }

    pub(super) async fn set_alias(&self, chat: &ChatRef, alias: &str) -> Outcome {
        let contact = self.contact_of(chat).await?;
        if alias.len() > MAX_ALIAS {
            return Err(ChatError::command(format!("an alias has at most {MAX_ALIAS} bytes")).into());
        }
        self.identity().book().set_alias(&contact, Some(alias).filter(|alias| !alias.is_empty())).await?;
        let (user, contact) = (self.user(), self.again(&contact).await?);
        Ok(match contact.status {
            Status::Invited => Response::ConnectionAliasUpdated {
                user,
                to_connection: self.view(&contact, |view| view.pending(None)).await?,
            },
            _ => Response::ContactAliasUpdated { user, to_contact: self.contact(&contact).await? },
        })
    }

    pub(super) async fn set_custom(&self, chat: &ChatRef, data: Option<&Value>) -> Outcome {
        let contact = self.contact_of(chat).await?;
        if data.is_some_and(|data| !data.is_object()) {
            return Err(ChatError::command("Failed reading: expected a JSON object").into());
        }
        if data.is_some_and(|data| data.to_string().len() > MAX_CUSTOM) {
            return Err(
                ChatError::command(format!("custom data have at most {MAX_CUSTOM} bytes of JSON")).into()
            );
        }
        self.identity().book().set_custom(&contact, data).await?;
        Ok(Response::CmdOk { user: Some(self.user()) })
    }

    pub(super) async fn info(&self, chat: &ChatRef) -> Outcome {
        let contact = self.contact_of(chat).await?;
        let connection = self.identity().agent().connection(ConnectionId::new(contact.connection));
        let Some(summary) = connection.summary().await? else {
            return Err(ErrorType::ContactNotActive { contact: self.contact(&contact).await? }.into());
        };
        let ratchet_sync_state = match summary.sync {
            SyncState::Ok => "ok",
            SyncState::Allowed => "allowed",
            SyncState::Required => "required",
            SyncState::Started => "started",
            SyncState::Agreed => "agreed",
        };
        let connection_stats = ConnectionStats { ratchet_sync_state, ratchet_sync_supported: true };
        Ok(Response::ContactInfo {
            user: self.user(),
            contact: self.contact(&contact).await?,
            newer_connection_stats: connection_stats.clone(),
            connection_stats,
        })
    }

    pub(super) async fn code(&self, chat: &ChatRef) -> Outcome {
        let contact = self.contact_of(chat).await?;
        let connection_code = self.identity().security_code(&contact).await?.to_string();
        let contact = self.contact(&contact).await?;
        Ok(Response::ContactCode { user: self.user(), contact, connection_code })
    }

    pub(super) async fn verify(&self, chat: &ChatRef, code: Option<&str>) -> Outcome {
        let contact = self.contact_of(chat).await?;
        let expected = self.identity().security_code(&contact).await?;
        let (verified, expected_code) =
            (code.is_some_and(|code| expected.matches(code)), expected.to_string());
        match (code, verified) {
            (Some(_), true) => self.identity().book().set_verified(&contact, &expected_code).await?,
            // A wrong code says nothing of one that was compared before.
            (Some(_), false) => {}
            (None, _) => self.identity().book().forget_verified(&contact).await?,
        }
        Ok(Response::ConnectionVerified { user: self.user(), verified, expected_code })
    }
}
