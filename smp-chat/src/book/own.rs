//! Our own things besides the settings: our profile, and the message to people who were let in.

use smp_protocol::chat::Profile;

use super::{Book, BookError};
use crate::profile::{json_of, profile_of};

/// Our profile, as far as it is not in the settings.
const PROFILE: &str = "profile";
/// The message to people who asked by our contact address and were let in, as JSON of its content.
const WELCOME: &str = "welcome";

impl Book {
    /// Our profile, if it is more than a name.
    pub async fn own_profile(&self) -> Result<Option<Profile>, BookError> {
        Ok(self.own(PROFILE).await?.as_deref().and_then(profile_of))
    }

    /// Keeps our profile.
    pub async fn set_own_profile(&self, profile: &Profile) -> Result<(), BookError> {
        self.set_own(PROFILE, Some(&json_of(profile))).await
    }

    /// The message to people who asked by our contact address and were let in: the JSON of its content.
    pub async fn welcome(&self) -> Result<Option<String>, BookError> {
        self.own(WELCOME).await
    }

    /// Sets that message, or that there is none.
    pub async fn set_welcome(&self, content: Option<&str>) -> Result<(), BookError> {
        self.set_own(WELCOME, content).await
    }

    async fn own(&self, name: &str) -> Result<Option<String>, BookError> {
        let value = sqlx::query_scalar("SELECT value FROM own WHERE name = ?").bind(name);
        Ok(value.fetch_optional(&self.pool).await?)
    }

    async fn set_own(&self, name: &str, value: Option<&str>) -> Result<(), BookError> {
        let query = match value {
            Some(value) => {
                sqlx::query("INSERT OR REPLACE INTO own (name, value) VALUES (?, ?)").bind(name).bind(value)
            }
            None => sqlx::query("DELETE FROM own WHERE name = ?").bind(name),
        };
        query.execute(&self.pool).await?;
        Ok(())
    }
}
