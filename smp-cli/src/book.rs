//! Names of contacts and the texts that they sent and nobody has seen yet, in an SQLite file beside the agent's.
//!
//! The agent repeats an event until it is acknowledged, so that a crash loses none. Here an event is recorded under the
//! agent's own number before it is acknowledged: a repeated one changes nothing, and a text is shown once. Then it is forgotten: there is no command that would show it again.

use std::path::Path;

use anyhow::{Context as _, bail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{FromRow, SqlitePool};

use crate::names::{MAX_NAME, printable};

/// How far a contact has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Our invitation has not been used yet.
    Invited,
    /// We used their invitation, or they used ours, and the other side has not answered yet.
    Joining,
    /// Messages can be exchanged.
    Connected,
    /// The contact is gone, or the connection failed for good.
    Ended,
}

/// A contact, as listed.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct Contact {
    pub(crate) id: i64,
    pub(crate) connection: i64,
    pub(crate) name: String,
    pub(crate) status: Status,
    pub(crate) link: Option<String>,
    pub(crate) verified_code: Option<String>,
    /// Whether the user chose the name.
    name_is_ours: bool,
    /// What the contact last called themselves.
    own_name: Option<String>,
}

impl Contact {
    /// Whether the user chose the name.
    pub(crate) fn is_name_chosen(&self) -> bool {
        self.name_is_ours
    }
}

/// What came of a profile.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub(crate) contact: Contact,
    /// The contact's new name for themselves, if it is another one than before and is not their name here.
    pub(crate) renamed: Option<String>,
}

/// A text received and not shown yet.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct NewText {
    id: i64,
    connection: i64,
    agent_id: i64,
    part: i64,
    pub(crate) contact_id: i64,
    pub(crate) contact: String,
    /// Unix time in milliseconds at which the relay received it.
    pub(crate) at: i64,
    pub(crate) text: String,
}

impl NewText {
    /// Names the text: the same if it is shown again after a crash, and of no other text of this identity.
    pub(crate) fn key(&self) -> String {
        format!("{}-{}-{}", self.connection, self.agent_id, self.part)
    }
}

/// Where a received text came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextOrigin {
    /// The agent's number of the message.
    pub(crate) agent_id: i64,
    /// Which of the texts in that message.
    pub(crate) part: i64,
}

/// The open file.
#[derive(Debug, Clone)]
pub(crate) struct Book(SqlitePool);

impl Book {
    /// Opens the file, creating or migrating it. It has mode 0600, and so have the files that SQLite makes beside it.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What was deleted is overwritten.
            .pragma("secure_delete", "ON");
        make_private(path)?;
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        sqlx::migrate!().run(&pool).await.context("The contacts file cannot be brought up to date")?;
        Ok(Self(pool))
    }

    /// Waits until everything is on disk and closes the file.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

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
        bail!("There is no contact called “{name}”; there are: {}.", names.join(", "));
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

    /// Takes what was deleted out of the write-ahead log too.
    pub(crate) async fn clean(&self) -> anyhow::Result<()> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.0).await?;
        Ok(())
    }

    /// Records a received text under the agent's number. A repeated one changes nothing. The agent repeats none that came
    /// before this one: numbers of those that were shown are not needed any more.
    pub(crate) async fn add_incoming(
        &self,
        contact: &Contact,
        origin: TextOrigin,
        at: i64,
        text: &str,
    ) -> anyhow::Result<()> {
        sqlx::query("DELETE FROM texts WHERE contact = ? AND agent_id < ? AND text IS NULL")
            .bind(contact.id)
            .bind(origin.agent_id)
            .execute(&self.0)
            .await?;
        sqlx::query(
            "INSERT INTO texts (contact, agent_id, part, at, text) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(contact.id)
        .bind(origin.agent_id)
        .bind(origin.part)
        .bind(at)
        .bind(text)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// Texts that were recorded and not yet shown, oldest first.
    pub(crate) async fn new_texts(&self) -> anyhow::Result<Vec<NewText>> {
        let query = "SELECT t.id, c.connection, t.agent_id, t.part, c.id AS contact_id, c.name AS contact, t.at, t.text
                     FROM texts t JOIN contacts c ON c.id = t.contact WHERE t.text IS NOT NULL ORDER BY t.id";
        Ok(sqlx::query_as(query).fetch_all(&self.0).await?)
    }

    /// Forgets a text that is on the screen. [`clean`](Self::clean) is to follow after the last one.
    pub(crate) async fn shown(&self, text: &NewText) -> anyhow::Result<()> {
        sqlx::query("UPDATE texts SET text = NULL WHERE id = ?").bind(text.id).execute(&self.0).await?;
        Ok(())
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

/// Creates the file with mode 0600 before SQLite does it with the umask's mode.
fn make_private(path: &Path) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests;
