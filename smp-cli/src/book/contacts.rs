//! Contacts of the book: each a connection of the agent under a name that the user can type.

use anyhow::{Context as _, bail};
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};

use super::Book;
use super::status::Status;
use crate::names::{MAX_NAME, printable};

/// How many names are offered instead of one that is not known.
const SUGGESTED_NAMES: usize = 10;

/// A contact, as listed.
#[derive(Debug, Clone)]
pub(crate) struct Contact {
    pub(crate) id: i64,
    pub(crate) connection: i64,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) link: Option<String>,
    pub(crate) verified_code: Option<String>,
    /// Whether the user chose the name.
    name_is_ours: bool,
    /// The name that the contact last gave themselves.
    own_name: Option<String>,
}

impl Contact {
    /// Whether the name is one that the user chose, or the contact told.
    pub(crate) fn is_named(&self) -> bool {
        self.name_is_ours || self.own_name.is_some()
    }

    /// Whether the user chose the name.
    pub(crate) fn is_name_chosen(&self) -> bool {
        self.name_is_ours
    }
}

/// Outcome of a profile.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) contact: Contact,
    /// The contact's new name for themselves, if it is another one than before and is not their name here.
    pub(crate) renamed: Option<String>,
}

impl FromRow<'_, SqliteRow> for Contact {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            connection: row.try_get("connection")?,
            name: row.try_get("name")?,
            status: row.try_get("status")?,
            link: row.try_get("link")?,
            verified_code: row.try_get("verified_code")?,
            name_is_ours: row.try_get("name_is_ours")?,
            own_name: row.try_get("own_name")?,
        })
    }
}

impl Book {
    /// Records a new connection. Without a name chosen by the user, one is made until the contact tells theirs.
    pub(crate) async fn add(
        &self,
        connection: i64,
        chosen: Option<&str>,
        status: Status,
        link: Option<&str>,
    ) -> anyhow::Result<Contact> {
        let name = match chosen {
            Some(name) => {
                self.refuse_known_name(name).await?;
                name.to_owned()
            }
            None => self.free_name("contact", connection).await?,
        };
        sqlx::query(
            "INSERT INTO contacts (connection, name, name_is_ours, status, link) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (connection) DO NOTHING",
        )
        .bind(connection)
        .bind(&name)
        .bind(chosen.is_some())
        .bind(status)
        .bind(link)
        .execute(&self.0)
        .await?;
        self.by_connection(connection).await?.context("The contact was removed meanwhile")
    }

    /// Fails if the name is taken or cannot be typed again.
    pub(crate) async fn refuse_known_name(&self, name: &str) -> anyhow::Result<()> {
        if printable(name) != name || name.is_empty() {
            bail!(
                "A contact's name is 1 to {MAX_NAME} visible characters, with single spaces; choose another."
            );
        }
        if self.by_name(name).await?.is_some() {
            bail!("There is a contact called “{name}” already; choose another name.");
        }
        Ok(())
    }

