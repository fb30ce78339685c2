//! The user and its profile.

use serde_json::{Value, json};
use smp_bot::types::{ChatError, ErrorType, StoreError, User, UserInfo, profile_of_json};
use smp_bot::{Response, types};
use smp_chat::printable;
use smp_protocol::chat::Profile;

use super::Outcome;
use crate::bot_api::desk::{Desk, Failure};
use crate::commands::check_name;

impl Desk {
    pub(super) async fn users(&self) -> Outcome {
        let unread = self.identity().book().unread().await?;
        let unread_count = unread.values().map(|unread| i64::from(*unread)).sum();
        Ok(Response::UsersList { users: vec![UserInfo { user: *self.user(), unread_count }] })
    }

    pub(super) fn set_active(&self, user: i64) -> Outcome {
        match user {
            User::ID => Ok(Response::ActiveUser { user: self.user() }),
            user_id => Err(StoreError::UserNotFound { user_id }.into()),
        }
    }

    /// There is one user for each data directory.
    pub(super) fn create_user(&self, profile: Option<Value>) -> Outcome {
        let name = profile.and_then(profile_of_json).map(|profile| profile.display_name);
        let own = self.identity().profile().display_name;
        if name.as_ref() == Some(&own) {
            return Err(ErrorType::UserExists { contact_name: own }.into());
        }
        let message = format!(
            "this daemon has one user, “{own}”: change its profile (/_profile), or run another daemon in another data directory"
        );
        Err(ChatError::command(message).into())
    }

    pub(super) async fn set_profile(&self, user: i64, profile: Value) -> Outcome {
        self.require_user(Some(user))?;
        let Some(profile) = profile_of_json(profile) else {
            return Err(ChatError::command("Failed reading: expected a profile with displayName").into());
        };
        let display_name = profile.display_name.clone();
        if check_name(&display_name).is_err() {
            let valid_name = printable(&display_name);
            return Err(ErrorType::InvalidDisplayName { display_name, valid_name }.into());
        }
        self.change_profile(profile).await
    }

    /// Has the profile show the contact address, or not.
    pub(super) async fn profile_address(&self, user: Option<i64>, on: bool) -> Outcome {
        self.require_user(user)?;
        let mut profile = self.identity().profile();
        profile.contact_link = match on {
            true => {
                let links = self.address_links(&self.require_address().await?)?;
                Some(links.conn_short_link.unwrap_or(links.conn_full_link))
            }
            false => None,
        };
        self.change_profile(profile).await
    }

    async fn change_profile(&self, profile: Profile) -> Result<Response, Failure> {
        let Some(change) = self.identity().set_profile(profile).await? else {
            return Ok(Response::UserProfileNoChange { user: self.user() });
        };
        let update_summary = json!({
            "updateSuccesses": change.told,
            "updateFailures": change.not_told,
            "changedContacts": [],
        });
        Ok(Response::UserProfileUpdated {
            user: self.user(),
            from_profile: types::Profile::from(&change.from),
            to_profile: types::Profile::from(&change.to),
            update_summary,
        })
    }
}
