//! Contacts of the book: each a connection of the agent under a name that the user can type.

use std::collections::HashMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smp_protocol::chat::{ChatVersion, ChatVersionRange, Profile};
use smp_sqlite::Rows;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};

use super::status::Status;
use super::{Book, BookError};
use crate::names::printable;
use crate::profile::{ContactPreferences, Disappearing, json_of, profile_of};

/// The chat version from which on compressed messages are read.
const COMPRESSION: ChatVersion = ChatVersion(8);

/// How many names are offered instead of one that is not known.
const SUGGESTED_NAMES: usize = 10;

/// A contact, as listed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Contact {
    /// Its number in the book.
    pub id: i64,
    /// The agent's number of the connection.
    pub connection: i64,
    /// The user's name for it.
    pub name: String,
    /// How far the connection has come.
    pub status: Status,
    /// The invitation, while it waits to be used.
    pub link: Option<String>,
    /// The security code that both sides compared.
    pub verified_code: Option<String>,
    /// The chat versions that their app speaks, as it last said. None before it said anything.
    pub versions: Option<ChatVersionRange>,
    /// Whether their messages are kept without making a line.
    pub is_muted: bool,
    /// The user's word on disappearing messages. None: as the contact wishes.
    pub disappearing: Option<Disappearing>,
    /// The name that a program gave them: for programs only.
    pub alias: Option<String>,
    /// Data that a program keeps with them.
    pub custom: Option<Value>,
    /// Our word on features to this contact, where it is another one than to everybody.
    pub preferences: Option<ContactPreferences>,
    /// Unix time in milliseconds at which it was made, if that is known.
    pub made: Option<i64>,
    /// Whether they asked by our contact address.
    pub by_address: bool,
    /// Whether the user chose the name.
    name_is_ours: bool,
    /// The name that the contact last gave themselves.
    own_name: Option<String>,
}

impl Contact {
    /// Whether the name is one that the user chose, or the contact told.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.name_is_ours || self.own_name.is_some()
    }

    /// Whether their app reads compressed messages. Before it said so, it is taken for one that does, as applications do.
    #[must_use]
    pub fn reads_compressed(&self) -> bool {
        self.versions.is_none_or(|versions| versions.max() >= COMPRESSION)
    }

    /// Whether the user chose the name.
    #[must_use]
    pub fn is_name_chosen(&self) -> bool {
        self.name_is_ours
    }
}

/// A contact with the profile that it last sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The contact.
    pub contact: Contact,
    /// The profile, if there was one.
    pub profile: Option<Profile>,
}

/// Outcome of a profile.
#[derive(Debug)]
pub struct Introduction {
    /// The contact as it is now.
    pub contact: Contact,
    /// The contact's new name for themselves, if it is another one than before and is not their name here.
    pub renamed: Option<String>,
    /// Whether the contact's wish for disappearing messages is another one than before.
    pub has_other_disappearing: bool,
}

impl FromRow<'_, SqliteRow> for Person {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let profile: Option<&str> = row.try_get("profile")?;
        Ok(Self { contact: Contact::from_row(row)?, profile: profile.and_then(profile_of) })
    }
}

/// JSON that was kept.
fn json<T: DeserializeOwned>(text: Option<String>) -> Option<T> {
    serde_json::from_str(&text?).ok()
}

impl FromRow<'_, SqliteRow> for Contact {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            connection: row.try_get("connection")?,
            name: row.try_get("name")?,
            status: if row.try_get("asks")? { Status::Requested } else { row.try_get("status")? },
            link: row.try_get("link")?,
            verified_code: row.try_get("verified_code")?,
            alias: row.try_get("alias")?,
            custom: json(row.try_get("custom")?),
            preferences: json(row.try_get("preferences")?),
            made: row.try_get("made")?,
            by_address: row.try_get("by_address")?,
            name_is_ours: row.try_get("name_is_ours")?,
            own_name: row.try_get("own_name")?,
            versions: row
                .try_get::<Option<String>, _>("versions")?
                .and_then(|versions| versions.parse().ok()),
            is_muted: row.try_get("muted")?,
            disappearing: row.try_get::<Option<u32>, _>("ttl")?.map(Disappearing::of_seconds),
        })
    }
}