    /// Notes which invitation the contact was joined by.
    pub(crate) async fn set_invitation(&self, contact: &Contact, invitation: &[u8]) -> anyhow::Result<()> {
        sqlx::query("UPDATE contacts SET invitation = ? WHERE id = ?")
            .bind(invitation)
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// The contact that was joined by this invitation.
    pub(crate) async fn by_invitation(&self, invitation: &[u8]) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE invitation = ?")
            .bind(invitation)
            .fetch_optional(&self.0)
            .await?)
    }

    /// Everybody, in the order in which they came.
    pub(crate) async fn contacts(&self) -> anyhow::Result<Vec<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts ORDER BY id").fetch_all(&self.0).await?)
    }

    /// The contact called `name`, or an error that says who there is.
    pub(crate) async fn require(&self, name: &str) -> anyhow::Result<Contact> {
        if let Some(contact) = self.by_name(name).await? {
            return Ok(contact);
        }
        let names: Vec<String> = self.contacts().await?.into_iter().map(|contact| contact.name).collect();
        if names.is_empty() {
            bail!("There are no contacts yet; begin with `smp invite` or `smp join LINK`.");
        }
        bail!("There is no contact called “{name}”; {}.", suggestion(name, &names));
    }

    pub(crate) async fn by_connection(&self, connection: i64) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE connection = ?")
            .bind(connection)
            .fetch_optional(&self.0)
            .await?)
    }

    pub(crate) async fn by_name(&self, name: &str) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE name = ?").bind(name).fetch_optional(&self.0).await?)
    }

    /// Notes what the contact calls themselves. Until they are connected it becomes their name here, unless the user chose
    /// one; later the name stays: whoever was compared and verified under it must not become somebody else.
    pub(crate) async fn set_profile(
        &self,
        contact: &Contact,
        display_name: &str,
    ) -> anyhow::Result<Introduction> {
        let contact = self.current(contact).await?;
        let own = printable(display_name);
        if own.is_empty() || contact.own_name.as_ref() == Some(&own) {
            return Ok(Introduction { contact, renamed: None });
        }
        let is_new = matches!(contact.status, Status::Invited | Status::Joining);
        let name = if is_new && !contact.name_is_ours {
            self.free_name(&own, contact.connection).await?
        } else {
            contact.name.clone()
        };
        sqlx::query("UPDATE contacts SET name = ?, own_name = ? WHERE id = ?")
            .bind(name)
            .bind(&own)
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        let known = contact.own_name.as_ref().unwrap_or(&contact.name);
        let renamed = (!is_new && *known != own).then_some(own);
        Ok(Introduction { contact: self.current(&contact).await?, renamed })
    }

    /// The contact as it is now.
    async fn current(&self, contact: &Contact) -> anyhow::Result<Contact> {
        self.by_connection(contact.connection).await?.context("The contact was removed meanwhile")
    }

    /// Notes how far the contact has come; a used invitation is forgotten.
    pub(crate) async fn set_status(&self, contact: &Contact, status: Status) -> anyhow::Result<()> {
        let query =
            "UPDATE contacts SET status = ?1, link = CASE WHEN ?1 = 'invited' THEN link END WHERE id = ?2";
        sqlx::query(query).bind(status).bind(contact.id).execute(&self.0).await?;
        Ok(())
    }

    /// The code that was compared does not count any more.
    pub(crate) async fn forget_verified(&self, contact: &Contact) -> anyhow::Result<()> {
        sqlx::query("UPDATE contacts SET verified_code = NULL WHERE id = ?")
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Marks the contact as verified with this security code.
    pub(crate) async fn set_verified(&self, contact: &Contact, code: &str) -> anyhow::Result<()> {
        sqlx::query("UPDATE contacts SET verified_code = ? WHERE id = ?")
            .bind(code)
            .bind(contact.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Forgets the contact and all texts.
    pub(crate) async fn remove(&self, contact: &Contact) -> anyhow::Result<()> {
        sqlx::query("DELETE FROM contacts WHERE id = ?").bind(contact.id).execute(&self.0).await?;
        self.clean().await
    }

    /// `wanted`, or `wanted` with the first number behind it that makes it free for this connection.
    async fn free_name(&self, wanted: &str, connection: i64) -> anyhow::Result<String> {
        let mut name = wanted.to_owned();
        let mut number = 2_u32;
        while self.by_name(&name).await?.is_some_and(|holder| holder.connection != connection) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        Ok(name)
    }
}

/// The names that are most like this one, or all if they are few.
fn suggestion(name: &str, names: &[String]) -> String {
    if names.len() <= SUGGESTED_NAMES {
        return format!("there are: {}", names.join(", "));
    }
    let mut near: Vec<&String> = names.iter().collect();
    let name = name.to_lowercase();
    near.sort_by_cached_key(|known| strsim::damerau_levenshtein(&known.to_lowercase(), &name));
    let near: Vec<&str> = near.into_iter().take(SUGGESTED_NAMES).map(String::as_str).collect();
    format!("most like it are: {}; `smp contacts` lists all {}", near.join(", "), names.len())
}
