//! The user and its profile.

use serde_json::{Value, json};
use smp_bot::types::{ChatError, ErrorType, StoreError, User, UserInfo, profile_of_json};
use smp_bot::{Response, types};
use smp_chat::{Status, printable};
use smp_protocol::chat::Profile;

use super::{NO_INCOGNITO, Outcome};
use crate::bot_api::desk::{Desk, Failure};
use crate::commands::check_name;

impl Desk {
    pub(super) async fn users(&self) -> Outcome {
        let unread = self.identity().book().unread().await?;
        let unread_count = unread.values().map(|unread| i64::from(*unread)).sum();
        Ok(Response::UsersList { users: vec![UserInfo { user: self.user(), unread_count }] })
    }

    pub(super) fn set_active(&self, user: i64) -> Outcome {
        match user {
            User::ID => Ok(Response::ActiveUser { user: self.user() }),
            user_id => Err(StoreError::UserNotFound { user_id }.into()),
        }
    }

    /// There is one user for each data directory. As long as nobody knows it, a program that wants another one gets it under its own name.
    pub(super) async fn create_user(&self, profile: Option<Value>) -> Outcome {
        let profile = named(profile.unwrap_or_default())?;
        let own = self.identity().profile().display_name;
        if profile.display_name == own {
            return Err(ErrorType::UserExists { contact_name: own }.into());
        }
        let contacts = self.identity().book().contacts().await?;
        if contacts.iter().any(|contact| contact.status != Status::Invited) {
            let message = format!(
                "this daemon has one user, “{own}”, whom people know: give the bot this name, rename the user (/_profile {} JSON), or \
                 run another daemon in another data directory (smp --data-dir)",
                User::ID
            );
            return Err(ChatError::command(message).into());
        }
        self.change_profile(profile).await?;
        Ok(Response::ActiveUser { user: self.user() })
    }

    pub(super) fn delete_user(&self, user: i64) -> Outcome {
        match user {
            User::ID => Err(ErrorType::CantDeleteActiveUser { user_id: user }.into()),
            user_id => Err(StoreError::UserNotFound { user_id }.into()),
        }
    }

    /// Members of groups: there are none.
    pub(super) fn accept_from_groups(&self, user: i64, on: bool) -> Outcome {
        self.require_user(Some(user))?;
        match on {
            false => Ok(Response::CmdOk { user: Some(self.user()) }),
            true => Err(ChatError::command("groups are not there yet").into()),
        }
    }

    pub(super) fn incognito(&self, on: bool) -> Outcome {
        match on {
            false => Ok(Response::CmdOk { user: Some(self.user()) }),
            true => Err(ChatError::command(NO_INCOGNITO).into()),
        }
    }

    pub(super) async fn set_profile(&self, user: i64, profile: Value) -> Outcome {
        self.require_user(Some(user))?;
        self.change_profile(named(profile)?).await
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

/// A profile that a client gives, with a name that people can type.
fn named(profile: Value) -> Result<Profile, Failure> {
    let Some(profile) = profile_of_json(profile) else {
        return Err(ChatError::command("Failed reading: expected a profile with displayName").into());
    };
    if check_name(&profile.display_name).is_ok() {
        return Ok(profile);
    }
    let valid_name = printable(&profile.display_name);
    Err(ErrorType::InvalidDisplayName { display_name: profile.display_name, valid_name }.into())
}
