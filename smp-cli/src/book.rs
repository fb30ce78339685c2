//! Names of contacts and the texts exchanged with them, in an SQLite file beside the agent's.
//!
//! The agent repeats an event until it is acknowledged, so that a crash loses none. Here an event is recorded under the
//! agent's own number before it is acknowledged: a repeated one changes nothing, and a text is shown once.

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
}

/// A text received and not shown yet.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct NewText {
    pub(crate) id: i64,
    pub(crate) contact_id: i64,
    pub(crate) contact: String,
    /// Unix time in milliseconds at which the relay received it.
    pub(crate) at: i64,
    pub(crate) text: String,
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
    /// Opens the file, creating or migrating it. It is private: its directory is, and SQLite gives it mode 0600 through the umask of [`open`](Self::open)'s caller.
    pub(crate) async fn open(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
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
            None => self.free_name("contact").await?,
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

    async fn by_name(&self, name: &str) -> anyhow::Result<Option<Contact>> {
        Ok(sqlx::query_as("SELECT * FROM contacts WHERE name = ?").bind(name).fetch_optional(&self.0).await?)
    }

    /// Notes what the contact calls themselves: their name becomes the contact's name unless the user chose one.
    pub(crate) async fn set_profile(&self, contact: &Contact, display_name: &str) -> anyhow::Result<Contact> {
        let own = printable(display_name);
        if !own.is_empty() && own != contact.name {
            let name = self.free_name(&own).await?;
            sqlx::query("UPDATE contacts SET name = ? WHERE id = ? AND name_is_ours = 0")
                .bind(name)
                .bind(contact.id)
                .execute(&self.0)
                .await?;
        }
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
        Ok(())
    }

    /// Records a received text under the agent's number. A repeated one changes nothing.
    pub(crate) async fn add_incoming(
        &self,
        contact: &Contact,
        origin: TextOrigin,
        at: i64,
        text: &str,
    ) -> anyhow::Result<()> {
        sqlx::query(
            "INSERT INTO messages (contact, incoming, agent_id, part, at, text, state) VALUES (?, 1, ?, ?, ?, ?, 'new')
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
        let query = "SELECT m.id, c.id AS contact_id, c.name AS contact, m.at, m.text FROM messages m JOIN contacts c ON c.id = m.contact
                     WHERE m.state = 'new' ORDER BY m.id";
        Ok(sqlx::query_as(query).fetch_all(&self.0).await?)
    }

    /// Notes that a text is on the screen.
    pub(crate) async fn shown(&self, text: &NewText) -> anyhow::Result<()> {
        sqlx::query("UPDATE messages SET state = 'shown' WHERE id = ?")
            .bind(text.id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Records a text that the agent has taken for sending.
    pub(crate) async fn add_outgoing(
        &self,
        contact: &Contact,
        agent_id: i64,
        at: i64,
        text: &str,
    ) -> anyhow::Result<()> {
        sqlx::query(
            "INSERT INTO messages (contact, incoming, agent_id, part, at, text, state) VALUES (?, 0, ?, 0, ?, ?, 'queued')
             ON CONFLICT DO NOTHING",
        )
        .bind(contact.id)
        .bind(agent_id)
        .bind(at)
        .bind(text)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// Notes what became of an outgoing text.
    pub(crate) async fn outgoing_done(
        &self,
        contact: &Contact,
        agent_id: i64,
        sent: bool,
    ) -> anyhow::Result<()> {
        sqlx::query("UPDATE messages SET state = ? WHERE contact = ? AND incoming = 0 AND agent_id = ?")
            .bind(if sent { "sent" } else { "failed" })
            .bind(contact.id)
            .bind(agent_id)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// `wanted`, or `wanted` with the first free number behind it.
    async fn free_name(&self, wanted: &str) -> anyhow::Result<String> {
        let mut name = wanted.to_owned();
        let mut number = 2_u32;
        while self.by_name(&name).await?.is_some() {
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
mod tests {
    use super::*;

    async fn book() -> (tempfile::TempDir, Book) {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(&folder.path().join("chat.db")).await.unwrap();
        (folder, book)
    }

    #[tokio::test]
    async fn a_contact_takes_its_own_name_unless_the_user_chose_one() {
        let (_folder, book) = book().await;
        let unnamed = book.add(1, None, Status::Invited, Some("link")).await.unwrap();
        let named = book.add(2, Some("carol"), Status::Joining, None).await.unwrap();
        assert_eq!(book.set_profile(&unnamed, "bob\u{1b}[2J").await.unwrap().name, "bob[2J");
        assert_eq!(book.set_profile(&named, "bob").await.unwrap().name, "carol");
        let third = book.add(3, None, Status::Joining, None).await.unwrap();
        assert_eq!(book.set_profile(&third, "carol").await.unwrap().name, "carol_2");
        assert!(book.refuse_known_name("carol").await.is_err());
        book.set_status(&unnamed, Status::Connected).await.unwrap();
        assert_eq!(book.by_connection(1).await.unwrap().unwrap().link, None);
    }

    #[tokio::test]
    async fn a_repeated_event_shows_a_text_once() {
        let (_folder, book) = book().await;
        let contact = book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
        for _ in 0..2 {
            book.add_incoming(&contact, TextOrigin { agent_id: 7, part: 0 }, 1000, "hello").await.unwrap();
        }
        let texts = book.new_texts().await.unwrap();
        assert_eq!(texts.len(), 1);
        book.shown(&texts[0]).await.unwrap();
        book.add_incoming(&contact, TextOrigin { agent_id: 7, part: 0 }, 1000, "hello").await.unwrap();
        assert!(book.new_texts().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_unknown_name_is_answered_with_the_known_ones() {
        let (_folder, book) = book().await;
        assert!(book.require("bob").await.unwrap_err().to_string().contains("smp invite"));
        book.add(1, Some("bob"), Status::Connected, None).await.unwrap();
        assert!(book.require("bbo").await.unwrap_err().to_string().contains("bob"));
    }
}