impl Book {
    /// Records a new connection. Without a name chosen by the user, one is made until the contact tells theirs.
    pub async fn add(
        &self,
        connection: i64,
        chosen: Option<&str>,
        status: Status,
        link: Option<&str>,
    ) -> Result<Contact, BookError> {
        let name = match chosen {
            Some(name) => {
                self.refuse_known_name(name).await?;
                name.to_owned()
            }
            None => self.free_name("contact", connection).await?,
        };
        let mut step = self.pool.begin().await?;
        let number: i64 = sqlx::query_scalar("INSERT INTO contact_numbers DEFAULT VALUES RETURNING id")
            .fetch_one(&mut *step)
            .await?;
        sqlx::query("DELETE FROM contact_numbers").execute(&mut *step).await?;
        sqlx::query(
            "INSERT INTO contacts (id, connection, name, name_is_ours, status, link, asks, active, made)
             VALUES (?, ?, ?, ?, ?, ?, ?, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'items'), 0),
                     CAST(unixepoch('subsec') * 1000 AS INTEGER))
             ON CONFLICT (connection) DO NOTHING",
        )
        .bind(number)
        .bind(connection)
        .bind(&name)
        .bind(chosen.is_some())
        .bind(status)
        .bind(link)
        .bind(status == Status::Requested)
        .execute(&mut *step)
        .await?;
        step.commit().await?;
        self.by_connection(connection).await?.ok_or(BookError::Removed)
    }

    /// Fails if the name is taken or cannot be typed again.
    pub async fn refuse_known_name(&self, name: &str) -> Result<(), BookError> {
        if printable(name) != name || name.is_empty() {
            return Err(BookError::BadName);
        }
        if self.by_name(name).await?.is_some() {
            return Err(BookError::NameTaken(name.to_owned()));
        }
        Ok(())
    }

    /// Notes which invitation the contact was joined by.
    pub async fn set_invitation(&self, contact: &Contact, invitation: &[u8]) -> Result<(), BookError> {
        sqlx::query("UPDATE contacts SET invitation = ? WHERE id = ?")
            .bind(invitation)
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The contact that was joined by this invitation.
    pub async fn by_invitation(&self, invitation: &[u8]) -> Result<Option<Contact>, BookError> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE invitation = ?")
            .bind(invitation)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Everybody, in the order in which they came.
    pub async fn contacts(&self) -> Result<Vec<Contact>, BookError> {
        Ok(sqlx::query_as("SELECT * FROM contacts ORDER BY id").fetch_all(&self.pool).await?)
    }

    /// The contact called `name`, or an error that says who there is.
    pub async fn require(&self, name: &str) -> Result<Contact, BookError> {
        if let Some(contact) = self.by_name(name).await? {
            return Ok(contact);
        }
        let names: Vec<String> = self.contacts().await?.into_iter().map(|contact| contact.name).collect();
        if names.is_empty() {
            return Err(BookError::NoContacts);
        }
        let count = names.len();
        Err(BookError::UnknownName { name: name.to_owned(), nearest: nearest(name, names), count })
    }

    /// The contact of a connection.
    pub async fn by_connection(&self, connection: i64) -> Result<Option<Contact>, BookError> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE connection = ?")
            .bind(connection)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// The contacts of these connections, by connection.
    pub async fn by_connections(
        &self,
        connections: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, Contact>, BookError> {
        let query = "SELECT * FROM contacts WHERE connection IN (SELECT value FROM json_each(?))";
        let contacts: Vec<Contact> =
            sqlx::query_as(query).bind(numbers(connections)).fetch_all(&self.pool).await?;
        Ok(contacts.into_iter().map(|contact| (contact.connection, contact)).collect())
    }

    /// The contacts of these numbers with their profiles, by number.
    pub async fn people(
        &self,
        contacts: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, Person>, BookError> {
        let query = "SELECT c.*, p.profile FROM contacts c LEFT JOIN profiles p ON p.contact = c.id
                     WHERE c.id IN (SELECT value FROM json_each(?))";
        let people: Vec<Person> = sqlx::query_as(query).bind(numbers(contacts)).fetch_all(&self.pool).await?;
        Ok(people.into_iter().map(|person| (person.contact.id, person)).collect())
    }

    /// The contact of this number.
    pub async fn by_number(&self, number: i64) -> Result<Option<Contact>, BookError> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE id = ?")
            .bind(number)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Notes that the contact asked by our contact address.
    pub async fn set_by_address(&self, contact: &Contact) -> Result<(), BookError> {
        sqlx::query("UPDATE contacts SET by_address = 1 WHERE id = ?")
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The contact of this name.
    pub async fn by_name(&self, name: &str) -> Result<Option<Contact>, BookError> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Notes what the contact calls themselves. Until they are connected it becomes their name here, unless the user chose
    /// one; later the name stays: whoever was compared and verified under it must not become somebody else.
    pub async fn set_profile(&self, contact: &Contact, profile: &Profile) -> Result<Introduction, BookError> {
        self.take_profile(contact, profile, false).await
    }

    /// As [`set_profile`](Self::set_profile), of somebody who is known; programs are told if it is another one than before.
    pub async fn change_profile(
        &self,
        contact: &Contact,
        profile: &Profile,
    ) -> Result<Introduction, BookError> {
        self.take_profile(contact, profile, self.is_feeding()).await
    }

    async fn take_profile(
        &self,
        contact: &Contact,
        profile: &Profile,
        is_told: bool,
    ) -> Result<Introduction, BookError> {
        let contact = self.current(contact).await?;
        let own = printable(&profile.display_name);
        let has_other_disappearing = self.take_wish(&contact, profile).await?;
        let contact = self.current(&contact).await?;
        self.keep_profile(&contact, json_of(profile), is_told).await?;
        if own.is_empty() || contact.own_name.as_ref() == Some(&own) {
            return Ok(Introduction { contact, renamed: None, has_other_disappearing });
        }
        let is_new = matches!(contact.status, Status::Invited | Status::Requested | Status::Joining);
        let name = if is_new && !contact.name_is_ours {
            self.free_name(&own, contact.connection).await?
        } else {
            contact.name.clone()
        };
        sqlx::query("UPDATE contacts SET name = ?, own_name = ? WHERE id = ?")
            .bind(name)
            .bind(&own)
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        let known = contact.own_name.as_ref().unwrap_or(&contact.name);
        let renamed = (!is_new && *known != own).then_some(own);
        Ok(Introduction { contact: self.current(&contact).await?, renamed, has_other_disappearing })
    }

    /// Keeps a profile as the last one. The feed has the one before with it: after a kill both are known, or neither.
    async fn keep_profile(&self, contact: &Contact, profile: String, is_told: bool) -> Result<(), BookError> {
        let mut step = self.pool.begin().await?;
        if is_told {
            let before =
                sqlx::query_scalar("SELECT profile FROM profiles WHERE contact = ?").bind(contact.id);
            let before: Option<String> = before.fetch_optional(&mut *step).await?;
            if before.as_ref() != Some(&profile) {
                sqlx::query("INSERT INTO feed (contact, kind, before) VALUES (?, 'profile', ?)")
                    .bind(contact.id)
                    .bind(before)
                    .execute(&mut *step)
                    .await?;
            }
        }
        sqlx::query(
            "INSERT INTO profiles (contact, profile) VALUES (?, ?)
             ON CONFLICT (contact) DO UPDATE SET profile = excluded.profile",
        )
        .bind(contact.id)
        .bind(profile)
        .execute(&mut *step)
        .await?;
        step.commit().await?;
        if is_told {
            self.feed_has_grown();
        }
        Ok(())
    }

    /// The last word on disappearing messages counts, whichever side it is of, as in apps. Returns whether the contact's is a new one.
    async fn take_wish(&self, contact: &Contact, profile: &Profile) -> Result<bool, BookError> {
        let before = self.profile(contact).await?;
        let now = contact.disappearing.unwrap_or_else(|| Disappearing::of_profile(before.as_ref()));
        if now == Disappearing::of_profile(Some(profile)) {
            return Ok(false);
        }
        self.set_disappearing(contact, None).await?;
        // The first one is nothing that changes.
        Ok(before.is_some())
    }

    /// Notes the user's word on disappearing messages; None takes it back.
    pub async fn set_disappearing(
        &self,
        contact: &Contact,
        disappearing: Option<Disappearing>,
    ) -> Result<(), BookError> {
        sqlx::query("UPDATE contacts SET ttl = ? WHERE id = ?")
            .bind(disappearing.map(Disappearing::seconds))
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes our word on features to this contact; None for the one to everybody.
    pub async fn set_preferences(
        &self,
        contact: &Contact,
        preferences: Option<&ContactPreferences>,
    ) -> Result<(), BookError> {
        self.annotate("UPDATE contacts SET preferences = ? WHERE id = ?", contact, preferences.map(written))
            .await
    }

    /// Keeps a name of a program for the contact; None forgets it.
    pub async fn set_alias(&self, contact: &Contact, alias: Option<&str>) -> Result<(), BookError> {
        self.annotate("UPDATE contacts SET alias = ? WHERE id = ?", contact, alias.map(str::to_owned)).await
    }

    /// Keeps data of a program with the contact; None forgets them.
    pub async fn set_custom(&self, contact: &Contact, data: Option<&Value>) -> Result<(), BookError> {
        self.annotate("UPDATE contacts SET custom = ? WHERE id = ?", contact, data.map(written)).await
    }

    async fn annotate(
        &self,
        query: &'static str,
        contact: &Contact,
        value: Option<String>,
    ) -> Result<(), BookError> {
        sqlx::query(query).bind(value).bind(contact.id).execute(&self.pool).await?;
        Ok(())
    }

    /// Notes whether the contact's messages are kept without making a line.
    pub async fn set_muted(&self, contact: &Contact, is_muted: bool) -> Result<(), BookError> {
        sqlx::query("UPDATE contacts SET muted = ? WHERE id = ?")
            .bind(is_muted)
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The profile that the contact last sent.
    pub async fn profile(&self, contact: &Contact) -> Result<Option<Profile>, BookError> {
        let profile: Option<String> = sqlx::query_scalar("SELECT profile FROM profiles WHERE contact = ?")
            .bind(contact.id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(profile.as_deref().and_then(profile_of))
    }

    /// Notes the versions that the contact's app speaks.
    pub async fn set_versions(&self, contact: &Contact, versions: ChatVersionRange) -> Result<(), BookError> {
        let mut connection = self.pool.acquire().await?;
        set_versions(&mut connection, contact, versions).await
    }

    /// The contact as it is now.
    async fn current(&self, contact: &Contact) -> Result<Contact, BookError> {
        self.by_connection(contact.connection).await?.ok_or(BookError::Removed)
    }

    /// Notes how far the contact has come; a used invitation is forgotten.
    pub async fn set_status(&self, contact: &Contact, status: Status) -> Result<(), BookError> {
        let query = "UPDATE contacts SET status = ?1, link = CASE WHEN ?1 = 'invited' THEN link END, asks = ?3,
                     active = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'items'), 0) WHERE id = ?2";
        let asks = status == Status::Requested;
        sqlx::query(query).bind(status).bind(contact.id).bind(asks).execute(&self.pool).await?;
        Ok(())
    }

    /// The code that was compared does not count any more.
    pub async fn forget_verified(&self, contact: &Contact) -> Result<(), BookError> {
        sqlx::query("UPDATE contacts SET verified_code = NULL WHERE id = ?")
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Marks the contact as verified with this security code.
    pub async fn set_verified(&self, contact: &Contact, code: &str) -> Result<(), BookError> {
        sqlx::query("UPDATE contacts SET verified_code = ? WHERE id = ?")
            .bind(code)
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Gives the contact a name that the user chose.
    pub async fn rename(&self, contact: &Contact, name: &str) -> Result<(), BookError> {
        if contact.name != name {
            self.refuse_known_name(name).await?;
        }
        sqlx::query("UPDATE contacts SET name = ?, name_is_ours = 1 WHERE id = ?")
            .bind(name)
            .bind(contact.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets the contact and all texts.
    pub async fn remove(&self, contact: &Contact) -> Result<(), BookError> {
        sqlx::query("DELETE FROM contacts WHERE id = ?").bind(contact.id).execute(&self.pool).await?;
        self.clean().await
    }

    /// `wanted`, or `wanted` with the first number behind it that makes it free for this connection.
    async fn free_name(&self, wanted: &str, connection: i64) -> Result<String, BookError> {
        let mut name = wanted.to_owned();
        let mut number = 2_u32;
        while self.by_name(&name).await?.is_some_and(|holder| holder.connection != connection) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        Ok(name)
    }
}

/// JSON to be kept: of keys that are strings, so there is nothing that could not be written.
fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// For `json_each`.
fn numbers(numbers: impl Iterator<Item = i64>) -> Option<String> {
    let mut rows = Rows::default();
    numbers.for_each(|number| rows.number(number));
    rows.json()
}

/// Notes the versions, if they are others than before.
pub(super) async fn set_versions(
    step: &mut SqliteConnection,
    contact: &Contact,
    versions: ChatVersionRange,
) -> Result<(), BookError> {
    if Some(versions) != contact.versions {
        sqlx::query("UPDATE contacts SET versions = ? WHERE id = ?")
            .bind(versions.to_string())
            .bind(contact.id)
            .execute(step)
            .await?;
    }
    Ok(())
}

/// The names that are most like this one, or all if they are few.
fn nearest(name: &str, mut names: Vec<String>) -> Vec<String> {
    if names.len() > SUGGESTED_NAMES {
        let name = name.to_lowercase();
        names.sort_by_cached_key(|known| strsim::damerau_levenshtein(&known.to_lowercase(), &name));
        names.truncate(SUGGESTED_NAMES);
    }
    names
}
